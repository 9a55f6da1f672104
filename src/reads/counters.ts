import type { Keys } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { foreignBy, inflowOf, lostBy, missedBy, outflowOf } from '../stages/pipeline.ts'
import type { Stage } from '../stages/stage.ts'

export type Counters = Readonly<Record<string, number>>

/** Sums over all partitions. What is no whole number is left out: another process wrote it. */
export async function readCounters(redis: RedisClient, partitions: readonly Keys[]): Promise<Record<string, number>> {
  return sumOf(await Promise.all(partitions.map((keys) => readCountersOf(redis, keys))))
}

export async function readCountersOf(redis: RedisClient, { counters }: Keys): Promise<Counters> {
  const numbers = Object.entries(await redis.hgetall(counters)).map(([name, value]) => [name, Number(value)] as const)
  return Object.fromEntries(numbers.filter(([, value]) => Number.isSafeInteger(value)))
}

export function sumOf(all: readonly Counters[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const [name, value] of all.flatMap(Object.entries<number>)) sums[name] = (sums[name] ?? 0) + value
  return sums
}

/** What came in for a stage: from the stage before, and from other processes that wrote to its stream. */
export const insOf = (stage: Stage): string[] => [
  inflowOf(stage.from),
  ...(stage.from === 'raw' ? [] : [foreignBy(stage)]),
]

/** What a stage is done with; orders that were lost aside. */
export const outsOf = (stage: Stage): string[] => [...outflowOf(stage), missedBy(stage)]

/** Orders that came in and did not go out, lost ones included: what waits, if nothing is missing. */
export function openOrders(stage: Stage, counters: Counters): number {
  const total = (names: readonly string[]): number => names.reduce((sum, name) => sum + (counters[name] ?? 0), 0)
  return total(insOf(stage)) - total(outsOf(stage))
}

/** By the counters, which are read at one moment: orders that came in, did not go out and are not written off as lost. */
export function waitingFor(stage: Stage, counters: Counters): number {
  return openOrders(stage, counters) - (counters[lostBy(stage)] ?? 0)
}
