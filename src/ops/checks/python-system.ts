import type { RedisClient } from '../../redis/client.ts'
import { noticePython } from '../adopt/python.ts'
import { isAdopting } from '../manifest/adoption.ts'
import { error, type Finding } from './finding.ts'

/** Checks whether the Python system has filled this Redis. Returns nothing if it has not. */
export async function pythonSystem(redis: RedisClient): Promise<Finding[]> {
  const check = 'python system'
  if (await isAdopting(redis)) {
    return [
      error(
        check,
        'orders adopt is running, or was stopped halfway',
        'Run orders adopt --yes again: it continues where it stopped.',
      ),
    ]
  }
  const found = await noticePython(redis)
  if (found === undefined) return []
  const advice =
    'Stop it and run orders adopt, which shows what it would convert; no process of orders starts before that.'
  return [error(check, `it has filled this Redis (${found})`, advice)]
}
