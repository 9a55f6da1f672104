import type { RedisClient } from '../../redis/client.ts'
import { noticePython } from '../adopt/python.ts'
import { isAdopting } from '../manifest.ts'
import { error, type Finding } from './finding.ts'

/** Says whether the Python system has filled this Redis; nothing to say of any other. */
export async function pythonSystem(redis: RedisClient): Promise<Finding[]> {
  const check = 'python system'
  if (await isAdopting(redis)) {
    return [
      error(
        check,
        'orders adopt was stopped half-way, or runs',
        'Run orders adopt --yes again: it ends what it began.',
      ),
    ]
  }
  const found = await noticePython(redis)
  if (found === undefined) return []
  const advice = 'Stop it and run orders adopt, which says what it would convert; nothing of orders starts before.'
  return [error(check, `it has filled this Redis (${found})`, advice)]
}
