import { setInterval as every } from 'node:timers/promises'
import type { App, Loop } from '../app.ts'
import type { ControlKeys } from '../keys.ts'
import { type RedisClient, unwrapReplies } from '../redis/client.ts'
import { leaderboard } from '../stages/leaderboard.ts'
import { sumBy } from '../sums.ts'

/*
 * The flow of orders in the last quarter of an hour. Every process adds its hops to one hash per ten seconds:
 * `<series>:<bucket>` → orders. A series is a hop (the time that orders waited for it), or `critical`: the time from SQS
 * to the leaderboard. The timeline is only shown to people: a process that is killed loses its last second of it.
 */

export const critical = 'critical'
/** Orders that a stage rejected. They have no time: all are in the first bucket. */
export const rejectedSeries = 'rejected'
export const slotMs = 10_000
export const slotCount = 90
/** One minute more than the quarter of an hour, for pages that were loaded a moment ago. */
const keepSeconds = (slotMs / 1_000) * slotCount + 60
const flushEveryMs = 1_000
/** With four buckets per doubling a percentile is at most 19 % too high. */
const bucketsPerDoubling = 4

const bucketOf = (ms: number): number => Math.ceil(bucketsPerDoubling * Math.log2(Math.max(1, ms)))
const upperMs = (bucket: number): number => 2 ** (bucket / bucketsPerDoubling)

/** Returns the loop of a process that writes its hops every second. While Redis is away, the write waits. */
export function timelineLoop(app: App): Loop {
  const slots = new Map<number, Map<string, number>>()
  const add = (slot: number, series: string, times: readonly number[]): void => {
    const counts = slots.get(slot) ?? new Map<string, number>()
    slots.set(slot, counts)
    for (let at = 0; at < times.length; at += 2) {
      const field = `${series}:${bucketOf(times[at] ?? 0)}`
      counts.set(field, (counts.get(field) ?? 0) + (times[at + 1] ?? 0))
    }
  }
  app.telemetry.on('hop', ({ hop, atMs, waits, sinceSent, rejected = 0 }) => {
    const slot = Math.floor(atMs / slotMs)
    add(slot, hop, waits)
    if (rejected > 0) add(slot, rejectedSeries, [0, rejected])
    if (hop === leaderboard.name) add(slot, critical, sinceSent)
  })
  const flush = async (): Promise<void> => {
    for (const [slot, counts] of [...slots]) {
      slots.delete(slot)
      await write(app, slot, counts)
    }
  }
  return {
    name: 'timeline',
    run: async (tick, signal) => {
      try {
        for await (const _ of every(flushEveryMs, undefined, { signal })) {
          // A full Redis refuses the write. Other loops report that.
          await flush().catch(() => {})
          tick()
        }
      } finally {
        await flush().catch(() => {})
      }
    },
  }
}

async function write({ redis, control }: App, slot: number, counts: ReadonlyMap<string, number>): Promise<void> {
  const key = control.timeline(slot)
  const pipeline = redis.pipeline()
  for (const [field, by] of counts) pipeline.hincrby(key, field, by)
  unwrapReplies(await pipeline.expire(key, keepSeconds).exec())
}

/** Ten seconds of one series. */
export interface Span {
  readonly orders: number
  /** Milliseconds, rounded up by at most 19 %; null where there was no order. */
  readonly p50: number | null
  readonly p99: number | null
}

export interface Slot {
  /** Its start in ms by Redis' clock. */
  readonly fromMs: number
  readonly series: Readonly<Record<string, Span>>
}

/** Slots that may still change: the current one, and those whose last second may not be written yet. */
const unsettledSlots = 3

/** Returns a reader of the last quarter of an hour, oldest slot first. Each call reads only slots that may have changed. */
export function followTimeline(redis: RedisClient, control: ControlKeys): (atMs: number) => Promise<Slot[]> {
  let settled: ReadonlyMap<number, Slot> = new Map()
  return async (atMs) => {
    const now = Math.floor(atMs / slotMs)
    const numbers = Array.from({ length: slotCount }, (_, at) => now - slotCount + 1 + at)
    const unknown = numbers.filter((number) => !settled.has(number))
    const read = new Map(await readSlots(redis, control, unknown))
    const slots = numbers.flatMap((number) => settled.get(number) ?? read.get(number) ?? [])
    settled = new Map(slots.slice(0, -unsettledSlots).map((slot) => [slot.fromMs / slotMs, slot]))
    return slots
  }
}

/** @param numbers starts of the slots divided by `slotMs` */
async function readSlots(
  redis: RedisClient,
  control: ControlKeys,
  numbers: readonly number[],
): Promise<[number, Slot][]> {
  const pipeline = redis.pipeline()
  for (const number of numbers) pipeline.hgetall(control.timeline(number))
  const hashes = unwrapReplies(await pipeline.exec()) as Record<string, string>[]
  return numbers.map((number, at) => [number, { fromMs: number * slotMs, series: seriesOf(hashes[at] ?? {}) }])
}

function seriesOf(hash: Readonly<Record<string, string>>): Record<string, Span> {
  const buckets = new Map<string, [bucket: number, orders: number][]>()
  for (const [field, orders] of Object.entries(hash)) {
    const [series = '', bucket] = field.split(':')
    buckets.set(series, [...(buckets.get(series) ?? []), [Number(bucket), Number(orders)]])
  }
  return Object.fromEntries([...buckets].map(([series, counts]) => [series, spanOf(counts)]))
}

function spanOf(counts: [bucket: number, orders: number][]): Span {
  counts.sort(([a], [b]) => a - b)
  const orders = sumBy(counts, ([, count]) => count)
  const percentile = (share: number): number | null => {
    let left = orders * share
    for (const [bucket, count] of counts) {
      left -= count
      if (left <= 0) return Math.round(upperMs(bucket) * 10) / 10
    }
    return null
  }
  return { orders, p50: percentile(0.5), p99: percentile(0.99) }
}
