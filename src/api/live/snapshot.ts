import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { App } from '../../app.ts'
import { readIncidents } from '../../control/incidents.ts'
import { inspectQueue } from '../../ingest/sqs/queue.ts'
import { rejectCodes } from '../../messages.ts'
import { wholeNumberOf } from '../../money.ts'
import { openBacklog, totalOf } from '../../reads/backlog.ts'
import { readBooks } from '../../reads/books.ts'
import { type Reading, readApart } from '../../reads/readings.ts'
import { readStatus, type Status } from '../../reads/status.ts'
import { critical, followTimeline, type Slot, slotMs } from '../../reads/timeline.ts'
import { type Page, readTop } from '../../reads/top.ts'
import { fullestOf } from '../../redis/client.ts'
import { summarize } from '../../stages/invalid/page.ts'
import { type Board, leaderboard } from '../../stages/leaderboard.ts'
import { remember } from '../cached.ts'
import { hop, hopsOf, latestOf, openRates } from './pipeline-view.ts'

const count = z.int()
const known = z.int().nullable().meta({ description: 'null where it cannot be read: see unread.' })
const minor = z.number().meta({ description: 'Minor units (cents).' })
const ms = z.number().nullable().meta({ description: 'Milliseconds; null where no order came by.' })

/** Everything that somebody who operates this wants to see at a glance, as of one second. */
export const snapshot = z
  .object({
    at: z.iso.datetime().meta({ description: "When, by Redis' clock." }),
    hops: z.array(hop).meta({ description: 'The line, from SQS on.' }),
    sqs: z
      .object({ visible: count, in_flight: count, dead_letters: count.nullable() })
      .nullable()
      .meta({ description: 'Messages; null where SQS does not tell this process.' }),
    totals: z.object({
      received: known,
      admitted: known,
      duplicates: known,
      rejected: known,
      waiting: known.meta({ description: 'For any stage.' }),
      counted: known,
      ranked: known,
      revenue_minor: minor.nullable(),
      invalid: known.meta({ description: 'Orders in the invalid channel now.' }),
    }),
    critical: z.object({ p50_ms: ms, p99_ms: ms }).meta({ description: 'From when SQS took an order to its rank.' }),
    timeline: z
      .object({
        from: z.iso.datetime(),
        slot_ms: count,
        ranked: z.array(count).meta({ description: 'Orders ranked in each slot.' }),
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
        example: z.object({ id: z.string().meta({ description: 'The newest; it is at /orders/invalid/{id}.' }) }),
      }),
    ),
    books: z.object({
      balanced: z.boolean().nullable().meta({ description: 'null where it could not be told.' }),
      differences: z
        .array(z.string())
        .meta({ description: 'Orders that are missing, and what else does not balance.' }),
      lost: count.nullable().meta({ description: 'Orders written off as lost, of all stages.' }),
      notes: z.array(z.string()),
    }),
    memory: z
      .object({ used_bytes: count, most_bytes: count.nullable() })
      .nullable()
      .meta({ description: "Redis' own; null where it could not be told." }),
    unread: z
      .array(z.object({ reading: z.string(), why: z.string() }))
      .meta({ description: 'What Redis refuses to tell, and why; all else stands.' }),
  })
  .meta({ id: 'Snapshot' })
export type Snapshot = z.output<typeof snapshot>

/** Each of ten: what fits beside all else. */
const shownUsers = 10

/** The books hold Redis up for some 10 ms, the others for less; SQS has its price. */
const [booksMs, failedMs, memoryMs, queueMs] = [5_000, 2_000, 5_000, 5_000]
/** So long a snapshot waits for news of SQS; what comes later is in the next one. */
const queuePatienceMs = 200
/** Every process writes what it has done within a second; a slot counts as over, and SQS as silent, a little later. */
const lateMs = 2_000

/**
 * Reads snapshots one after the other. What is dear to read, or does not change, is taken from an earlier one; what
 * cannot be read (a key that somebody wrote with another type, say) is left out, the others are told.
 */
export function openSnapshots(app: Pick<App, 'config' | 'redis' | 'partitions' | 'control'>): () => Promise<Snapshot> {
  const { config, redis, partitions, control } = app
  const timeline = followTimeline(redis, control)
  const backlog = openBacklog(app)
  const rates = openRates()
  const books = remember(booksMs, () => readApart('books', readBooksIn(app)))
  const failed = remember(failedMs, () => readApart('failed orders', readFailed(app)))
  const memory = remember(memoryMs, () => readApart('memory', readMemory(app)))
  let sqs: Snapshot['sqs'] = null
  let toldAt = Number.NEGATIVE_INFINITY
  const queue = remember(queueMs, async () => {
    sqs = await readQueue(config)
    toldAt = performance.now()
  })
  const top = (board: Board): Promise<Reading<Page>> =>
    readApart(`leaderboard of ${board}`, readTop(redis, partitions, board, { limit: shownUsers, offset: 0 }))
  return async () => {
    const [status, bySpend, byOrders, ...rare] = await Promise.all([
      readStatus(redis, app, backlog),
      top('spend'),
      top('orders'),
      books(),
      failed(),
      memory(),
      Promise.race([queue(), sleep(queuePatienceMs)]),
    ])
    const followed = await readApart('timeline', timeline(status.atMs))
    const slots = followed.value ?? []
    const [told, groups, memoryUsed] = rare
    const apart = [bySpend, byOrders, told, groups, memoryUsed, followed]
    if (performance.now() - toldAt > queueMs + lateMs) sqs = null // SQS hangs: what it told is no longer so
    return {
      at: new Date(status.atMs).toISOString(),
      hops: hopsOf({ status, slots, rates: rates(status.counters), visible: sqs?.visible ?? null }),
      sqs,
      totals: totalsOf(status),
      critical: latestOf(slots, critical),
      timeline: plotted(slots, status.atMs),
      top: {
        spend: (bySpend.value?.users ?? []).map(({ userId, score }) => ({
          user_id: userId,
          spend_minor: wholeNumberOf(score),
        })),
        orders: (byOrders.value?.users ?? []).map(({ userId, score }) => ({
          user_id: userId,
          orders: wholeNumberOf(score),
        })),
      },
      books: told?.value?.books ?? { ...unknownBooks, differences: told?.unread.map(({ why }) => why) ?? [] },
      failed: groups?.value ?? [],
      memory: memoryUsed?.value ?? null,
      unread: [...status.unread, ...apart.flatMap((one) => one?.unread ?? []), ...(told?.value?.unread ?? [])],
    }
  }
}

function totalsOf({ counters, totals, invalid, stages }: Status): Snapshot['totals'] {
  const of = (name: string): number | null => (counters ? (counters[name] ?? 0) : null)
  return {
    received: of('received'),
    admitted: of('admitted'),
    duplicates: of('duplicates'),
    rejected: of('rejected'),
    waiting: counters && totalOf(stages),
    counted: totals?.orders ?? null,
    ranked: of('ranked'),
    revenue_minor: totals?.minor ?? null,
    invalid,
  }
}

function plotted(slots: readonly Slot[], atMs: number): Snapshot['timeline'] {
  const over = slots.filter(({ fromMs }) => fromMs + slotMs + lateMs <= atMs)
  const spans = over.map(({ series }) => series[critical])
  return {
    from: new Date(over[0]?.fromMs ?? atMs).toISOString(),
    slot_ms: slotMs,
    ranked: over.map(({ series }) => series[leaderboard.name]?.orders ?? 0),
    p50_ms: spans.map((span) => span?.p50 ?? null),
    p99_ms: spans.map((span) => span?.p99 ?? null),
  }
}

type Place = Pick<App, 'redis' | 'partitions'>

const unknownBooks: Snapshot['books'] = { balanced: null, differences: [], lost: null, notes: [] }

async function readBooksIn({ redis, partitions }: Place): Promise<Pick<Snapshot, 'books' | 'unread'>> {
  const [{ balanced, losses, differences, notes, stages, unread }, incidents] = await Promise.all([
    readBooks(redis, partitions),
    readIncidents(redis),
  ])
  const books = {
    balanced: incidents.length > 0 ? false : balanced,
    differences: [...losses, ...differences, ...incidents.map(({ text }) => text)],
    lost: stages.reduce<number | null>((sum, { lost }) => (sum === null || lost === null ? null : sum + lost), 0),
    notes: [...notes],
  }
  return { books, unread: unread.map((why) => ({ reading: 'books', why })) }
}

async function readFailed({ redis, partitions }: Place): Promise<Snapshot['failed']> {
  const groups = await summarize(redis, partitions)
  return groups.map(({ newest: { id }, ...group }) => ({ ...group, example: { id } }))
}

async function readMemory({ redis, partitions }: Place): Promise<Snapshot['memory']> {
  const memory = await fullestOf(redis, partitions)
  if (!memory) return null
  const { used, most } = memory
  return { used_bytes: used, most_bytes: most === 0 ? null : most }
}

async function readQueue(config: App['config']): Promise<Snapshot['sqs']> {
  const state = await inspectQueue(config).catch(() => undefined)
  if (state?.status !== 'found') return null
  return { visible: state.messages, in_flight: state.inFlight, dead_letters: state.deadLetters ?? null }
}
