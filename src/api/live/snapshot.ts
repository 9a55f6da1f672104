import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { App } from '../../app.ts'
import { readIncidents } from '../../control/incidents.ts'
import { type Money, wholeNumberOf } from '../../order/money.ts'
import { openBacklog } from '../../reads/backlog.ts'
import { readBooks } from '../../reads/books.ts'
import { openStatus } from '../../reads/open-status.ts'
import { type Reading, readApart } from '../../reads/readings.ts'
import { critical, followTimeline, rejectedSeries, type Slot, slotMs } from '../../reads/timeline.ts'
import { type Page, readTop } from '../../reads/top.ts'
import { rejectCodes } from '../../reject-codes.ts'
import { type Board, leaderboard } from '../../stages/leaderboard.ts'
import { cached } from '../cached.ts'
import { minor, totalsOf, totalsReply, unreadReply } from '../replies/status.ts'
import { archiveOf, archiveView } from './archive-view.ts'
import { calendarOn, calendarView } from './calendar-view.ts'
import { hop, hopsOf, latestOf, openRates } from './pipeline-view.ts'
import { readFailed, readMemory, readQueue } from './rare-readings.ts'

const count = z.int()
const ms = z.number().nullable().meta({ description: 'Milliseconds; null if there was no order.' })
const currencyCode = z
  .string()
  .meta({ description: 'Of all amounts, by ISO 4217: the setting CURRENCY; absent if it is not set.' })
const decimalPlaces = count
  .min(0)
  .max(4)
  .meta({ description: 'Of all amounts; absent, and two, if CURRENCY is not set.' })

/** The state of the whole pipeline within one second, for the dashboard. */
export const snapshot = z
  .object({
    at: z.iso.datetime().meta({ description: "When, by Redis' clock." }),
    hops: z.array(hop).meta({ description: 'The pipeline, from SQS on.' }),
    sqs: z
      .object({ visible: count, in_flight: count, dead_letters: count.nullable() })
      .nullable()
      .meta({ description: 'Messages; null if this process cannot read the queue.' }),
    totals: totalsReply,
    critical: z
      .object({ p50_ms: ms, p99_ms: ms })
      .meta({ description: 'From when SQS received an order until it was ranked.' }),
    timeline: z
      .object({
        from: z.iso.datetime(),
        slot_ms: count,
        ranked: z.array(count).meta({ description: 'Orders ranked in each slot.' }),
        rejected: z.array(count).meta({ description: 'Orders rejected in each slot.' }),
        p50_ms: z.array(ms),
        p99_ms: z.array(ms),
      })
      .meta({ description: 'The last quarter of an hour: orders ranked, and their critical time.' }),
    top: z.object({
      spend: z.array(z.object({ user_id: z.string(), spend_minor: minor })),
      orders: z.array(z.object({ user_id: z.string(), orders: z.number() })),
    }),
    failed: z.array(
      z.object({
        code: z.enum(rejectCodes),
        reason: z.string(),
        count,
        first: z.iso.datetime(),
        last: z.iso.datetime(),
        last_minute: count.meta({ description: 'Orders that failed for this reason in the last minute.' }),
        minute_before: count.meta({ description: 'Orders that failed for this reason in the minute before.' }),
        example: z.object({ id: z.string().meta({ description: 'The newest; it is at /orders/invalid/{id}.' }) }),
      }),
    ),
    books: z.object({
      balanced: z.boolean().nullable().meta({ description: 'null if it is not known.' }),
      differences: z
        .array(z.string())
        .meta({ description: 'Missing orders, and anything else that does not balance.' }),
      lost: count.nullable().meta({ description: 'Orders written off as lost, at all stages.' }),
      notes: z.array(z.string()),
    }),
    memory: z
      .object({ used_bytes: count, most_bytes: count.nullable() })
      .nullable()
      .meta({ description: 'Memory of Redis; null if it is not known.' }),
    archive: archiveView.optional(),
    calendar: calendarView.optional(),
    currency: currencyCode.optional(),
    decimals: decimalPlaces.optional(),
    unread: unreadReply,
  })
  .meta({ id: 'Snapshot' })
export type Snapshot = z.output<typeof snapshot>

/** Ten fit on one screen. */
const shownUsers = 10

/** The books take Redis some 10 ms, the others less. SQS calls cost money. */
const [booksMs, failedMs, memoryMs, queueMs] = [5_000, 2_000, 5_000, 5_000]
/** A snapshot waits this long for SQS. A later reply is in the next one. */
const queuePatienceMs = 200
/** Each process writes its part of a slot within a second: after two it is complete. SQS counts as silent then, too. */
const lateMs = 2_000

type Scope = Pick<App, 'config' | 'format' | 'redis' | 'pipeline' | 'partitions' | 'control' | 'now'>

/**
 * Opens a reader of snapshots. It reuses expensive readings for some seconds. What cannot be read, such as a key that
 * another program wrote with another type, is left out and named in `unread`.
 */
export function openSnapshots(app: Scope): () => Promise<Snapshot> {
  const { config, format, redis, pipeline, partitions, control } = app
  const timeline = followTimeline(redis, control)
  const readState = openStatus(redis, app, openBacklog(app))
  const rates = openRates(pipeline)
  const books = cached(booksMs, () => readApart('books', readBooksIn(app)))
  const failed = cached(failedMs, () => readApart('failed orders', readFailed(app)))
  const memory = cached(memoryMs, () => readApart('memory', readMemory(app)))
  let sqs: Snapshot['sqs'] = null
  let sqsAt = Number.NEGATIVE_INFINITY
  const queue = cached(queueMs, async () => {
    sqs = await readQueue(config)
    sqsAt = performance.now()
  })
  const top = (board: Board): Promise<Reading<Page>> =>
    readApart(`leaderboard of ${board}`, readTop(redis, partitions, board, { limit: shownUsers, offset: 0 }))
  return async () => {
    const [status, bySpend, byOrders, ...rare] = await Promise.all([
      readState(),
      top('spend'),
      top('orders'),
      books(),
      failed(),
      memory(),
      Promise.race([queue(), sleep(queuePatienceMs)]),
    ])
    const followed = await readApart('timeline', timeline(status.atMs))
    const slots = followed.value ?? []
    const [found, groups, memoryUsed] = rare
    const apart = [bySpend, byOrders, found, groups, memoryUsed, followed]
    if (performance.now() - sqsAt > queueMs + lateMs) sqs = null // SQS does not answer: its last reply is too old
    return {
      at: new Date(status.atMs).toISOString(),
      hops: hopsOf({ pipeline, status, slots, rates: rates(status.counters), visible: sqs?.visible ?? null }),
      sqs,
      totals: totalsOf(status),
      critical: latestOf(slots, critical),
      timeline: plotted(slots, status.atMs),
      top: topOf(bySpend, byOrders),
      books: found?.value?.books ?? { ...unknownBooks, differences: found?.unread.map(({ why }) => why) ?? [] },
      failed: groups?.value ?? [],
      memory: memoryUsed?.value ?? null,
      archive: archiveOf(status),
      calendar: calendarOn(app),
      ...currencyOf(format.money),
      unread: [...status.unread, ...apart.flatMap((one) => one?.unread ?? []), ...(found?.value?.unread ?? [])],
    }
  }
}

function currencyOf({ code, decimals }: Money): Pick<Snapshot, 'currency' | 'decimals'> {
  return code === undefined ? {} : { currency: code, decimals }
}

function topOf(bySpend: Reading<Page>, byOrders: Reading<Page>): Snapshot['top'] {
  const usersOf = ({ value }: Reading<Page>) =>
    (value?.users ?? []).map(({ userId, score }) => ({ user_id: userId, score: wholeNumberOf(score) }))
  return {
    spend: usersOf(bySpend).map(({ user_id, score }) => ({ user_id, spend_minor: score })),
    orders: usersOf(byOrders).map(({ user_id, score }) => ({ user_id, orders: score })),
  }
}

function plotted(slots: readonly Slot[], atMs: number): Snapshot['timeline'] {
  const over = slots.filter(({ fromMs }) => fromMs + slotMs + lateMs <= atMs)
  const spans = over.map(({ series }) => series[critical])
  return {
    from: new Date(over[0]?.fromMs ?? atMs).toISOString(),
    slot_ms: slotMs,
    ranked: over.map(({ series }) => series[leaderboard.name]?.orders ?? 0),
    rejected: over.map(({ series }) => series[rejectedSeries]?.orders ?? 0),
    p50_ms: spans.map((span) => span?.p50 ?? null),
    p99_ms: spans.map((span) => span?.p99 ?? null),
  }
}

const unknownBooks: Snapshot['books'] = { balanced: null, differences: [], lost: null, notes: [] }

async function readBooksIn(app: Scope): Promise<Pick<Snapshot, 'books' | 'unread'>> {
  const [{ balanced, losses, differences, notes, stages, unread }, incidents] = await Promise.all([
    readBooks(app),
    readIncidents(app.redis),
  ])
  const books = {
    balanced: incidents.length > 0 ? false : balanced,
    differences: [...losses, ...differences, ...incidents.map(({ text }) => text)],
    lost: stages.reduce<number | null>((sum, { lost }) => (sum === null || lost === null ? null : sum + lost), 0),
    notes: [...notes],
  }
  return { books, unread: unread.map((why) => ({ reading: 'books', why })) }
}
