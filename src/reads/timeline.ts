import { setInterval as every } from 'node:timers/promises'
import type { App, Tick } from '../app.ts'
import type { ControlKeys } from '../keys.ts'
import { type RedisClient, valuesOf } from '../redis/client.ts'
import { leaderboard } from '../stages/leaderboard.ts'

/*
 * How orders flowed in the last quarter of an hour. Every process adds what its hops did to a hash per ten seconds:
 * `<series>:<bucket>` → orders. A series is a hop (how long orders lay before it), or `critical`: from when SQS took an
 * order to when it was ranked. It is for people to see: a process that is killed takes its last second of it along.
 */

export const critical = 'critical'
export const slotMs = 10_000
export const slotCount = 90
/** Beyond the quarter of an hour for readers whose page was read a moment ago. */
const keepSeconds = (slotMs / 1_000) * slotCount + 60
const flushEveryMs = 1_000
/** Four to a doubling: a percentile is told 19 % too high at most. */
const bucketsPerDoubling = 4

const bucketOf = (ms: number): number => Math.ceil(bucketsPerDoubling * Math.log2(Math.max(1, ms)))
const upperMs = (bucket: number): number => 2 ** (bucket / bucketsPerDoubling)

/** A loop of each process that has hops: writes each second what was done. While Redis is away, the write waits for it. */
export function timelineLoop(app: App): { name: string; run(tick: Tick, signal: AbortSignal): Promise<void> } {
  const slots = new Map<number, Map<string, number>>()
  const add = (slot: number, series: string, times: readonly number[]): void => {
    const counts = slots.get(slot) ?? new Map<string, number>()
    slots.set(slot, counts)
    for (let at = 0; at < times.length; at += 2) {
      const field = `${series}:${bucketOf(times[at] ?? 0)}`
      counts.set(field, (counts.get(field) ?? 0) + (times[at + 1] ?? 0))
    }
  }
  app.telemetry.on('hop', ({ hop, atMs, waits, sinceSent }) => {
    const slot = Math.floor(atMs / slotMs)
    add(slot, hop, waits)
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
          await flush().catch(() => {}) // a full Redis takes none of it: others say so, and it is for people to see only
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
  valuesOf(await pipeline.expire(key, keepSeconds).exec())
}

/** Ten seconds of one series. */
export interface Span {
  readonly orders: number
  /** Milliseconds, rounded up by 19 % at most; null where no order came by. */
  readonly p50: number | null
  readonly p99: number | null
}

export interface Slot {
  /** When it began, in ms by Redis' clock. */
  readonly fromMs: number
  readonly series: Readonly<Record<string, Span>>
}

/** Slots that may still change: that of now, and those whose last second may not have been written yet. */
const unsettledSlots = 3

/** Reads the last quarter of an hour again and again, oldest slot first: each time only what may have changed. */
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

/** @param numbers when the slots began, divided by `slotMs` */
async function readSlots(
  redis: RedisClient,
  control: ControlKeys,
  numbers: readonly number[],
): Promise<[number, Slot][]> {
  const pipeline = redis.pipeline()
  for (const number of numbers) pipeline.hgetall(control.timeline(number))
  const hashes = valuesOf(await pipeline.exec()) as Record<string, string>[]
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
  const orders = counts.reduce((sum, [, count]) => sum + count, 0)
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
