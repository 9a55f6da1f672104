import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { App } from '../app.ts'
import { messageOf, OrdersError } from '../errors.ts'
import { inspectQueue } from '../ingest/queue.ts'
import { rejectCodes } from '../messages.ts'
import { memoryAt } from '../redis.ts'
import { readBooks, waitingForAny } from '../stages/books.ts'
import { summarize } from '../stages/invalid-read.ts'
import { type Board, leaderboard, type RankedUser } from '../stages/leaderboard.ts'
import { readStatus, type Status } from '../stages/status.ts'
import { critical, followTimeline, type Slot, slotMs } from '../stages/timeline.ts'
import { readTop } from '../stages/top.ts'
import { hop, hopsOf, latestOf, openRates } from './hops.ts'

const count = z.int()
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
      received: count,
      admitted: count,
      duplicates: count,
      rejected: count,
      waiting: count.meta({ description: 'For any stage.' }),
      counted: count,
      ranked: count,
      revenue_minor: minor,
      invalid: count.meta({ description: 'Orders in the invalid channel now.' }),
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
        example: z.object({
          id: z.string(),
          text: z.string().meta({ description: 'What was sent: its first 1,000 characters.' }),
          stage: z.string().nullable().meta({ description: 'The stage that rejected it, if it was a later one.' }),
        }),
      }),
    ),
    books: z.object({
      balanced: z.boolean().nullable().meta({ description: 'null where it could not be told.' }),
      differences: z.array(z.string()),
    }),
    memory: z.object({ used_bytes: count, most_bytes: count.nullable() }).meta({ description: "Redis' own." }),
  })
  .meta({ id: 'Snapshot' })
export type Snapshot = z.output<typeof snapshot>

/** Each of ten: what fits beside all else. */
const shownUsers = 10
/** A body may have 1 MB; the whole of it is at GET /orders/invalid/{id}. */
const exampleLength = 1_000

/** The books hold Redis up for some 10 ms, the others for less; SQS has its price. */
const [booksMs, failedMs, memoryMs, queueMs] = [5_000, 2_000, 5_000, 5_000]
/** So long a snapshot waits for news of SQS; what comes later is in the next one. */
const queuePatienceMs = 200

/** Reads snapshots one after the other. What is dear to read, or does not change, is taken from an earlier one. */
export function openSnapshots(app: Pick<App, 'config' | 'redis' | 'keys'>): () => Promise<Snapshot> {
  const { config, redis, keys } = app
  const timeline = followTimeline(redis, keys)
  const rates = openRates()
  const books = remembered(booksMs, () => readBooksIn(app))
  const failed = remembered(failedMs, () => readFailed(app))
  const memory = remembered(memoryMs, () => readMemory(app))
  let sqs: Snapshot['sqs'] = null
  const queue = remembered(queueMs, async () => {
    sqs = await readQueue(config)
  })
  const top = async (board: Board): Promise<readonly RankedUser[]> =>
    (await readTop(redis, keys, board, { limit: shownUsers, offset: 0 })).users
  return async () => {
    const [status, bySpend, byOrders, ...rare] = await Promise.all([
      readStatus(redis, keys),
      top('spend'),
      top('orders'),
      books(),
      failed(),
      memory(),
      Promise.race([queue(), sleep(queuePatienceMs)]),
    ])
    const slots = await timeline(status.atMs)
    return {
      at: new Date(status.atMs).toISOString(),
      hops: hopsOf({ status, slots, rates: rates(status.counters), visible: sqs?.visible ?? null }),
      sqs,
      totals: totalsOf(status),
      critical: latestOf(slots, critical),
      timeline: plotted(slots, status.atMs),
      top: {
        spend: bySpend.map(({ userId, score }) => ({ user_id: userId, spend_minor: score })),
        orders: byOrders.map(({ userId, score }) => ({ user_id: userId, orders: score })),
      },
      books: rare[0],
      failed: rare[1],
      memory: rare[2],
    }
  }
}

/** What `read` gave, for so long; read by one at a time. What failed is read again at once. */
function remembered<T>(forMs: number, read: () => Promise<T>): () => Promise<T> {
  let value: Promise<T> | undefined
  let until = 0
  return () => {
    if (value && performance.now() < until) return value
    until = Number.POSITIVE_INFINITY
    value = read().finally(() => {
      until = performance.now() + forMs
    })
    value.catch(() => {
      value = undefined
    })
    return value
  }
}

function totalsOf({ counters, totals, invalid }: Status): Snapshot['totals'] {
  const of = (name: string): number => counters[name] ?? 0
  return {
    received: of('received'),
    admitted: of('admitted'),
    duplicates: of('duplicates'),
    rejected: of('rejected'),
    waiting: waitingForAny(counters),
    counted: totals.orders,
    ranked: of('ranked'),
    revenue_minor: totals.minor,
    invalid,
  }
}

/** Every process writes what it has done within a second; a slot counts as over a little later. */
const lateMs = 2_000

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

type Place = Pick<App, 'redis' | 'keys'>

async function readBooksIn({ redis, keys }: Place): Promise<Snapshot['books']> {
  try {
    const { balanced, differences } = await readBooks(redis, keys)
    return { balanced, differences: [...differences] }
  } catch (error) {
    if (error instanceof OrdersError) return { balanced: null, differences: [messageOf(error)] }
    throw error
  }
}

async function readFailed({ redis, keys }: Place): Promise<Snapshot['failed']> {
  const groups = await summarize(redis, keys)
  return groups.map(({ example: { id, text, json, record }, ...group }) => ({
    ...group,
    example: { id, text: (text ?? json).slice(0, exampleLength), stage: record.stage ?? null },
  }))
}

async function readMemory({ redis, keys }: Place): Promise<Snapshot['memory']> {
  const { used, most } = await memoryAt(redis, keys.counters)
  return { used_bytes: used, most_bytes: most === 0 ? null : most }
}

async function readQueue(config: App['config']): Promise<Snapshot['sqs']> {
  const state = await inspectQueue(config).catch(() => undefined)
  if (state?.status !== 'found') return null
  return { visible: state.messages, in_flight: state.inFlight, dead_letters: state.deadLetters ?? null }
}
