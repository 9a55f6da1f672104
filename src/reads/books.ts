import type { Keys } from '../keys.ts'
import { wholeNumberOf } from '../money.ts'
import type { RedisClient } from '../redis/client.ts'
import { unlessRefused } from '../redis/rights.ts'
import { aggregate, type Totals } from '../stages/aggregate.ts'
import { boardKey, boards, rankedUsers } from '../stages/leaderboard.ts'
import { foreignBy, lostBy, missedBy, pipeline, rejectedBy } from '../stages/pipeline.ts'
import type { Stage } from '../stages/stage.ts'
import { type Counters, insOf, waitingFor } from './counters.ts'
import { lossOf, notesOf, surplusOf } from './findings.ts'
import { measure } from './measure.ts'

/** Null is a count or a verdict that is not known, because a key of it has another type. */
type Known<T> = T | null

/** A stage's orders: in = passed + duplicates + rejected + missed + lost + waiting. */
export interface StageBooks {
  readonly stage: string
  /** With those that no stage of ours wrote. */
  readonly in: Known<number>
  readonly passed: Known<number>
  readonly duplicates: Known<number>
  readonly rejected: Known<number>
  /** Had gone by before the stage was added to the line. */
  readonly missed: Known<number>
  /** Were deleted before the stage had committed them, and are written off. */
  readonly lost: Known<number>
  /** Of those that came in: no stage of ours wrote them. */
  readonly foreign: Known<number>
  /** By the counters: what came in and did not go out. */
  readonly waiting: Known<number>
  /** What its stream really holds for it; null also where that is too much to look at. */
  readonly measured: Known<number>
  readonly balanced: Known<boolean>
}

/** All books at one moment. */
export interface Books {
  readonly balanced: Known<boolean>
  readonly received: Known<number>
  readonly admitted: Known<number>
  readonly duplicates: Known<number>
  readonly rejected: Known<number>
  readonly lost: Known<number>
  readonly waiting: Known<number>
  readonly stages: readonly StageBooks[]
  /** What aggregate has counted by its counter, and what the global stats say. */
  readonly applied: Known<number>
  readonly totals: { readonly [K in keyof Totals]: Known<Totals[K]> }
  readonly invalid: {
    readonly stream: Known<number>
    readonly list: Known<number>
    readonly groups: Known<number>
    readonly balanced: Known<boolean>
  }
  /** Orders that are missing and not written off, a sentence each. */
  readonly losses: readonly string[]
  /** What else does not balance, one plain sentence each; what cannot be read is among them. */
  readonly differences: readonly string[]
  /** What cannot be read, a sentence each. */
  readonly unread: readonly string[]
  /** What to know besides. */
  readonly notes: readonly string[]
}

/**
 * Reads all books of each partition at one moment and compares them: what waits by the counters with what the streams
 * hold, the global stats with the counter, and the three views of the invalid channel. Keys of another type are named, and
 * the rest is read.
 * @throws OrdersError ORD_REDIS_REPLY where the script cannot run: Redis is the emulator.
 */
export async function readBooks(redis: RedisClient, partitions: readonly Keys[]): Promise<Books> {
  const all = await Promise.all(partitions.map((keys) => readBooksOf(redis, keys)))
  const books = all.reduce(added)
  return { ...books, notes: notesOf(books.stages) }
}

/** A stage of which one partition holds too much to be measured is not measured. */
function added(one: Books, other: Books): Books {
  const stages = one.stages.map((stage, at): StageBooks => {
    const more = other.stages[at] as StageBooks
    const measured = stage.measured === null || more.measured === null ? null : stage.measured + more.measured
    return { ...sums(stage, more), stage: stage.stage, measured, balanced: both(stage.balanced, more.balanced) }
  })
  return {
    ...sums(one, other),
    balanced: both(one.balanced, other.balanced),
    stages,
    totals: sums(one.totals, other.totals),
    invalid: { ...sums(one.invalid, other.invalid), balanced: both(one.invalid.balanced, other.invalid.balanced) },
    losses: [...one.losses, ...other.losses],
    differences: [...one.differences, ...other.differences],
    unread: [...one.unread, ...other.unread],
  }
}

/** What is wrong in one is wrong in both; what is not known of one is not known of both. */
function both(one: Known<boolean>, other: Known<boolean>): Known<boolean> {
  if (one === false || other === false) return false
  return one === null || other === null ? null : true
}

/** Each number of one with that of the other; null where either is not known. */
function sums<T extends object>(one: T, other: T): { [K in keyof T]: T[K] } {
  const summed = Object.entries(one).map(([name, value]) => {
    const more: unknown = other[name as keyof T]
    return [name, typeof value === 'number' ? (typeof more === 'number' ? value + more : null) : value]
  })
  return Object.fromEntries(summed)
}

async function readBooksOf(redis: RedisClient, keys: Keys): Promise<Books> {
  const [measured, odd] = await Promise.all([measure(redis, keys), oddScores(redis, keys)])
  const { fields, counters, totals: stats, invalid: channel, held, unread } = measured
  const views = Object.values(channel)
  const invalid = { ...channel, balanced: views.includes(null) ? null : new Set(views).size === 1 }
  const totals = { orders: stats && wholeNumberOf(stats[0]), minor: stats && wholeNumberOf(stats[1]) }
  const of = (name: string): number | null => counters && (counters[name] ?? 0)
  const stages = pipeline.map((stage, at) => stageBooks(stage, counters, held[at]))
  const applied = of(aggregate.counts)
  const { stream, list, groups } = channel
  const found = [
    ...fields.flatMap((name) => (!counters || name in counters ? [] : [`The counter ${name} is no whole number.`])),
    ...stages.flatMap(surplusOf),
    ...((stats ?? []).every((total) => total === null || /^-?\d+$/.test(total))
      ? []
      : ['The global stats are no numbers.']),
    ...(totals.orders === applied || !stats || !counters
      ? []
      : [`The global stats count ${totals.orders} orders, the stage has ${applied}.`]),
    ...(invalid.balanced === false
      ? [`The invalid channel holds ${stream} in its stream, ${list} in its list, ${groups} in its groups.`]
      : []),
    ...odd,
  ]
  const losses = stages.flatMap(lossOf)
  const placed = (sentence: string): string =>
    keys.partition === undefined ? sentence : `Partition ${keys.partition}: ${sentence}`
  return {
    balanced: losses.length + found.length > 0 ? false : unread.length > 0 ? null : true,
    received: of('received'),
    admitted: of('admitted'),
    duplicates: of('duplicates'),
    rejected: of('rejected'),
    lost: stages[0]?.lost ?? null,
    waiting: stages[0]?.waiting ?? null,
    stages,
    applied,
    totals,
    invalid,
    losses: losses.map(placed),
    differences: [...unread, ...found].map(placed),
    unread: unread.map(placed),
    notes: [],
  }
}

/** Those who lead are looked at, as many as GET /stats/top-users shows at most; all are by `orders verify --deep`. */
const lookedAt = 100

/** Scores that are no integers, a sentence for each board: another client wrote them. A board that cannot be read has none. */
async function oddScores(redis: RedisClient, keys: Keys): Promise<string[]> {
  const read = boards.map(async (board) => {
    const key = boardKey(keys, board)
    const best = await unlessRefused(redis.zrevrange(key, 0, lookedAt - 1, 'WITHSCORES'))
    const odd = rankedUsers(best ?? []).find(({ score }) => !Number.isInteger(score))
    if (!odd) return []
    const advice = 'another client wrote it; orders verify --repair rebuilds the board'
    return [`The score ${odd.score} of ${odd.userId} on ${key} is no integer: ${advice}.`]
  })
  return (await Promise.all(read)).flat()
}

/** @param held as `measure` has it */
function stageBooks(stage: Stage, counters: Counters | null, held: number | null | undefined): StageBooks {
  const of = (name: string): number | null => counters && (counters[name] ?? 0)
  const waiting = counters && waitingFor(stage, counters)
  const measured = held ?? null
  const isRight = (orders: number): boolean => (measured === null ? orders >= 0 : orders === measured)
  return {
    stage: stage.name,
    in: counters && insOf(stage).reduce((sum, name) => sum + (counters[name] ?? 0), 0),
    passed: of(stage.counts),
    duplicates: stage.from === 'raw' ? of('duplicates') : 0,
    rejected: of(rejectedBy(stage)),
    missed: of(missedBy(stage)),
    lost: of(lostBy(stage)),
    foreign: of(foreignBy(stage)),
    waiting,
    measured,
    balanced: waiting === null || held === undefined ? null : isRight(waiting),
  }
}
