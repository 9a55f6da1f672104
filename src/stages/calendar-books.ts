import { z } from 'zod'
import type { PartitionScope } from '../app.ts'
import type { Keys } from '../keys.ts'
import type { ValidRecord } from '../messages.ts'
import { addSums, exactInteger, noSum, type Sum, subtractSums } from '../order/money.ts'
import { type RedisClient, unwrapReplies } from '../redis/client.ts'
import { unlessRefused } from '../redis/errors.ts'
import { defineScript } from '../redis/script.ts'
import { timeMs } from '../stream-id.ts'
import { aggregate } from './aggregate.ts'
import { calendar } from './calendar.ts'
import { ordersOf } from './correction.ts'
import type { Pipeline } from './placed.ts'
import { decodeEntry } from './runner/entry.ts'

/*
 * The books of the calendar. Every order that the totals have is in a day, or was counted before the calendar began, or is in
 * an entry that one of the two stages has yet to commit. The stream holds such an entry, as it is trimmed behind both. So
 *   totals = days + what came before + entries of aggregate alone - entries of the calendar alone
 * at every moment, and by the same equation it is known what came before, whenever that is asked first. Days expire, so each
 * month has a sum here that does not.
 */

/** Holds what the totals and the days of a partition have counted, at one moment. */
export interface CalendarBooks {
  /** When the calendar began, in ms; undefined before. */
  readonly since: number | undefined
  /** The part of the totals that was counted before it began, and is in no day. */
  readonly before: Sum
  /** All that it has counted, by month. */
  readonly months: ReadonlyMap<string, Sum>
  /** The part of the totals that is in no day now; undefined where too many entries wait, or another stage is in between. */
  readonly inNoDay: Sum | undefined
}

type Scope = Pick<PartitionScope, 'redis' | 'keys' | 'pipeline'>

const flat = z.array(z.string())
const pairs = flat.transform((all) =>
  Object.fromEntries(all.flatMap((name, at) => (at % 2 === 0 ? [[name, all[at + 1] ?? '']] : []))),
)
const entry = z.tuple([z.string(), z.int(), z.int(), flat])
const run = defineScript(
  import.meta.url,
  z.tuple([z.string().nullable(), z.string().nullable(), pairs, z.int(), z.array(entry)]),
)

/** As for the books of the stages: some 10 ms of Redis' time. */
const bounds = { entries: 2_000, bytes: 4_000_000 }
/** For what must be known, however much waits: a begin, and a flip. */
export const boundless = { entries: 1e9, bytes: 1e12 }

export async function readCalendarBooks(scope: Scope, { entries, bytes } = bounds): Promise<CalendarBooks> {
  const { redis, keys, pipeline } = scope
  const from = streamOfBoth(pipeline)
  const names = [keys.stream(from ?? ''), keys.globalStats, keys.calendarBooks]
  const committed = [aggregate, calendar].map(({ name }) => keys.committed(name))
  const reply = await run(redis, [...names, ...committed], [aggregate.name, calendar.name, entries, bytes])
  const [totalOrders, totalMinor, books, isWhole, found] = reply
  const months = monthsIn(books)
  const counted = found.map(([id, counted, dated, fields]) => {
    const all = fields.map((field) => Buffer.from(field))
    const { records = [], group } = decodeEntry(pipeline, id, all, from ?? '')
    const times = BigInt(group === undefined ? counted - dated : group === aggregate.name ? counted - 1 : 1 - dated)
    return timesOf(records.map(amountsOf).reduce(addSums, noSum), times)
  })
  const known = { orders: exactInteger(totalOrders) ?? 0n, minor: exactInteger(totalMinor) ?? 0n }
  const inDays = [...months.values(), ...counted].reduce(addSums, noSum)
  return {
    ...startIn(books),
    months,
    inNoDay: from === undefined || isWhole === 0 ? undefined : subtractSums(known, inDays),
  }
}

/** Returns the stream that both stages read; undefined if a stage of one's own stands between them. */
function streamOfBoth(pipeline: Pipeline): string | undefined {
  const from = pipeline.stage(aggregate.name)?.from
  return from === pipeline.stage(calendar.name)?.from ? from : undefined
}

const timesOf = ({ orders, minor }: Sum, times: bigint): Sum => ({ orders: orders * times, minor: minor * times })

function amountsOf(record: object): Sum {
  const order = record as ValidRecord
  return { orders: BigInt(ordersOf(order)), minor: BigInt(order.minor) }
}

const monthField = /^(\d{4}-\d\d):(orders|revenue)$/

function monthsIn(fields: Readonly<Record<string, string>>): Map<string, Sum> {
  const months = new Map<string, Sum>()
  for (const [field, value] of Object.entries(fields)) {
    const [, month, what] = monthField.exec(field) ?? []
    if (month === undefined) continue
    const by = exactInteger(value) ?? 0n
    months.set(month, addSums(months.get(month) ?? noSum, what === 'orders' ? sumOf(by, 0n) : sumOf(0n, by)))
  }
  return months
}

const sumOf = (orders: bigint, minor: bigint): Sum => ({ orders, minor })

/** Fields that say when the calendar began, and what came before. */
export const startFields = ['since', 'before:orders', 'before:revenue'] as const

function startIn(fields: Readonly<Record<string, string | null>>): Pick<CalendarBooks, 'since' | 'before'> {
  const [since, orders = 0n, minor = 0n] = startFields.map((name) => exactInteger(fields[name]))
  return { since: since === undefined ? undefined : Number(since), before: { orders, minor } }
}

/** Writes down that the calendar has begun in a partition, and what came before, unless that is known. */
export async function beginCalendar(scope: Scope): Promise<void> {
  const { redis, keys } = scope
  if (streamOfBoth(scope.pipeline) === undefined || (await redis.hexists(keys.calendarBooks, 'since')) === 1) return
  const { inNoDay = noSum } = await readCalendarBooks(scope, boundless)
  const nowMs = timeMs(await redis.time()) // as in the ids of entries: an undo compares both
  const values = [nowMs, inNoDay.orders, inNoDay.minor].map(String)
  const write = redis.multi()
  for (const [at, name] of startFields.entries()) write.hsetnx(keys.calendarBooks, name, values[at] ?? '')
  const written = write.exec().then(unwrapReplies)
  await unlessRefused(written) // a full Redis takes none, and the stage must make room: the next start knows the same
}

/** When the calendar began in all partitions, and what the totals had counted before. */
export interface CalendarStart {
  readonly since: Date
  readonly before: Sum
}

/** Returns undefined until it has begun in some partition. */
export async function readCalendarStart(
  redis: RedisClient,
  partitions: readonly Keys[],
): Promise<CalendarStart | undefined> {
  const read = partitions.map(({ calendarBooks }) => redis.hmget(calendarBooks, ...startFields))
  const starts = (await Promise.all(read)).map((values) =>
    startIn(Object.fromEntries(startFields.map((name, at) => [name, values[at] ?? null]))),
  )
  return startOf(starts)
}

/** Adds up the starts of partitions; the last one counts. */
export function startOf(starts: readonly Pick<CalendarBooks, 'since' | 'before'>[]): CalendarStart | undefined {
  const times = starts.flatMap(({ since }) => since ?? [])
  if (times.length === 0) return undefined
  return { since: new Date(Math.max(...times)), before: starts.map(({ before }) => before).reduce(addSums) }
}

/**
 * Writes down that the calendar has all orders from this time on, in ms, where it began later: a backfill has given it those
 * in between.
 */
export async function beganBy(redis: RedisClient, partitions: readonly Keys[], ms: number): Promise<void> {
  for (const { calendarBooks } of partitions) {
    const since = exactInteger(await redis.hget(calendarBooks, startFields[0]))
    if (since !== undefined && since > ms) await redis.hset(calendarBooks, startFields[0], ms)
  }
}
