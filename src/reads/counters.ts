import type { Keys } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import type { Stage } from '../stages/placed.ts'
import { sumBy } from '../sums.ts'

export type Counters = Readonly<Record<string, number>>

/** Sums the counters of all partitions, without values that are not whole numbers: another process wrote them. */
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

/** Names the counter of how much flips, and reverted ones, have lowered a counter: by both together no loss shows. */
export const loweredBy = (counter: string): string => `flip:lowered:${counter}`

/** Returns the counters of orders that a stage has finished, without lost ones. */
export const outsOf = ({ counters: { outflow, missed } }: Stage): string[] => [...outflow, missed]

/** Counts orders that came in and have not gone out, including lost ones: those that wait, if none is missing. */
export function openOrders(stage: Stage, counters: Counters): number {
  const total = (names: readonly string[]): number => sumBy(names, (name) => counters[name] ?? 0)
  return total(stage.counters.in) - total(outsOf(stage))
}

/** Counts orders that came in, have not gone out and are not written off, by counters read at one moment. */
export function waitingFor(stage: Stage, counters: Counters): number {
  return openOrders(stage, counters) - (counters[stage.counters.lost] ?? 0)
}

/** Returns how many orders each code rejected, most first. */
export function rejectedByCode(counters: Readonly<Record<string, number>>): [code: string, orders: number][] {
  const prefix = 'rejected:'
  return Object.entries(counters)
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, orders]): [string, number] => [name.slice(prefix.length), orders])
    .sort(([code, a], [other, b]) => b - a || (code < other ? -1 : 1))
}
