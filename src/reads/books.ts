import type { App } from '../app.ts'
import type { Keys } from '../keys.ts'
import { exactInteger, wholeNumberOf } from '../order/money.ts'
import type { RedisClient } from '../redis/client.ts'
import { aggregate, correctionsCounter, type Totals } from '../stages/aggregate.ts'
import type { Pipeline, Stage } from '../stages/placed.ts'
import { sumBy } from '../sums.ts'
import { type Counters, waitingFor } from './counters.ts'
import { lossOf, notesOf, oddScores, surplusOf } from './findings.ts'
import { type Measured, measure } from './measure.ts'

/** Null stands for a count or a verdict that is not known, because one of its keys has another type. */
type Known<T> = T | null

/** A stage's orders: in = passed + corrected + duplicates + rejected + missed + lost + waiting. */
export interface StageBooks {
  readonly stage: string
  /** Includes those that no stage wrote. */
  readonly in: Known<number>
  readonly passed: Known<number>
  /** Corrections that the first stage passed on. */
  readonly corrected: Known<number>
  readonly duplicates: Known<number>
  readonly rejected: Known<number>
  /** Passed before the stage was added to the pipeline. */
  readonly missed: Known<number>
  /** Deleted before the stage committed them, and written off. */
  readonly lost: Known<number>
  /** The part of `in` that no stage wrote. */
  readonly foreign: Known<number>
  /** By the counters: came in and have not gone out. */
  readonly waiting: Known<number>
  /** Counted in its stream; null also where that is too long to be measured. */
  readonly measured: Known<number>
  readonly balanced: Known<boolean>
}

/** All books at one moment. */
export interface Books {
  readonly balanced: Known<boolean>
  readonly received: Known<number>
  readonly admitted: Known<number>
  readonly corrected: Known<number>
  readonly duplicates: Known<number>
  readonly rejected: Known<number>
  readonly lost: Known<number>
  readonly waiting: Known<number>
  readonly stages: readonly StageBooks[]
  /** Orders that aggregate has counted, by its counter. */
  readonly applied: Known<number>
  /** The global stats. */
  readonly totals: { readonly [K in keyof Totals]: Known<Totals[K]> }
  /** Orders that the global stats must have: `applied` without what corrections take back. */
  readonly counted: Known<number>
  readonly invalid: {
    readonly stream: Known<number>
    readonly list: Known<number>
    readonly groups: Known<number>
    readonly balanced: Known<boolean>
  }
  /** Missing orders that are not written off, a sentence for each stage. */
  readonly losses: readonly string[]
  /** All other differences, a sentence each, including keys that cannot be read. */
  readonly differences: readonly string[]
  /** Keys that cannot be read, a sentence each. */
  readonly unread: readonly string[]
  /** Facts that do not make the books wrong, a sentence each. */
  readonly notes: readonly string[]
}

/**
 * Reads all books, those of each partition at one moment, and compares them: the counters with the streams, the global stats
 * with the counter, and the three views of the invalid channel with each other. Names keys of another type, and reads the
 * rest.
 * @throws OrdersError ORD_REDIS_REPLY where the script cannot run: Redis is the emulator.
 */
export async function readBooks({
  redis,
  partitions,
  pipeline,
}: Pick<App, 'redis' | 'partitions' | 'pipeline'>): Promise<Books> {
  const all = await Promise.all(partitions.map((keys) => readBooksOf({ redis, keys, pipeline })))
  const books = all.reduce(addBooks)
  return { ...books, notes: notesOf(books.stages) }
}

/** Adds the books of two partitions. A stage that is not measured in one of them is not measured at all. */
function addBooks(one: Books, other: Books): Books {
  const stages = one.stages.map((stage, at): StageBooks => {
    const more = other.stages[at] as StageBooks
    const measured = stage.measured === null || more.measured === null ? null : stage.measured + more.measured
    return {
      ...addNumbers(stage, more),
      stage: stage.stage,
      measured,
      balanced: bothBalanced(stage.balanced, more.balanced),
    }
  })
  return {
    ...addNumbers(one, other),
    balanced: bothBalanced(one.balanced, other.balanced),
    stages,
    totals: addNumbers(one.totals, other.totals),
    invalid: {
      ...addNumbers(one.invalid, other.invalid),
      balanced: bothBalanced(one.invalid.balanced, other.invalid.balanced),
    },
    losses: [...one.losses, ...other.losses],
    differences: [...one.differences, ...other.differences],
    unread: [...one.unread, ...other.unread],
  }
}

/** Combines two verdicts: false if one is false, else null if one is not known. */
function bothBalanced(one: Known<boolean>, other: Known<boolean>): Known<boolean> {
  if (one === false || other === false) return false
  return one === null || other === null ? null : true
}

/** Adds each number of one to that of the other; null where either is not known. */
function addNumbers<T extends object>(one: T, other: T): { [K in keyof T]: T[K] } {
  const summed = Object.entries(one).map(([name, value]) => {
    const more: unknown = other[name as keyof T]
    return [name, typeof value === 'number' ? (typeof more === 'number' ? value + more : null) : value]
  })
  return Object.fromEntries(summed)
}

async function readBooksOf(scope: { redis: RedisClient; keys: Keys; pipeline: Pipeline }): Promise<Books> {
  const { redis, keys, pipeline } = scope
  const [measured, odd] = await Promise.all([measure(scope), oddScores(redis, keys)])
  const { counters, totals: stats, held, unread } = measured
  const views = Object.values(measured.invalid)
  const invalid = { ...measured.invalid, balanced: views.includes(null) ? null : new Set(views).size === 1 }
  const totals = { orders: stats && wholeNumberOf(stats[0]), minor: stats && wholeNumberOf(stats[1]) }
  const of = (name: string): number | null => counters && (counters[name] ?? 0)
  const stages = pipeline.stages.map((stage, at) =>
    stageBooks(stage, measured.elsewhere.includes(stage.name) ? null : counters, held[at]),
  )
  const applied = of(aggregate.counts)
  const counted = counters && (applied ?? 0) - (of(correctionsCounter) ?? 0)
  const losses = stages.flatMap(lossOf)
  const found = [...differencesOf(measured, { stages, totals, counted, invalid }), ...odd]
  const placed = (sentence: string): string =>
    keys.partition === undefined ? sentence : `Partition ${keys.partition}: ${sentence}`
  return {
    balanced: losses.length + found.length > 0 ? false : unread.length > 0 ? null : true,
    received: of('received'),
    admitted: of('admitted'),
    corrected: of('corrected'),
    duplicates: of('duplicates'),
    rejected: of('rejected'),
    lost: stages[0]?.lost ?? null,
    waiting: stages[0]?.waiting ?? null,
    stages,
    applied,
    totals,
    counted,
    invalid,
    losses: losses.map(placed),
    differences: [...unread, ...found].map(placed),
    unread: unread.map(placed),
    notes: [],
  }
}

/** Describes all differences but missing orders and odd scores. */
function differencesOf(
  { fields, counters, totals: stats }: Measured,
  { stages, totals, counted, invalid }: Pick<Books, 'stages' | 'totals' | 'counted' | 'invalid'>,
): string[] {
  const oddCounters = counters ? fields.filter((name) => !(name in counters)) : []
  const isOdd = (total: string | null): boolean => total !== null && exactInteger(total) === undefined
  const { stream, list, groups } = invalid
  return [
    ...oddCounters.map((name) => `The counter ${name} is not a whole number.`),
    ...stages.flatMap(surplusOf),
    ...((stats ?? []).some(isOdd) ? ['The global stats are not numbers.'] : []),
    ...(totals.orders === counted || !stats || !counters
      ? []
      : [`The global stats count ${totals.orders} orders, the stage has ${counted}.`]),
    ...(invalid.balanced === false
      ? [`The invalid channel holds ${stream} in its stream, ${list} in its list, ${groups} in its groups.`]
      : []),
  ]
}

/** @param held orders in its stream, as `measure` returns them */
function stageBooks(stage: Stage, counters: Counters | null, held: number | null | undefined): StageBooks {
  const of = (name: string): number | null => counters && (counters[name] ?? 0)
  const waiting = counters && waitingFor(stage, counters)
  const measured = held ?? null
  const isRight = (orders: number): boolean => (measured === null ? orders >= 0 : orders === measured)
  return {
    stage: stage.name,
    in: counters && sumBy(stage.counters.in, (name) => counters[name] ?? 0),
    passed: of(stage.counts),
    corrected: stage.isFirst ? of('corrected') : 0,
    duplicates: stage.isFirst ? of('duplicates') : 0,
    rejected: of(stage.counters.rejected),
    missed: of(stage.counters.missed),
    lost: of(stage.counters.lost),
    foreign: of(stage.counters.foreign),
    waiting,
    measured,
    balanced: waiting === null || held === undefined ? null : isRight(waiting),
  }
}
