import { z } from 'zod'
import { orderMs, recordedKinds, reversal } from './corrections.ts'
import { maxOrderValue } from './order/money.ts'
import { bridgeCodes } from './reject-codes.ts'

/** Past rejections of an order that was requeued. */
export const history = z.object({
  /** Number of rejections. */
  attempts: z.int(),
  first_reason: z.string(),
  first_ts: z.string(),
  /** Corrections, oldest first: by whom, when, and the body before. */
  edits: z.array(z.object({ by: z.string(), ts: z.string(), before: z.string() })).optional(),
})
export type History = z.output<typeof history>

/** The kinds of envelopes around orders that the bridge opens. */
export const envelopeKinds = ['sns', 'eventbridge', 'cloudevents', 'base64', 'gzip', 's3'] as const
export type EnvelopeKind = (typeof envelopeKinds)[number]
/** The envelopes, and a body that holds many orders. */
export const layerKinds = [...envelopeKinds, 'many'] as const
export type LayerKind = (typeof layerKinds)[number]

/** The layers that an order was in, outermost first, and the text as received. */
export const envelope = z
  .object({
    layers: z.array(
      z.object({
        kind: z.enum(layerKinds),
        source: z.string().optional().meta({ description: 'Topic, source of the event, or bucket.' }),
        id: z.string().optional().meta({
          description:
            'Of the notification or event; key of the object; of `many`: SQS message and place in it, from 0.',
        }),
        subject: z.string().optional().meta({ description: 'Subject, detail-type, or type of the event.' }),
      }),
    ),
    text: z.string().optional().meta({
      description: 'The message as it was received, or its part `many`. Absent if the order itself is that part.',
    }),
  })
  .meta({ id: 'Envelope' })
export type Envelope = z.output<typeof envelope>

/** Times of a record, in ms. A decision depends on them, and never on when a stage gets to the record. */
export interface RecordTimes {
  /** When it was sent to SQS; when its entry was written, where that is not known. */
  readonly sentMs: number
  /** When its entry was written, by Redis' clock: for an order after the first stage, when it was admitted. */
  readonly atMs: number
}

/**
 * Fields that the runner adds to records of any kind, so no kind may declare them. They say nothing about the order: no
 * identity has them.
 */
export const runnerFields = {
  /**
   * The contexts of the spans that its orders passed last (see src/tracing/context.ts). Only of orders whose producer traces
   * them. No rejected record has it.
   */
  traceparents: z.array(z.string()).optional(),
  /**
   * Of a record that a later stage has rejected: the times of the entry in which that stage had it first. A replay brings it
   * back in another entry, and it must count as if it had not been rejected.
   */
  runner_times: z.object({ sentMs: orderMs, atMs: orderMs }).optional().catch(undefined),
}
export interface Traced {
  readonly traceparents?: readonly string[] | undefined
}
export interface Timed {
  readonly runner_times?: RecordTimes | undefined
}

/** Returns a record that continues a trace, if there is one. */
export const withTrace = <R extends object>(record: R, trace: string | undefined): R & Traced =>
  trace === undefined ? record : { ...record, traceparents: [trace] }

/** Returns a record as text, without its trace. */
export const untracedText = ({ traceparents: _, ...record }: Traced): string => JSON.stringify(record)

/** Returns whether a record may have those fields so. Those with times are few. */
export const hasPlainRunnerFields = ({ traceparents, runner_times }: Readonly<Record<string, unknown>>): boolean =>
  runner_times === undefined &&
  (traceparents === undefined || (Array.isArray(traceparents) && traceparents.every(isText)))

/**
 * Holds a message as received, or the order in its envelopes. With partitions the bridge has looked for the user in its body; validate is the first to judge
 * it. `id` is the SQS MessageId, or names what requeued the order. The verdict on a record with a `jobId` goes to that job's
 * outcome. The glossary in docs/architecture.md explains the words.
 */
export const rawRecord = z.object({
  id: z.string().min(1),
  body: z.string(),
  jobId: z.string().optional(),
  history: history.optional(),
  envelope: envelope.optional(),
  /** Set where the bridge found what validate cannot see: the body is kept, and rejected for this. */
  rejection: z.object({ code: z.enum(bridgeCodes), reason: z.string() }).optional(),
  /** Of an order that a job of `orders undo` sends: the body only names the order. The bridge never writes it. */
  undo: reversal.extend({ user_id: z.string(), order_id: z.string(), redo: z.literal(true).optional() }).optional(),
})
export type RawRecord = z.output<typeof rawRecord> & Traced

/** How long the outcome of a job can be read. */
export const outcomeSeconds = 7 * 86_400

/** The largest order_value with four decimals. A double adds 900 of them exactly, or 90,000 with two decimals. */
const maxMinor = maxOrderValue * 10_000

/**
 * An admitted order or a correction, reduced to what later stages need: by how much it changes the user's orders and spend.
 * `order_timestamp` is the message's own, as the producer wrote it, if it is text.
 */
export const validRecord = z.object({
  user_id: z.string(),
  order_id: z.string(),
  /** Below 0 where a correction takes money back. */
  minor: z.int().min(-maxMinor).max(maxMinor),
  /** Absent of an order, which counts as one. */
  correction: z.enum(recordedKinds).optional(),
  /** Where an undo takes it back, or its redo puts it back. */
  undo: reversal.optional(),
  /** Of a correction that was sent with one. */
  event_id: z.string().optional(),
  order_timestamp: z.string().optional(),
})
export type ValidRecord = z.output<typeof validRecord>

/** A user's totals after a batch with `orders` orders of theirs. */
export const countedRecord = z.object({
  user_id: z.string(),
  orders: z.int().positive(),
  // Sums may exceed 2^53; then they are rounded, not refused.
  // A correction may be counted before its order, by another process: below 0 until that is counted too.
  order_count: z.number(),
  total_spend_minor: z.number(),
})
export type CountedRecord = z.output<typeof countedRecord>

/** A kind of record that travels on a channel. A stage says which kind it takes, and which it passes on. */
export interface RecordKind<R extends object = object> {
  readonly schema: z.ZodObject<z.ZodRawShape, z.core.$strip | z.core.$loose>
  /** Recognizes most records without the schema, which takes longer than everything else done with them. */
  isPlain?(value: Readonly<Record<string, unknown>>): boolean
  /** How many orders a record stands for: 1, unless it says so. */
  orders?(record: R): number
  /** Returns the text to keep of it if it is rejected. Without it, everything is kept. */
  text?(record: R): string
  /** Types only: never set. */
  readonly record?: R
}

/** Declares a kind of record by its schema, for stages that pass on a kind of their own. */
export function recordKind<S extends z.ZodObject<z.ZodRawShape, z.core.$strip | z.core.$loose>>(
  schema: S,
  more: Pick<RecordKind<z.output<S>>, 'isPlain' | 'orders' | 'text'> = {},
): RecordKind<z.output<S>> {
  return { schema, ...more }
}

/** An order as it came in: written by the bridge, taken by the first stage. */
export const rawOrder: RecordKind<RawRecord> = {
  schema: rawRecord,
  isPlain: ({ id, body, jobId, history, envelope, rejection, undo }) =>
    isText(id) &&
    id !== '' &&
    isText(body) &&
    jobId === undefined &&
    history === undefined &&
    envelope === undefined &&
    rejection === undefined &&
    undo === undefined,
  text: ({ body }) => body,
}

/** An order that was admitted. */
export const admittedOrder: RecordKind<ValidRecord> = {
  schema: validRecord,
  isPlain: ({ user_id, order_id, minor, correction, order_timestamp }) =>
    isText(user_id) &&
    isText(order_id) &&
    Number.isInteger(minor) &&
    Math.abs(minor as number) <= maxMinor &&
    correction === undefined &&
    (order_timestamp === undefined || isText(order_timestamp)),
}

/** A user's totals after some orders of theirs were counted. */
export const userTotals: RecordKind<CountedRecord> = {
  schema: countedRecord,
  isPlain: ({ user_id, orders, order_count, total_spend_minor }) =>
    isText(user_id) &&
    Number.isSafeInteger(orders) &&
    (orders as number) > 0 &&
    Number.isFinite(order_count) &&
    Number.isFinite(total_spend_minor),
  orders: ({ orders }) => orders,
}

const isText = (value: unknown): value is string => typeof value === 'string'

/** Verdicts of the pipeline on one order. `corrected`: of a correction. `cancelled`: the job was cancelled before
 * it sent its order. */
export const verdicts = ['admitted', 'corrected', 'duplicate', 'conflict', 'rejected', 'cancelled'] as const
