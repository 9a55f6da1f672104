import { z } from 'zod'
import { hint } from '../../messages.ts'
import { traceOrder } from '../../reads/locate/locate.ts'
import { defineRoute } from '../http/handler.ts'
import { amount, userParams } from '../http/schemas.ts'
import { scanInTurn, tooManyReads } from '../http/turns.ts'

const time = z.iso.datetime()
const because = z.string().meta({ description: 'How this is known, or why it is not.' })

const step = z
  .object({
    done: z.enum(['yes', 'no', 'unknown']),
    not_before: time.nullable(),
    not_after: time.nullable().meta({ description: 'The same as not_before where it is known exactly.' }),
    because,
  })
  .meta({ id: 'Step' })

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
        held_ms: z.int().optional().meta({ description: 'Since the consumer got it, or committed it in vain.' }),
        deliveries: z.int().optional(),
      }),
    ),
    message: z.string().optional().meta({ description: 'The SQS message, or what sent it round again.' }),
    ticket: z.string().optional().meta({ description: 'The job that sent it round.' }),
    attempts: z.int().optional().meta({ description: 'How often it had been rejected by then.' }),
    orders: z.int().optional().meta({ description: 'Orders of the user that the entry counts.' }),
  })
  .meta({ id: 'WaitingEntry' })

const rejected = z
  .object({
    id: z.string().meta({ description: 'More is at /orders/invalid/{id}.' }),
    code: z.string(),
    reason: z.string(),
    hint: hint.optional(),
    ts: z.string(),
    stage: z.string().optional(),
    attempts: z.int(),
    first_reason: z.string().optional(),
    first_ts: z.string().optional(),
    edits: z.array(z.object({ by: z.string(), ts: z.string() })).optional(),
  })
  .meta({ id: 'Rejected' })

/** What is known of an order: as the API replies and `orders trace --json` prints. */
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
    amount: amount.nullable().meta({ description: 'What it was admitted with; null where it was not.' }),
    waiting: z.array(waiting).meta({ description: 'Where the order, or a copy of it, waits for a stage.' }),
    counted: z.array(waiting).meta({ description: 'Where totals of its user wait that may count it.' }),
    invalid: z.array(rejected).meta({ description: 'Its entries in the invalid channel.' }),
    discarded: z
      .array(z.object({ at: z.string(), by: z.string(), why: z.string(), rejected }))
      .meta({ description: 'Given up: by whom and why.' }),
    duplicates: z.object({ total: z.int().meta({ description: 'Of all orders.' }), because }),
    looked: z
      .array(
        z.object({
          stream: z.string(),
          entries: z.int(),
          of: z.int(),
          whole: z.boolean().meta({ description: 'Whether no entry was left out.' }),
          more: z.boolean().meta({ description: 'Whether more was found in it than is told: the newest 50 are.' }),
        }),
      )
      .meta({
        description: 'How much of which stream was looked through: of a long one its oldest and newest entries.',
      }),
    settled: z.boolean().meta({
      description:
        'False where orders were replayed all the while, so that this one may have been passed over: ask again.',
    }),
  })
  .meta({ id: 'Trace' })

export const orderTrace = defineRoute({
  method: 'get',
  path: '/orders/{user_id}/{order_id}/trace',
  summary: 'Where an order is or was, as far as it is known; what is not known is said.',
  right: 'orders',
  params: userParams.extend({ order_id: z.string().meta({ description: 'Which order of the user.' }) }),
  reply: traceReply,
  refusals: tooManyReads,
  handle: async (app, { params: { user_id, order_id }, signal, client }) =>
    scanInTurn({ signal, client }, () =>
      traceOrder({ ...app, redis: app.ask }, { userId: user_id, orderId: order_id, signal }),
    ),
})
