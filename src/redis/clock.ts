import { timeMs } from '../stream-id.ts'
import type { RedisClient } from './client.ts'

/** Redis' clock, which all processes share: the wall clock of one may be wrong by days. */
export interface RedisClock {
  /**
   * Returns the time of the last reply, and as much later as the monotonic clock says. Asks Redis the first time, and when the
   * last reply is a minute old: the monotonic clock stands still while a machine sleeps.
   */
  now(): Promise<Date>
  /** Takes the time of a reply, in ms. */
  set(ms: number): void
}

const freshMs = 60_000

export function redisClock(redis: Pick<RedisClient, 'time'>): RedisClock {
  let [aheadMs, setAt] = [0, Number.NEGATIVE_INFINITY]
  const set = (ms: number): void => {
    aheadMs = ms - performance.now()
    setAt = Date.now()
  }
  return {
    set,
    now: async () => {
      if (Math.abs(Date.now() - setAt) > freshMs) set(timeMs(await redis.time()))
      return new Date(performance.now() + aheadMs)
    },
  }
}
