import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { afterRunning } from '../running-timeout.ts'

/** Connects, and throws the reason. ioredis rejects connect() with "Connection is closed."; its error event has the reason. */
export async function connectOnce(redis: Redis, withinMs: number): Promise<void> {
  let reason: unknown
  const remember = (error: unknown): void => {
    reason = error
  }
  redis.on('error', remember)
  const ended = Promise.withResolvers<never>()
  ended.promise.catch(() => {})
  const giveUp = (): void => ended.reject(new Error('no answer'))
  redis.once('end', giveUp)
  const late = afterRunning(withinMs, async () => ended.reject(await whileSilent(redis)))
  try {
    // TIME, not PING: a Redis that cannot save refuses that.
    await Promise.race([redis.connect().then(() => redis.time()), ended.promise])
  } catch (error) {
    const thrown = reason ?? error
    throw isTimeout(thrown) ? await whileSilent(redis) : thrown
  } finally {
    late[Symbol.dispose]()
    redis.off('error', remember)
    redis.off('end', giveUp)
  }
}

/** That of ioredis, by `commandTimeout`: on a busy machine it can come before the end of `withinMs`. */
const isTimeout = (thrown: unknown): boolean => thrown instanceof Error && thrown.message === 'Command timed out'

/** Returns why a server is silent. While it loads its data, it answers INFO and little else. */
async function whileSilent(redis: Redis): Promise<Error> {
  const request = redis.status === 'connect' ? redis.info('persistence').catch(() => '') : ''
  const info = await Promise.race([request, sleep(whileSilentMs, '')])
  return new Error(/^loading:1/m.test(info) ? 'LOADING' : 'no answer')
}

const whileSilentMs = 200
