import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { holdLock } from '../../../src/control/lock.ts'
import { repartitionKey } from '../../../src/keys.ts'
import { emptyRedis } from '../../support/world.ts'

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
    afterNextCommand(holder, () => own.redis.set(repartitionKey, 'another'))
    await lock[Symbol.asyncDispose]()
    expect(await own.redis.get(repartitionKey)).toBe('another')
  } finally {
    holder.disconnect()
  }
})

test('a lock that is held is renewed, and one that is lost is neither renewed nor held', async () => {
  await using own = await emptyRedis()
  await using lock = await holdLock(own.redis, silent, new AbortController().signal)
  await own.redis.pexpire(repartitionKey, 60_000)
  await expect.poll(() => own.redis.pttl(repartitionKey), { timeout: 10_000 }).toBeLessThanOrEqual(8_000)
  await lock.require()

  await own.redis.set(repartitionKey, 'another', 'PX', 60_000)
  await expect(lock.require()).rejects.toThrow('Another orders repartition may have taken over: run this one again.')
  await lock[Symbol.asyncDispose]()
  expect(await own.redis.get(repartitionKey)).toBe('another')
  expect(await own.redis.pttl(repartitionKey)).toBeGreaterThan(8_000)
})
