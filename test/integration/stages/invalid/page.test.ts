import { expect, test } from 'vitest'
import { type InvalidFilter, readInvalid } from '../../../../src/stages/invalid/page.ts'
import { rejectBodies } from '../../../support/invalid.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

test('a page has the newest entries of all, of a code or of a user, and the next one those before', async () => {
  await using world = await emptyRedis()
  const scope = appOn(world.redis)
  const bodies = Array.from({ length: 9 }, (_, at) =>
    at % 3 === 0 ? '{}' : JSON.stringify({ user_id: `u${at % 2}`, order_id: at, order_value: -1 }),
  )
  const ids = (await rejectBodies(scope, bodies)).toReversed()
  const page = async (filter: InvalidFilter): Promise<[string[], string | undefined]> => {
    const { found, next } = await readInvalid(scope, filter)
    return [found.map((json) => JSON.parse(json).id), next]
  }
  expect(await page({ limit: 4 })).toEqual([ids.slice(0, 4), ids[3]])
  expect(await page({ limit: 10, before: ids[3] })).toEqual([ids.slice(4), undefined])
  expect(await page({ limit: 2, code: 'missing-field' })).toEqual([[ids[2], ids[5]], ids[5]])
  expect(await page({ limit: 10, code: 'missing-field', before: ids[5] })).toEqual([[ids[8]], undefined])
  expect(await page({ limit: 10, userId: 'u1' })).toEqual([[ids[1], ids[3], ids[7]], undefined])
})
