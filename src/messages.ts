import { z } from 'zod'

/*
 * Glossary
 *   order     what a producer sent, as JSON text in the body of an SQS message
 *   record    one order (or one user's new totals) on a stream
 *   entry     one entry of a stream: a batch of records (field r, a JSON array) and the number of orders in it (field n);
 *             where they were counted as received already field c, where it is for one group alone field g, and field t
 *             says when its orders were sent to SQS (ms and number of orders in turn, a JSON array), field p whose span
 *             wrote it (a traceparent), where traces are collected
 *   stage     a consumer group that decides each record of one stream and emits to the next
 *   pending   an entry delivered to a consumer and not yet acknowledged
 *   commit    the script that acknowledges entries and applies, emits, rejects and counts their records, all or nothing
 *   identity  (user_id, order_id): what makes two messages the same order
 *   ledger    the memory of admitted identities, so that none is admitted twice
 *   invalid   the channel of rejected records: a stream and a list
 *   ticket    what a job's orders carry on their way, so that the job learns what became of them: its outcome
 *   minor     minor units of money (cents); an integer everywhere but at the edges
 */

/** What an order that was rejected before brings with it when it goes round again. */
export const history = z.object({
  /** How often it was rejected. */
  attempts: z.int(),
  first_reason: z.string(),
  first_ts: z.string(),
  /** Who put another body in its place and when, oldest first, each with the body it had before. */
  edits: z.array(z.object({ by: z.string(), ts: z.string(), before: z.string() })).optional(),
})
export type History = z.output<typeof history>

/**
 * A message as it came: its body is not looked at before validate. `id` is the SQS MessageId, or names what sent it
 * round again. The verdict on a record with a `ticket` is written to that ticket's outcome.
 */
export const rawRecord = z.object({
  id: z.string().min(1),
  body: z.string(),
  ticket: z.string().optional(),
  history: history.optional(),
})
export type RawRecord = z.output<typeof rawRecord>

/** What became of a job's orders can be read for so long. */
export const outcomeSeconds = 7 * 86_400

/** An order_value is 1e9 at most. */
const mostMinor = 100_000_000_000

/** An admitted order, reduced to what later stages need. `order_timestamp` as the producer wrote it, if it is text. */
export const validRecord = z.object({
  user_id: z.string(),
  order_id: z.string(),
  minor: z.int().min(0).max(mostMinor),
  order_timestamp: z.string().optional(),
})
export type ValidRecord = z.output<typeof validRecord>

/** A user's totals after a batch with `orders` orders of theirs. */
export const countedRecord = z.object({
  user_id: z.string(),
  orders: z.int().positive(),
  // Sums may pass 2^53; they are then rounded, not refused.
  order_count: z.number().min(0),
  total_spend_minor: z.number().min(0),
})
export type CountedRecord = z.output<typeof countedRecord>

/** What travels on each work stream. */
export const channels = {
  raw: {
    record: rawRecord,
    isPlain: ({ id, body, ticket, history }) =>
      isText(id) && id !== '' && isText(body) && ticket === undefined && history === undefined,
    orders: () => 1,
    text: ({ body }) => body,
  },
  valid: {
    record: validRecord,
    isPlain: ({ user_id, order_id, minor, order_timestamp }) =>
      isText(user_id) &&
      isText(order_id) &&
      isAmount(minor) &&
      Number.isInteger(minor) &&
      minor <= mostMinor &&
      (order_timestamp === undefined || isText(order_timestamp)),
    orders: () => 1,
    text: (record) => JSON.stringify(record),
  },
  counted: {
    record: countedRecord,
    isPlain: ({ user_id, orders, order_count, total_spend_minor }) =>
      isText(user_id) &&
      isAmount(orders) &&
      Number.isSafeInteger(orders) &&
      orders > 0 &&
      isAmount(order_count) &&
      isAmount(total_spend_minor),
    orders: ({ orders }) => orders,
    text: (record) => JSON.stringify(record),
  },
} as const satisfies { [C in ChannelName]: Channel<RecordOf[C]> }

const isText = (value: unknown): value is string => typeof value === 'string'
const isAmount = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0

export interface RecordOf {
  raw: RawRecord
  valid: ValidRecord
  counted: CountedRecord
}
export type ChannelName = keyof RecordOf

export interface Channel<R> {
  readonly record: z.ZodType<R>
  /** Whether this is a record as nearly all are, told without the schema, which takes longer than all else about it. */
  isPlain(value: Readonly<Record<string, unknown>>): boolean
  /** How many orders a record stands for. */
  orders(record: R): number
  /** What to keep of it should it be rejected. */
  text(record: R): string
}

export const rejectCodes = [
  'malformed-json',
  'not-an-object',
  'missing-field',
  'bad-identity',
  'bad-value',
  'bad-items',
  'total-mismatch',
  'conflict',
  'internal-error',
] as const
export type RejectCode = (typeof rejectCodes)[number]

/** Why a record was not accepted: a code for machines, a sentence for people. */
export interface Rejection {
  readonly code: RejectCode
  readonly reason: string
}

/** What rejections are grouped by: every reason there is; of those that name the order itself, their pattern. */
export const rejectGroups = {
  'malformed-json': 'Malformed JSON',
  'not-an-object': 'Order must be a JSON object',
  'missing-field:user_id': 'Missing required field: user_id',
  'missing-field:order_id': 'Missing required field: order_id',
  'missing-field:order_value': 'Missing required field: order_value',
  'bad-identity:user_id': 'user_id must be a non-empty string',
  'bad-identity:order_id': 'order_id must be a non-empty string',
  'bad-value:number': 'order_value must be a number',
  'bad-value:range': 'order_value must be between 0 and 1000000000',
  'bad-items': "Invalid structure in 'items' list",
  'total-mismatch': 'Calculated total (…) does not match order_value (…)',
  conflict: 'Order … of user … was already accepted with order_value …',
  'internal-error': 'Stage … failed on this order',
} as const
export type RejectGroup = keyof typeof rejectGroups
export const rejectGroupNames = Object.keys(rejectGroups) as readonly RejectGroup[]

export function groupOf({ code, reason }: Rejection): RejectGroup {
  const ofCode = rejectGroupNames.filter((group) => codeOf(group) === code)
  const exact = ofCode.find((group) => rejectGroups[group] === reason)
  // A reason in other words, of another system: by the field that it names.
  const named = ofCode.find((group) => reason.includes(group.split(':')[1] ?? reason))
  return exact ?? named ?? ofCode[0] ?? 'internal-error'
}

export function codeOf(group: RejectGroup): RejectCode {
  return group.split(':')[0] as RejectCode
}

/** Made when the order is read, and not kept: see src/stages/hints. */
export const hint = z.string().meta({
  description:
    'One sentence beside the reason: what was found, where, and what to send. Absent where unsure, and beyond the first 2 MB of a page.',
})

/** An element of the invalid channel as the API shows it. */
export const invalidOrder = z
  .object({
    id: z.string().meta({ description: 'Entry id in the stream `orders:invalid`.' }),
    order: z
      .looseObject({})
      .nullable()
      .meta({ description: 'The order as it was sent; null if it is not a JSON object.' }),
    raw: z.string().optional().meta({ description: 'The exact text received, where `order` is null.' }),
    raw_base64: z
      .string()
      .optional()
      .meta({ description: 'The fields of a stream entry that is no text, names and values in turn, each in base64.' }),
    code: z.enum(rejectCodes),
    reason: z.string(),
    hint: hint.optional(),
    ts: z.iso.datetime().meta({ description: 'When it was rejected.' }),
    stage: z.string().optional().meta({ description: 'The stage that rejected it, where it was not validate.' }),
    attempts: z.int().meta({ description: 'How often it was rejected, this time included.' }),
    first_reason: z.string().optional().meta({ description: 'Why it was rejected the first time, after a replay.' }),
    first_ts: z.string().optional().meta({ description: 'When it was rejected the first time, after a replay.' }),
    edits: history.shape.edits,
  })
  .meta({ id: 'InvalidOrder' })
