import { z } from 'zod'

/*
 * Glossary
 *   order     what a producer sent, as JSON text in the body of an SQS message
 *   record    one order (or one user's new totals) on a stream
 *   entry     one entry of a stream: a batch of records (field r, a JSON array) and the number of orders in it (field n)
 *   stage     a consumer group that decides each record of one stream and emits to the next
 *   pending   an entry delivered to a consumer and not yet acknowledged
 *   commit    the script that acknowledges entries and applies, emits, rejects and counts their records, all or nothing
 *   identity  (user_id, order_id): what makes two messages the same order
 *   ledger    the memory of admitted identities, so that none is admitted twice
 *   invalid   the channel of rejected records: a stream and a list
 *   minor     minor units of money (cents); an integer everywhere but at the edges
 */

/** A message as it came: its body is not looked at before validate. `id` is the SQS MessageId. */
export const rawRecord = z.object({ id: z.string(), body: z.string() })
export type RawRecord = z.output<typeof rawRecord>

/** An admitted order, reduced to what later stages need. `order_timestamp` as the producer wrote it, if it is text. */
export const validRecord = z.object({
  user_id: z.string(),
  order_id: z.string(),
  minor: z.int(),
  order_timestamp: z.string().optional(),
})
export type ValidRecord = z.output<typeof validRecord>

/** A user's totals after a batch with `orders` orders of theirs. */
export const countedRecord = z.object({
  user_id: z.string(),
  orders: z.int(),
  order_count: z.int(),
  total_spend_minor: z.int(),
})
export type CountedRecord = z.output<typeof countedRecord>

/** What travels on each work stream, how many orders a record stands for, and the text to keep should it be rejected. */
export const channels = {
  raw: { record: rawRecord, orders: () => 1, text: (record: RawRecord) => record.body },
  valid: { record: validRecord, orders: () => 1, text: (record: ValidRecord) => JSON.stringify(record) },
  counted: {
    record: countedRecord,
    orders: (record: CountedRecord) => record.orders,
    text: (record: CountedRecord) => JSON.stringify(record),
  },
} as const satisfies { [C in ChannelName]: Channel<RecordOf[C]> }

export interface RecordOf {
  raw: RawRecord
  valid: ValidRecord
  counted: CountedRecord
}
export type ChannelName = keyof RecordOf

export interface Channel<R> {
  readonly record: z.ZodType<R>
  orders(record: R): number
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

/** An element of the invalid channel as the API shows it. */
export const invalidOrder = z
  .object({
    id: z.string().meta({ description: 'Entry id in the stream `orders:invalid`.' }),
    order: z
      .looseObject({})
      .nullable()
      .meta({ description: 'The order as it was sent; null if it is not a JSON object.' }),
    raw: z.string().optional().meta({ description: 'The exact text received, where `order` is null.' }),
    raw_base64: z.string().optional().meta({ description: 'The exact bytes, where they are not text.' }),
    code: z.enum(rejectCodes),
    reason: z.string(),
    ts: z.iso.datetime().meta({ description: 'When it was rejected.' }),
  })
  .meta({ id: 'InvalidOrder' })
