import { expect, test, vi } from 'vitest'
import { redisClock } from '../../../src/redis/clock.ts'
import { timeMs } from '../../../src/stream-id.ts'
import { emptyRedis } from '../../support/world.ts'

test('the clock of Redis is asked at first, and then follows its replies', async () => {
  await using world = await emptyRedis()
  const redis = world.redis.duplicate()
  const clock = redisClock(redis)
  const [before, now, after] = [await redis.time(), await clock.now(), await redis.time()]
  expect(now.getTime()).toBeGreaterThanOrEqual(timeMs(before) - 1)
  expect(now.getTime()).toBeLessThanOrEqual(timeMs(after) + 1)
  clock.set(1_800_000_000_000)
  redis.disconnect() // from here on it cannot be asked
  const later = (await clock.now()).getTime() - 1_800_000_000_000
  expect(later).toBeGreaterThanOrEqual(0)
  expect(later).toBeLessThan(60_000)
})

test('it is asked again after the machine has slept, for which the monotonic clock stands still', async () => {
  await using world = await emptyRedis()
  const clock = redisClock(world.redis)
  clock.set(4_000_000_000_000)
  using _ = { [Symbol.dispose]: () => vi.useRealTimers() }
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 })
  const before = timeMs(await world.redis.time())
  expect((await clock.now()).getTime()).toBeGreaterThanOrEqual(before - 1)
  expect((await clock.now()).getTime()).toBeLessThan(4_000_000_000_000)
})
