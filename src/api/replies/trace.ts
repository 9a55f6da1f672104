import { z } from 'zod'
import { datings } from '../../calendar/calendar.ts'
import { recordedKinds } from '../../corrections.ts'
import { hint, retry } from '../../invalid-order.ts'
import { envelope, verdicts } from '../../messages.ts'
import type { Money } from '../../order/money.ts'
import type { OrderLocation } from '../../reads/locate/locate.ts'
import { amount } from '../http/schemas.ts'
import { erasedReply } from './erased.ts'

const time = z.iso.datetime()
const because = z.string().meta({ description: 'How this is known, or why it is not.' })

const step = z
  .object({
    done: z.enum(['yes', 'no', 'unknown']),
    not_before: time.nullable(),
    not_after: time.nullable().meta({ description: 'Equal to not_before if it is known exactly.' }),
    because,
  })
  .meta({ id: 'Step' })

const envelopes = envelope
  .pick({ layers: true })
  .meta({ id: 'Envelopes', description: 'The envelopes in which it came.' })

const waiting = z
  .object({
    stream: z.string(),
    entry: z.string(),
    since: time,
    held_by: z.array(
      z.object({
        stage: z.string(),
        state: z.enum(['undelivered', 'pending', 'acknowledged']),
        consumer: z.string().optional(),
        held_ms: z.int().optional().meta({ description: 'Since the last delivery or rejected commit.' }),
        deliveries: z.int().optional(),
      }),
    ),
    message: z.string().optional().meta({ description: 'The SQS message, or the replay that requeued it.' }),
    jobId: z.string().optional().meta({ description: 'The job that requeued it.' }),
    attempts: z.int().optional().meta({ description: 'How often it had been rejected by then.' }),
    envelope: envelopes.optional(),
    orders: z.int().optional().meta({ description: 'Orders of the user that the entry counts.' }),
  })
  .meta({ id: 'WaitingEntry' })

const rejected = z
  .object({
    id: z.string().meta({ description: 'More is at /orders/invalid/{id}.' }),
    code: z.string(),
    reason: z.string(),
    hint: hint.optional(),
    retry: retry.optional(),
    ts: z.string(),
    stage: z.string().optional(),
    attempts: z.int(),
    first_reason: z.string().optional(),
    first_ts: z.string().optional(),
    edits: z.array(z.object({ by: z.string(), ts: z.string() })).optional(),
    envelope: envelopes.optional(),
  })
  .meta({ id: 'Rejected' })

/** A discarded order, with operator and reason. */
export const discardedReply = z.object({ at: z.string(), by: z.string(), why: z.string(), rejected })

/** How much of a stream was scanned. */
export const scannedReply = z.object({
  stream: z.string(),
  entries: z.int(),
  of: z.int(),
  whole: z.boolean().meta({ description: 'True if every entry was scanned.' }),
  more: z.boolean().meta({ description: 'True if the result was truncated to the newest 50.' }),
})

const day = z
  .object({
    day: z.string().meta({ override: { type: 'string', format: 'date' } }),
    timezone: z.string(),
    dated: z.enum(datings).meta({
      description:
        '`undated`: without a time that can be read; `misdated`: the day of its time was closed, or is to come.',
    }),
  })
  .meta({ id: 'CountedDay' })

const correction = z
  .object({
    kind: z.enum(recordedKinds),
    event_id: z.string().nullable().meta({ description: 'null if it was sent without one.' }),
    state: z.enum(['waiting', 'accepted', 'invalid', 'discarded']),
    since: z.string().meta({ description: 'When it came to where it is.' }),
    amount: amount
      .nullable()
      .meta({ description: 'The amount of a refund, or the new value; null where only the change is known.' }),
    change: amount.nullable().meta({ description: 'By how much it changed the order; null unless it was accepted.' }),
    order_timestamp: z.string().nullable().meta({ description: 'Its own time, as sent.' }),
    day: day.nullable().meta({ description: 'The day that it changes; null if it changes none.' }),
    waiting: waiting.optional().meta({ description: 'Where it waits for a stage.' }),
    rejected: rejected.optional(),
    discarded: z.object({ by: z.string(), why: z.string() }).optional(),
  })
  .meta({ id: 'Correction' })

/** The known facts about an order. The API replies it, and `orders trace --json` prints it. */
export const traceReply = z
  .object({
    user_id: z.string(),
    order_id: z.string(),
    at: time.meta({ description: "When this was so, by Redis' clock." }),
    where: z
      .enum(['ranked', 'applied', 'admitted', 'waiting', 'invalid', 'discarded', 'unknown'])
      .meta({ description: 'The furthest it has come.' }),
    received: step,
    admitted: step,
    applied: step,
    ranked: step,
    amount: amount.nullable().meta({ description: 'The amount it was admitted with; null if it was not admitted.' }),
    net: amount.nullable().meta({ description: 'The amount that corrections have left of it.' }),
    cancelled: z.boolean(),
    undone: z.literal(true).optional().meta({ description: 'Set while an undo has taken it back.' }),
    order_timestamp: z
      .string()
      .nullable()
      .meta({ description: 'Its own time, as sent; null where it is in no stream any more.' }),
    day: day.nullable().meta({ description: 'The day on which it counts; null where it is in no stream any more.' }),
    corrections: z.array(correction).meta({ description: 'Its corrections that are still in a stream, oldest first.' }),
    waiting: z.array(waiting).meta({ description: 'Where the order, or a copy of it, waits for a stage.' }),
    counted: z
      .array(waiting)
      .meta({ description: 'Entries with totals of its user that may include it and wait for a stage.' }),
    invalid: z.array(rejected).meta({ description: 'Its entries in the invalid channel.' }),
    discarded: z.array(discardedReply).meta({ description: 'Discarded: by whom and why.' }),
    ...erasedReply,
    sent: z
      .array(
        z.object({
          at: z.string(),
          by: z.string(),
          invalid_id: z.string().optional().meta({ description: 'The invalid order that it replaced.' }),
          correction: z.enum(['cancel', 'refund', 'amend']).optional().meta({ description: 'What was asked for.' }),
          reason: z.string().optional(),
          job_id: z.string(),
          verdict: z.enum(verdicts).nullable().meta({ description: 'null while it waits, or once it is forgotten.' }),
        }),
      )
      .meta({ description: 'Sent by operators, by the newest 500 entries of the audit log.' }),
    duplicates: z.object({ total: z.int().meta({ description: 'Of all orders.' }), because }),
    scanned: z.array(scannedReply).meta({
      description: 'How much of each stream was scanned. Of a long stream, only its oldest and newest entries are.',
    }),
    settled: z.boolean().meta({
      description:
        'False if orders were replayed during the whole search, so that this one may have been missed: ask again.',
    }),
  })
  .meta({ id: 'Trace' })

export function traceOf(location: OrderLocation, money: Money): z.input<typeof traceReply> {
  const amountOf = (minor: number | null): number | null => (minor === null ? null : money.toAmount(minor))
  const corrections = location.corrections.map((one) => {
    return { ...one, amount: amountOf(one.amount), change: amountOf(one.change) }
  })
  return { ...location, amount: amountOf(location.amount), net: amountOf(location.net), corrections }
}
