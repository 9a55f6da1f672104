import type { Keys } from '../keys.ts'
import type { RedisClient } from '../redis.ts'
import { inflowOf, pipeline, rejectedBy } from './pipeline.ts'
import type { Stage } from './stage.ts'

export async function readCounters(redis: RedisClient, keys: Keys): Promise<Record<string, number>> {
  const counters = await redis.hgetall(keys.counters)
  return Object.fromEntries(Object.entries(counters).map(([name, value]) => [name, Number(value)]))
}

/** Orders that came in and did not go out. The counters are read at one moment, so this is exact. */
export function waitingFor(stage: Stage, counters: Readonly<Record<string, number>>): number {
  const of = (name: string): number => counters[name] ?? 0
  const out = of(stage.counts) + of(rejectedBy(stage)) + (stage.from === 'raw' ? of('duplicates') : 0)
  return of(inflowOf(stage.from)) - out
}

/** Orders that wait for any stage, or are in its hands. */
export function waitingForAny(counters: Readonly<Record<string, number>>): number {
  return pipeline.reduce((sum, stage) => sum + waitingFor(stage, counters), 0)
}
