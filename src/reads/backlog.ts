import type { App } from '../app.ts'
import type { Keys } from '../keys.ts'
import { lostBy, pipeline } from '../stages/pipeline.ts'
import type { Stage } from '../stages/stage.ts'
import { type Counters, openOrders, readCountersOf, sumOf } from './counters.ts'
import { measure } from './measure.ts'

/** What waits for one stage. */
export interface StageBacklog {
  readonly stage: string
  /** Orders that came in and did not go out, without those that are missing. */
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

/** Orders that wait for any stage, or are in its hands. */
export function totalOf(stages: readonly { readonly waiting: number | null }[]): number {
  return stages.reduce((sum, { waiting }) => sum + Math.max(0, waiting ?? 0), 0)
}

/** How often what is missing is measured. */
interface Measuring {
  readonly everyMs?: number
  /** Measures only where at least so many orders wait by what is known: fewer are no reason to look. */
  readonly from?: number
}

/** Orders that wait by the counters and are in no stream, written off or not, as they were measured last. */
interface Gap {
  /** Undefined where they never could be. */
  readonly orders: number | undefined
  /** Whether the last try could measure it. */
  readonly known: boolean
}

/** It takes Redis less than a millisecond where little waits, and 10 ms where much does (see books.ts). */
const measureEveryMs = 5_000

/**
 * Opens a reader of what waits. By the counters alone, orders that were deleted unread would wait for ever. So they are
 * compared now and then with what the streams hold, at one moment each partition, and the gap between them is taken off.
 * It changes only when orders are deleted, whatever flows and whatever is written off in between.
 */
export function openBacklog(
  { redis, partitions }: Pick<App, 'redis' | 'partitions'>,
  { everyMs = measureEveryMs, from = 0 }: Measuring = {},
): ReadBacklog {
  const gaps = new Map<Keys, readonly Gap[]>()
  let due = Number.NEGATIVE_INFINITY
  const read = async (): Promise<Backlog> => {
    const all = await Promise.all(partitions.map((keys) => readCountersOf(redis, keys)))
    const stages = pipeline.map((stage, at) => {
      const each = all.map((counters, partition) => ({ counters, gap: gaps.get(partitions[partition] as Keys)?.[at] }))
      return backlogOf(stage, each)
    })
    return { counters: sumOf(all), stages }
  }
  const measureAll = async (): Promise<void> => {
    await Promise.all(
      partitions.map(async (keys) => {
        const before = gaps.get(keys) ?? []
        gaps.set(keys, await measureGaps(redis, keys, before).catch(() => before.map(forgotten)))
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
    const lost = counters[lostBy(stage)] ?? 0
    const missing = gap?.orders ?? lost
    waiting += openOrders(stage, counters) - missing
    unaccounted += missing - lost
    known &&= gap?.known ?? false
  }
  // What was measured before stays true while more waits than can be measured; that nothing was missing may have ended.
  return { stage: stage.name, waiting, unaccounted: known || unaccounted !== 0 ? unaccounted : null }
}

const forgotten = ({ orders }: Gap): Gap => ({ orders, known: false })

async function measureGaps(redis: App['redis'], keys: Keys, before: readonly Gap[]): Promise<Gap[]> {
  const { counters, held } = await measure(redis, keys)
  return pipeline.map((stage, at) => {
    const measured = held[at] ?? null
    if (measured !== null && counters) return { orders: openOrders(stage, counters) - measured, known: true }
    return { orders: before[at]?.orders, known: false }
  })
}
