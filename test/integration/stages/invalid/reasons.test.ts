import { expect, test } from 'vitest'
import { makeKeys } from '../../../../src/keys.ts'
import { summarize } from '../../../../src/stages/invalid/reasons.ts'
import { sortableId, timeMs } from '../../../../src/stream-id.ts'
import { emptyRedis } from '../../../support/world.ts'

test('a reason counts the orders of the last minute and of the minute before, in all partitions', async () => {
  await using world = await emptyRedis()
  const partitions = [makeKeys(0), makeKeys(1)]
  const now = timeMs(await world.redis.time())
  const secondsAgo = [5, 20, 50, 70, 110, 130, 4_000]
  for (const keys of partitions) {
    const members = secondsAgo.flatMap((seconds) => ['0', sortableId(`${now - seconds * 1_000}-1`)])
    await world.redis.zadd(keys.invalidGroup('not-an-object'), ...members)
  }
  expect(await summarize(world.redis, partitions)).toMatchObject([
    { code: 'not-an-object', count: 14, lastMinute: 6, minuteBefore: 4 },
  ])
})
