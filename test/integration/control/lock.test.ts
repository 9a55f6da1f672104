import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { readConfig } from '../../../src/config/config.ts'
import { holdLock } from '../../../src/control/lock.ts'
import { lockKey } from '../../../src/keys.ts'
import { verify } from '../../../src/ops/verify/verification.ts'
import { requireRedisServer } from '../../support/requires.ts'
import { until } from '../../support/until.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

const silent = (): void => {}

/** Runs `then` once, after the next command of this client was answered and before its caller hears of it. */
function afterNextCommand(redis: Redis, then: () => Promise<unknown>): Redis {
  const send = redis.sendCommand.bind(redis)
  let first = true
  const answer = async (command: Parameters<typeof send>[0], stream: Parameters<typeof send>[1]): Promise<unknown> => {
    const reply = await send(command, stream)
    if (first) {
      first = false
      await then()
    }
    return reply
  }
  return Object.assign(redis, { sendCommand: answer })
}

test('a released lock that another process took in between stays with that process', async () => {
  await using own = await emptyRedis()
  const holder = own.redis.duplicate()
  try {
    const lock = await holdLock(holder, silent, new AbortController().signal)
    afterNextCommand(holder, () => own.redis.set(lockKey, 'another'))
    await lock[Symbol.asyncDispose]()
    expect(await own.redis.get(lockKey)).toBe('another')
  } finally {
    holder.disconnect()
  }
})

test('a lock that is held is renewed, and one that is lost is neither renewed nor held', async () => {
  await using own = await emptyRedis()
  await using lock = await holdLock(own.redis, silent, new AbortController().signal)
  await own.redis.pexpire(lockKey, 60_000)
  await expect.poll(() => own.redis.pttl(lockKey), { timeout: 10_000 }).toBeLessThanOrEqual(8_000)
  await lock.require()

  await own.redis.set(lockKey, 'another', 'PX', 60_000)
  await expect(lock.require()).rejects.toThrow('Another orders repartition may have taken over: run this one again.')
  await lock[Symbol.asyncDispose]()
  expect(await own.redis.get(lockKey)).toBe('another')
  expect(await own.redis.pttl(lockKey)).toBeGreaterThan(8_000)
})

test('verify --repair waits for a rebuild that holds the lock, and then repairs', async (context) => {
  requireRedisServer(context)
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis, readConfig({ CALENDAR: 'off' }))
  await redis.hset('user:u', { order_count: 1, total_spend_minor: 100 })
  await redis.hset('pipeline:counters', { received: 1, admitted: 1, applied: 1, ranked: 1 })
  await redis.hset('global:stats', { total_orders: 1, total_revenue_minor: 100 })
  const lock = await holdLock(redis, silent, new AbortController().signal)
  const tries = async () => Number(/cmdstat_set:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1])
  const before = await tries()
  const repairing = verify(app, { deep: true, repair: true, force: false }, AbortSignal.timeout(30_000))
  await until('it to try twice', async () => (await tries()) >= before + 2)
  expect(await redis.zscore('leaderboard:spend', 'u')).toBe(null)
  await lock[Symbol.asyncDispose]()
  expect(await repairing).toMatchObject({ verdict: 'right' })
  expect(await redis.zscore('leaderboard:spend', 'u')).toBe('100')
})
