import { z } from 'zod'
import { messageOf, OrdersError } from '../errors.ts'
import type { Keys } from '../keys.ts'
import { rejectGroupNames } from '../messages.ts'
import type { RedisClient } from '../redis.ts'
import { loadScript, runScript } from '../script.ts'
import { aggregate, type Totals } from './aggregate.ts'
import { type Counters, insOf, outsOf, waitingFor } from './counters.ts'
import { lossOf, notesOf, surplusOf } from './findings.ts'
import { foreignBy, lostBy, missedBy, pipeline, rejectedBy } from './pipeline.ts'
import type { Stage } from './stage.ts'

const script = loadScript(import.meta.url)

/** A stage's orders: in = passed + duplicates + rejected + missed + lost + waiting. */
export interface StageBooks {
  readonly stage: string
  /** With those that no stage of ours wrote. */
  readonly in: number
  readonly passed: number
  readonly duplicates: number
  readonly rejected: number
  /** Had gone by before the stage was added to the line. */
  readonly missed: number
  /** Were deleted before the stage had committed them, and are written off. */
  readonly lost: number
  /** Of those that came in: no stage of ours wrote them. */
  readonly foreign: number
  /** By the counters: what came in and did not go out. */
  readonly waiting: number
  /** What its stream really holds for it; null where that is too much to look at. */
  readonly measured: number | null
  readonly balanced: boolean
}

/** All books at one moment. */
export interface Books {
  readonly balanced: boolean
  readonly received: number
  readonly admitted: number
  readonly duplicates: number
  readonly rejected: number
  readonly lost: number
  readonly waiting: number
  readonly stages: readonly StageBooks[]
  /** What aggregate has counted by its counter, and what the global stats say. */
  readonly applied: number
  readonly totals: Totals
  readonly invalid: {
    readonly stream: number
    readonly list: number
    readonly groups: number
    readonly balanced: boolean
  }
  /** One plain sentence each: orders that are missing and not written off, what else does not balance, what to know besides. */
  readonly losses: readonly string[]
  readonly differences: readonly string[]
  readonly notes: readonly string[]
}

/**
 * Reads all books of each partition at one moment and compares them: what waits by the counters with what the streams
 * hold, the global stats with the counter, and the three views of the invalid channel.
 * @throws OrdersError ORD_REDIS_REPLY where the script cannot run: a key has another type, or Redis is the emulator.
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
    return { ...sums(stage, more), stage: stage.stage, measured, balanced: stage.balanced && more.balanced }
  })
  return {
    ...sums(one, other),
    balanced: one.balanced && other.balanced,
    stages,
    totals: sums(one.totals, other.totals),
    invalid: { ...sums(one.invalid, other.invalid), balanced: one.invalid.balanced && other.invalid.balanced },
    losses: [...one.losses, ...other.losses],
    differences: [...one.differences, ...other.differences],
  }
}

/** Each number of one with that of the other. */
function sums<T extends object>(one: T, other: T): { [K in keyof T]: T[K] } {
  const summed = Object.entries(one).map(([name, value]) => {
    return [name, typeof value === 'number' ? value + Number(other[name as keyof T]) : value]
  })
  return Object.fromEntries(summed)
}

async function readBooksOf(redis: RedisClient, keys: Keys): Promise<Books> {
  const { fields, counters, totals, invalid: lengths, held } = await measure(redis, keys)
  const [orders, minor] = totals
  const [stream, list, groups] = lengths
  const invalid = { stream, list, groups, balanced: stream === list && list === groups }
  const of = (name: string): number => counters[name] ?? 0
  const stages = pipeline.map((stage, at) => stageBooks(stage, counters, held[at] ?? null))
  const applied = of(aggregate.counts)
  const differences = [
    ...fields.flatMap((name) => (name in counters ? [] : [`The counter ${name} is no whole number.`])),
    ...stages.flatMap(surplusOf),
    ...([orders, minor].every((total) => total === null || /^-?\d+$/.test(total))
      ? []
      : ['The global stats are no numbers.']),
    ...(whole(orders) === applied ? [] : [`The global stats count ${whole(orders)} orders, the stage has ${applied}.`]),
    ...(invalid.balanced
      ? []
      : [`The invalid channel holds ${stream} in its stream, ${list} in its list, ${groups} in its groups.`]),
  ]
  const losses = stages.flatMap(lossOf)
  const placed = (sentence: string): string =>
    keys.partition === undefined ? sentence : `Partition ${keys.partition}: ${sentence}`
  return {
    balanced: losses.length + differences.length === 0,
    received: of('received'),
    admitted: of('admitted'),
    duplicates: of('duplicates'),
    rejected: of('rejected'),
    lost: stages[0]?.lost ?? 0,
    waiting: stages[0]?.waiting ?? 0,
    stages,
    applied,
    totals: { orders: whole(orders), minor: whole(minor) },
    invalid,
    losses: losses.map(placed),
    differences: differences.map(placed),
    notes: [],
  }
}

function whole(field: string | null): number {
  const value = Number(field ?? 0)
  return Number.isFinite(value) ? value : 0
}

function stageBooks(stage: Stage, counters: Counters, measured: number | null): StageBooks {
  const of = (name: string): number => counters[name] ?? 0
  const waiting = waitingFor(stage, counters)
  return {
    stage: stage.name,
    in: insOf(stage).reduce((sum, name) => sum + of(name), 0),
    passed: of(stage.counts),
    duplicates: stage.from === 'raw' ? of('duplicates') : 0,
    rejected: of(rejectedBy(stage)),
    missed: of(missedBy(stage)),
    lost: of(lostBy(stage)),
    foreign: of(foreignBy(stage)),
    waiting,
    measured,
    balanced: measured === null ? waiting >= 0 : waiting === measured,
  }
}

/**
 * To look at per stage: 2,000 entries of an SQS receive or 4 MB of large ones hold up Redis for some 10 ms (2 cores, busy).
 * More is a backlog, and is checked again when it is worked off.
 */
const mostEntries = 2_000
const mostBytes = 4_000_000

const replies = z.tuple([
  z.array(z.string()),
  z.tuple([z.string().nullable(), z.string().nullable()]),
  z.tuple([z.int(), z.int(), z.int()]),
  z.array(z.int()),
  z.array(z.int()),
])

/** What one partition held at one moment. */
export interface Measured {
  /** Names of all counters, and the values of those that are whole numbers. */
  readonly fields: readonly string[]
  readonly counters: Counters
  readonly totals: readonly [orders: string | null, minor: string | null]
  readonly invalid: readonly [stream: number, list: number, groups: number]
  /** Per stage the orders in its stream; null where that could not be measured. */
  readonly held: readonly (number | null)[]
  /** Per stage the orders that were written off as lost, or would be. */
  readonly lost: readonly number[]
}

/**
 * Measures the books of a partition by one script, which makes every difference exact while orders flow.
 * @param mode `write` also books what is missing as lost, `plan` only says how much that would be
 * @throws OrdersError ORD_REDIS_REPLY as readBooks
 */
export async function measure(
  redis: RedisClient,
  keys: Keys,
  mode: 'read' | 'plan' | 'write' = 'read',
): Promise<Measured> {
  const streams = pipeline.map(({ from }) => keys.stream[from])
  const groups = rejectGroupNames.map(keys.invalidGroup)
  const names = [keys.counters, keys.globalStats, keys.invalid, keys.invalidOrders, ...streams, ...groups]
  const stages = pipeline.map((stage) => {
    const later = stage.from !== 'raw'
    return { group: stage.name, later, lost: lostBy(stage), ins: insOf(stage), outs: outsOf(stage) }
  })
  const args = [mostEntries, mostBytes, mode, JSON.stringify(stages)]
  const reply = await runScript(redis, script, names, args).catch((error: unknown) => {
    throw new OrdersError('ORD_REDIS_REPLY', `Redis cannot read the books (${messageOf(error)}).`, { cause: error })
  })
  const parsed = replies.safeParse(reply)
  if (!parsed.success) {
    throw new OrdersError('ORD_REDIS_REPLY', 'Redis replied to books.lua in an unknown shape.', { cause: parsed.error })
  }
  const [flat, totals, invalid, held, lost] = parsed.data
  const all = flat.flatMap((name, at) => (at % 2 === 0 ? [[name, Number(flat[at + 1])] as const] : []))
  const counters = Object.fromEntries(all.filter(([, value]) => Number.isSafeInteger(value)))
  const fields = all.map(([name]) => name)
  return { fields, counters, totals, invalid, held: held.map((orders) => (orders < 0 ? null : orders)), lost }
}
