import { z } from 'zod'
import { pauseSchema } from '../../control/pauses.ts'
import { totalOf } from '../../reads/backlog.ts'
import type { Status } from '../../reads/status.ts'
import { hop } from '../live/pipeline-view.ts'

const known = z.int().nullable().meta({ description: 'null if it cannot be read: see unread.' })
export const minor = z.number().meta({ description: 'Minor units, as cents.' })

/** The sums of all orders, in snapshots and in `orders status --json`. */
export const totalsReply = z.object({
  received: known.meta({ description: 'From SQS, by a request, and again each time an order is replayed.' }),
  replayed: known.meta({ description: 'Of those received, orders that were replayed, edited ones included.' }),
  admitted: known,
  corrected: known.optional().meta({
    description:
      'Corrections of orders: cancellations, refunds and amendments. An API of an earlier release knows none.',
  }),
  duplicates: known,
  rejected: known,
  waiting: known.meta({ description: 'For any stage.' }),
  counted: known,
  ranked: known,
  revenue_minor: minor.nullable(),
  invalid: known.meta({ description: 'Orders in the invalid channel now.' }),
})

export function totalsOf({ counters, totals, invalid, stages }: Status): z.output<typeof totalsReply> {
  const of = (name: string): number | null => (counters ? (counters[name] ?? 0) : null)
  return {
    received: of('received'),
    replayed: of('replayed'),
    admitted: of('admitted'),
    corrected: of('corrected'),
    duplicates: of('duplicates'),
    rejected: of('rejected'),
    waiting: counters && totalOf(stages),
    counted: totals?.orders ?? null,
    ranked: of('ranked'),
    revenue_minor: totals?.minor ?? null,
    invalid,
  }
}

export const unreadReply = z
  .array(z.object({ reading: z.string(), why: z.string() }))
  .meta({ description: 'What could not be read from Redis, and why. Everything else is valid.' })

const { waiting, pending, oldest_pending_ms, oldest_waiting_ms, consumers, processes, stall } = hop.shape

/** The reply of `orders status --json`, with the names of the API's snapshots. */
export const statusReply = z.object({
  at: z.iso.datetime(),
  totals: totalsReply,
  /** As in Redis. */
  counters: z.record(z.string(), z.number()).nullable(),
  bridge: z.object({ processes, stall }),
  stages: z.array(
    z.object({
      stage: z.string(),
      ...{ waiting, pending, oldest_pending_ms, oldest_waiting_ms, consumers, processes, stall },
      lag: z.int().nullable(),
      unaccounted: z.int().nullable(),
    }),
  ),
  paused: z.record(z.string(), pauseSchema).nullable(),
  dead_letters: z
    .object({ messages: z.int(), since: z.iso.datetime().nullable(), at: z.iso.datetime() })
    .nullable()
    .meta({ description: 'As a bridge counted them; null if none has in the last five minutes.' }),
  unread: unreadReply,
})

export function statusOf(status: Status): z.input<typeof statusReply> {
  const { atMs, counters, bridge, paused, deadLetters, unread } = status
  const stages = status.stages.map(({ oldestPendingMs, oldestWaitingMs, ...stage }) => ({
    ...stage,
    oldest_pending_ms: oldestPendingMs,
    oldest_waiting_ms: oldestWaitingMs,
  }))
  const [at, totals] = [new Date(atMs).toISOString(), totalsOf(status)]
  return {
    ...{ at, totals, counters: counters && { ...counters }, bridge, stages, paused },
    ...{ dead_letters: deadLetters, unread: [...unread] },
  }
}
