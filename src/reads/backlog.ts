import type { App } from '../app.ts'
import type { Keys } from '../keys.ts'
import type { Pipeline, Stage } from '../stages/placed.ts'
import { sumBy } from '../sums.ts'
import { type Counters, openOrders, readCountersOf, sumOf } from './counters.ts'
import { measure } from './measure.ts'

/** The orders that wait for one stage. */
export interface StageBacklog {
  readonly stage: string
  /** Orders that came in and have not gone out, without those that are missing. */
  readonly waiting: number
  /** Orders that are missing from its stream and not written off; null where it cannot be measured yet. */
  readonly unaccounted: number | null
}

export interface Backlog {
  /** Of all partitions together. */
  readonly counters: Counters
  readonly stages: readonly StageBacklog[]
}

export type ReadBacklog = () => Promise<Backlog>

/** Sums the orders that wait for a stage or are in flight in it. */
export function totalOf(stages: readonly { readonly waiting: number | null }[]): number {
  return sumBy(stages, ({ waiting }) => Math.max(0, waiting ?? 0))
}

/** Orders that wait, by stage. */
export type WaitingByStage = Readonly<Record<string, number>>

export function waitingByStage(stages: readonly StageBacklog[]): WaitingByStage {
  return Object.fromEntries(stages.map(({ stage, waiting }) => [stage, waiting]))
}

/** When missing orders are measured. */
interface Measuring {
  readonly everyMs?: number
  /** Measures only while at least this many orders wait by the counters and the last measurement. */
  readonly from?: number
}

/** The last measurement of orders that wait by the counters and are in no stream, written off or not. */
interface Gap {
  /** Undefined until a measurement succeeds. */
  readonly orders: number | undefined
  /** False where the last measurement failed. */
  readonly known: boolean
}

/** A measurement takes Redis less than a millisecond for a short backlog, and 10 ms for a long one (see measure.ts). */
const measureEveryMs = 5_000

/**
 * Returns a reader of the backlog. By the counters alone, orders that were deleted unread would wait forever. So it compares
 * the counters with the streams every few seconds, per partition at one moment, and subtracts the gap. The gap changes only
 * when orders are deleted: neither the flow of orders nor a write-off changes it.
 */
export function openBacklog(
  { redis, partitions, pipeline }: Pick<App, 'redis' | 'partitions' | 'pipeline'>,
  { everyMs = measureEveryMs, from = 0 }: Measuring = {},
): ReadBacklog {
  const gaps = new Map<Keys, readonly Gap[]>()
  let due = Number.NEGATIVE_INFINITY
  const read = async (): Promise<Backlog> => {
    const all = await Promise.all(partitions.map((keys) => readCountersOf(redis, keys)))
    const stages = pipeline.stages.map((stage, at) => {
      const each = all.map((counters, partition) => ({ counters, gap: gaps.get(partitions[partition] as Keys)?.[at] }))
      return backlogOf(stage, each)
    })
    return { counters: sumOf(all), stages }
  }
  const measureAll = async (): Promise<void> => {
    await Promise.all(
      partitions.map(async (keys) => {
        const before = gaps.get(keys) ?? []
        gaps.set(keys, await measureGaps({ redis, keys, pipeline }, before).catch(() => before.map(forgotten)))
      }),
    )
  }
  return async () => {
    const now = performance.now()
    if (now >= due) {
      const known = from > 0 ? await read() : undefined
      if (known && totalOf(known.stages) < from) return known
      due = now + everyMs
      await measureAll()
    }
    return read()
  }
}

function backlogOf(stage: Stage, each: readonly { counters: Counters; gap: Gap | undefined }[]): StageBacklog {
  let [waiting, unaccounted, known] = [0, 0, true]
  for (const { counters, gap } of each) {
    const lost = counters[stage.counters.lost] ?? 0
    const missing = gap?.orders ?? lost
    waiting += openOrders(stage, counters) - missing
    unaccounted += missing - lost
    known &&= gap?.known ?? false
  }
  // While the backlog is too long to be measured, missing orders stay missing; but an earlier zero may no longer hold.
  return { stage: stage.name, waiting, unaccounted: known || unaccounted !== 0 ? unaccounted : null }
}

const forgotten = ({ orders }: Gap): Gap => ({ orders, known: false })

async function measureGaps(
  scope: { redis: App['redis']; keys: Keys; pipeline: Pipeline },
  before: readonly Gap[],
): Promise<Gap[]> {
  const { counters, held } = await measure(scope)
  return scope.pipeline.stages.map((stage, at) => {
    const measured = held[at] ?? null
    if (measured !== null && counters) return { orders: openOrders(stage, counters) - measured, known: true }
    return { orders: before[at]?.orders, known: false }
  })
}
