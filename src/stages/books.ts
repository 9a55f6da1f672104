import { z } from 'zod'
import { messageOf, OrdersError } from '../errors.ts'
import { wrongTypes, wrongTypeText } from '../key-types.ts'
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

/** Null is a count or a verdict that is not known, because a key of it has another type. */
type Known<T> = T | null

/** A stage's orders: in = passed + duplicates + rejected + missed + waiting. */
export interface StageBooks {
  readonly stage: string
  readonly in: Known<number>
  readonly passed: Known<number>
  readonly duplicates: Known<number>
  readonly rejected: Known<number>
  /** Had gone by before the stage was added to the line. */
  readonly missed: Known<number>
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
  readonly waiting: Known<number>
  readonly stages: readonly StageBooks[]
  /** What aggregate has counted by its counter, and what the global stats say. */
  readonly applied: Known<number>
  readonly totals: { readonly [T in keyof Totals]: Known<number> }
  readonly invalid: {
    readonly stream: Known<number>
    readonly list: Known<number>
    readonly groups: Known<number>
    readonly balanced: Known<boolean>
  }
  /** One plain sentence each; what cannot be read is among them. */
  readonly differences: readonly string[]
  /** What cannot be read, a sentence each. */
  readonly unread: readonly string[]
}

/**
 * Reads all books of each partition at one moment and compares them: what waits by the counters with what the streams
 * hold, the global stats with the counter, and the three views of the invalid channel. A key of another type is left out.
 * @throws OrdersError ORD_REDIS_REPLY where the script cannot run: Redis is the emulator.
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
    return { ...sums(stage, more), stage: stage.stage, measured, balanced: both(stage.balanced, more.balanced) }
  })
  return {
    ...sums(one, other),
    balanced: both(one.balanced, other.balanced),
    stages,
    totals: sums(one.totals, other.totals),
    invalid: { ...sums(one.invalid, other.invalid), balanced: both(one.invalid.balanced, other.invalid.balanced) },
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
  const { reply, isRead, unread: told } = await read(redis, keys)
  const [flat, [orders, minor], [stream, list, groups], measured] = reply
  const all = pairs(flat)
  const numbers = Object.fromEntries(all.filter(([, value]) => Number.isSafeInteger(value)))
  const counters = isRead(keys.counters) ? numbers : null
  const hasTotals = isRead(keys.globalStats)
  const totals = hasTotals ? { orders: whole(orders), minor: whole(minor) } : { orders: null, minor: null }
  const channel = {
    stream: isRead(keys.invalid) ? stream : null,
    list: isRead(keys.invalidOrders) ? list : null,
    groups: rejectGroupNames.map(keys.invalidGroup).every(isRead) ? groups : null,
  }
  const views = Object.values(channel)
  const invalid = { ...channel, balanced: views.includes(null) ? null : new Set(views).size === 1 }
  const of = (name: string): number | null => (counters ? (counters[name] ?? 0) : null)
  const stages = pipeline.map((stage, at) =>
    stageBooks(stage, counters, isRead(keys.stream[stage.from]) ? (measured[at] ?? -1) : null),
  )
  const applied = of(aggregate.counts)
  const found = [
    ...all.flatMap(([name]) => (name in numbers ? [] : [`The counter ${name} is no whole number.`])),
    ...stages.filter(({ balanced }) => balanced === false).map(stageDifference),
    ...([orders, minor].every((total) => total === null || /^-?\d+$/.test(total))
      ? []
      : ['The global stats are no numbers.']),
    ...(totals.orders === applied || !hasTotals || !counters
      ? []
      : [`The global stats count ${totals.orders} orders, the stage has ${applied}.`]),
    ...(invalid.balanced !== false
      ? []
      : [`The invalid channel holds ${stream} in its stream, ${list} in its list, ${groups} in its groups.`]),
  ]
  const inPartition = (sentence: string): string =>
    keys.partition === undefined ? sentence : `Partition ${keys.partition}: ${sentence}`
  const unread = told.map(inPartition)
  return {
    balanced: found.length > 0 ? false : unread.length > 0 ? null : true,
    received: of('received'),
    admitted: of('admitted'),
    duplicates: of('duplicates'),
    rejected: of('rejected'),
    waiting: stages[0]?.waiting ?? null,
    stages,
    applied,
    totals,
    invalid,
    differences: [...unread, ...found.map(inPartition)],
    unread,
  }
}

function whole(field: string | null): number {
  const value = Number(field ?? 0)
  return Number.isFinite(value) ? value : 0
}

/** @param held orders in its stream; -1 where that is too much to measure, null where it cannot be read */
function stageBooks(stage: Stage, counters: Counters | null, held: number | null): StageBooks {
  const of = (name: string): number | null => (counters ? (counters[name] ?? 0) : null)
  const waiting = counters ? waitingFor(stage, counters) : null
  const measured = held === null || held < 0 ? null : held
  const isRight = (orders: number): boolean => (measured === null ? orders >= 0 : orders === measured)
  return {
    stage: stage.name,
    in: of(inflowOf(stage.from)),
    passed: of(stage.counts),
    duplicates: stage.from === 'raw' ? of('duplicates') : 0,
    rejected: of(rejectedBy(stage)),
    missed: of(missedBy(stage)),
    waiting,
    measured,
    balanced: waiting === null || held === null ? null : isRight(waiting),
  }
}

function stageDifference({ stage, waiting, measured }: StageBooks): string {
  if (measured === null) return `Stage ${stage}: ${-Number(waiting)} orders more have gone out than came in.`
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

interface Read {
  readonly reply: z.output<typeof replies>
  isRead(key: string): boolean
  readonly unread: readonly string[]
}

/** What has another type is read as if it were not there, and told. */
async function read(redis: RedisClient, keys: Keys): Promise<Read> {
  const streams = pipeline.map(({ from }) => keys.stream[from])
  const groups = rejectGroupNames.map(keys.invalidGroup)
  const names = [keys.counters, keys.globalStats, keys.invalid, keys.invalidOrders, ...streams, ...groups]
  const stages = pipeline.flatMap(({ name, from }) => [name, from === 'raw' ? 1 : 0])
  const wrong = await wrongTypes(redis, [...new Set(names)])
  const isRead = (key: string): boolean => !wrong.some((one) => one.key === key)
  const asked = names.map((key) => (isRead(key) ? key : keys.nothing))
  const reply = await runScript(redis, script, asked, [mostEntries, mostBytes, ...stages]).catch((error: unknown) => {
    throw new OrdersError('ORD_REDIS_REPLY', `Redis cannot read the books (${messageOf(error)}).`, { cause: error })
  })
  const parsed = replies.safeParse(reply)
  const unread = wrong.map((one) => `${wrongTypeText(one)}: it cannot be read, see orders doctor.`)
  if (parsed.success) return { reply: parsed.data, isRead, unread }
  throw new OrdersError('ORD_REDIS_REPLY', 'Redis replied to books.lua in an unknown shape.', { cause: parsed.error })
}

function pairs(flat: readonly string[]): [name: string, value: number][] {
  return flat.flatMap((name, at): [string, number][] => (at % 2 === 0 ? [[name, Number(flat[at + 1])]] : []))
}
