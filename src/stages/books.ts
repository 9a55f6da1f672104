import { z } from 'zod'
import { messageOf, OrdersError } from '../errors.ts'
import type { Keys } from '../keys.ts'
import { rejectGroupNames } from '../messages.ts'
import type { RedisClient } from '../redis.ts'
import { loadScript, runScript } from '../script.ts'
import { aggregate, type Totals } from './aggregate.ts'
import { inflowOf, missedBy, outflowOf, pipeline, rejectedBy } from './pipeline.ts'
import type { Stage } from './stage.ts'

const script = loadScript(import.meta.url)

type Counters = Readonly<Record<string, number>>

/** Sums over all partitions. What is no whole number is left out: somebody else wrote it. */
export async function readCounters(redis: RedisClient, partitions: readonly Keys[]): Promise<Record<string, number>> {
  const read = await Promise.all(partitions.map(({ counters }) => redis.hgetall(counters)))
  return sumOf(
    read.map((counters) => {
      const numbers = Object.entries(counters).map(([name, value]): [string, number] => [name, Number(value)])
      return Object.fromEntries(numbers.filter(([, value]) => Number.isSafeInteger(value)))
    }),
  )
}

function sumOf(all: readonly Counters[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const [name, value] of all.flatMap(Object.entries<number>)) sums[name] = (sums[name] ?? 0) + value
  return sums
}

/** Orders that came in and did not go out. The counters are read at one moment, so this is exact. */
export function waitingFor(stage: Stage, counters: Counters): number {
  const of = (name: string): number => counters[name] ?? 0
  const out = [...outflowOf(stage), missedBy(stage)].reduce((sum, name) => sum + of(name), 0)
  return of(inflowOf(stage.from)) - out
}

/** Orders that wait for any stage, or are in its hands. */
export function waitingForAny(counters: Counters): number {
  return pipeline.reduce((sum, stage) => sum + Math.max(0, waitingFor(stage, counters)), 0)
}

/** A stage's orders: in = passed + duplicates + rejected + missed + waiting. */
export interface StageBooks {
  readonly stage: string
  readonly in: number
  readonly passed: number
  readonly duplicates: number
  readonly rejected: number
  /** Had gone by before the stage was added to the line. */
  readonly missed: number
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
  /** One plain sentence each. */
  readonly differences: readonly string[]
}

/**
 * Reads all books of each partition at one moment and compares them: what waits by the counters with what the streams
 * hold, the global stats with the counter, and the three views of the invalid channel.
 * @throws OrdersError ORD_REDIS_REPLY where the script cannot run: a key has another type, or Redis is the emulator.
 */
export async function readBooks(redis: RedisClient, partitions: readonly Keys[]): Promise<Books> {
  const books = await Promise.all(partitions.map((keys) => readBooksOf(redis, keys)))
  return books.reduce(added)
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
  const [flat, [orders, minor], [stream, list, groups], measured] = await read(redis, keys)
  const all = pairs(flat)
  const counters = Object.fromEntries(all.filter(([, value]) => Number.isSafeInteger(value)))
  const totals = { orders: whole(orders), minor: whole(minor) }
  const invalid = { stream, list, groups, balanced: stream === list && list === groups }
  const of = (name: string): number => counters[name] ?? 0
  const stages = pipeline.map((stage, at) => stageBooks(stage, counters, measured[at] ?? -1))
  const applied = of(aggregate.counts)
  const found = [
    ...all.flatMap(([name]) => (name in counters ? [] : [`The counter ${name} is no whole number.`])),
    ...stages.filter(({ balanced }) => !balanced).map(stageDifference),
    ...([orders, minor].every((total) => total === null || /^-?\d+$/.test(total))
      ? []
      : ['The global stats are no numbers.']),
    ...(totals.orders === applied ? [] : [`The global stats count ${totals.orders} orders, the stage has ${applied}.`]),
    ...(invalid.balanced
      ? []
      : [`The invalid channel holds ${stream} in its stream, ${list} in its list, ${groups} in its groups.`]),
  ]
  const differences = keys.partition === undefined ? found : found.map((told) => `Partition ${keys.partition}: ${told}`)
  return {
    balanced: differences.length === 0,
    received: of('received'),
    admitted: of('admitted'),
    duplicates: of('duplicates'),
    rejected: of('rejected'),
    waiting: stages[0]?.waiting ?? 0,
    stages,
    applied,
    totals,
    invalid,
    differences,
  }
}

function whole(field: string | null): number {
  const value = Number(field ?? 0)
  return Number.isFinite(value) ? value : 0
}

/** @param held orders in its stream; -1 where that could not be measured */
function stageBooks(stage: Stage, counters: Counters, held: number): StageBooks {
  const of = (name: string): number => counters[name] ?? 0
  const waiting = waitingFor(stage, counters)
  const measured = held < 0 ? null : held
  return {
    stage: stage.name,
    in: of(inflowOf(stage.from)),
    passed: of(stage.counts),
    duplicates: stage.from === 'raw' ? of('duplicates') : 0,
    rejected: of(rejectedBy(stage)),
    missed: of(missedBy(stage)),
    waiting,
    measured,
    balanced: measured === null ? waiting >= 0 : waiting === measured,
  }
}

function stageDifference({ stage, waiting, measured }: StageBooks): string {
  if (measured === null) return `Stage ${stage}: ${-waiting} orders more have gone out than came in.`
  return `Stage ${stage}: ${waiting} orders wait by the counters, its stream holds ${measured} for it.`
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
])

async function read(redis: RedisClient, keys: Keys): Promise<z.output<typeof replies>> {
  const streams = pipeline.map(({ from }) => keys.stream[from])
  const groups = rejectGroupNames.map(keys.invalidGroup)
  const names = [keys.counters, keys.globalStats, keys.invalid, keys.invalidOrders, ...streams, ...groups]
  const stages = pipeline.flatMap(({ name, from }) => [name, from === 'raw' ? 1 : 0])
  const reply = await runScript(redis, script, names, [mostEntries, mostBytes, ...stages]).catch((error: unknown) => {
    throw new OrdersError('ORD_REDIS_REPLY', `Redis cannot read the books (${messageOf(error)}).`, { cause: error })
  })
  const parsed = replies.safeParse(reply)
  if (parsed.success) return parsed.data
  throw new OrdersError('ORD_REDIS_REPLY', 'Redis replied to books.lua in an unknown shape.', { cause: parsed.error })
}

function pairs(flat: readonly string[]): [name: string, value: number][] {
  return flat.flatMap((name, at): [string, number][] => (at % 2 === 0 ? [[name, Number(flat[at + 1])]] : []))
}
