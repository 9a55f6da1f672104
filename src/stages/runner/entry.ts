import { isUtf8 } from 'node:buffer'
import type { RecordTimes, Timed } from '../../messages.ts'
import { boundMs, idMs } from '../../stream-id.ts'
import type { Channel, Pipeline } from '../placed.ts'

/*
 * The format of a stream entry. Its fields have names of one letter; the first field of a name counts, others are ignored.
 *   r  the records, a JSON array of 1 to 10,000
 *   n  the number of orders in them: 1 to 9 decimal digits, the first not 0; anything else stands for 1
 *   c  present if its orders are counted as received: the entry was written by one of our scripts
 *   g  the only stage that must process it; a name that no reader of the stream has stands for all readers
 *   t  the times its orders were sent to SQS, a JSON array: ms and number of orders, alternating
 *   p  the context of the span that wrote it: traceparent, tracestate
 * Scripts read n, c and g by the same rules in entry.lua.
 */

/** A decoded stream entry. */
export interface Entry {
  readonly id: string
  /** Alternating names and values, as in the stream. */
  readonly fields: readonly Buffer[]
  /** Undefined if the entry is not a batch of records of its channel. */
  readonly records: readonly object[] | undefined
  /** The number of orders that the entry states; 1 if it states none that is valid. */
  readonly orders: number
  /** True if its orders were counted when it was written, by one of our scripts. */
  readonly counted: boolean
  /** Alternating: the time orders were sent to SQS, in ms, and their number. Empty if unknown. */
  readonly sent: readonly number[]
  /** The context of the span that wrote it (see src/tracing/context.ts). */
  readonly traceparent: string | undefined
  /** The only stage that must process it; undefined for all that read the stream. */
  readonly group: string | undefined
}

/** The most records of an entry (BATCH_RECORDS is 5,000 at most). A larger entry would be too much for one script. */
export const maxRecords = 10_000
/** A record may stand for many orders, but no commit passes on a billion of them. */
const ordersForm = /^[1-9]\d{0,8}$/

/**
 * Decodes an entry. Never throws: an entry that is not a batch of this channel's records has none.
 * @param from name of its channel
 */
export function decodeEntry(pipeline: Pipeline, id: string, fields: readonly Buffer[], from: string): Entry {
  const channel = pipeline.channel(from)
  const { r, n, c, t, p, g } = firstOfEach(fields)
  const stated = n?.toString()
  return {
    id,
    fields,
    records: r && isUtf8(r) ? parseRecords(r.toString(), channel) : undefined,
    orders: stated !== undefined && ordersForm.test(stated) ? Number(stated) : 1,
    counted: c !== undefined,
    sent: sentOf(t),
    traceparent: p?.toString(),
    group: groupOf(g, channel),
  }
}

/**
 * Returns a function that takes one record of an entry after the other, and the number of its orders, and returns its times.
 * They follow from the entry alone, so that all who place an order place it on the same day. Only in an entry for one stage
 * alone does a record have times of its own: there a replay has put it.
 */
export function recordTimes(entry: Entry): (record: Timed, orders?: number) => RecordTimes {
  const sentOf = sentTimes(entry)
  const atMs = idMs(entry.id)
  return ({ runner_times }, orders = 1) => {
    const own = { sentMs: sentOf(orders), atMs }
    return entry.group === undefined ? own : (runner_times ?? own)
  }
}

/**
 * Returns a function that takes the orders of one record after the other, and returns when the last of them was sent. The
 * entry has the times in the order of its records. It may have a few too many, of orders that the ledger dropped.
 */
function sentTimes({ id, sent }: Entry): (orders: number) => number {
  const first = boundMs(sent[0] ?? idMs(id))
  if (sent.length <= 2) return () => first // the usual entry: called for each order
  let [at, left] = [0, sent[1] ?? 0]
  return (orders) => {
    for (left -= orders; left < 0 && at + 2 < sent.length; left += sent[at + 1] ?? 0) at += 2
    return boundMs(sent[at] ?? first)
  }
}

export function entryBytes({ fields }: Entry): number {
  return fields.reduce((sum, field) => sum + field.length, 0)
}

type FieldName = 'r' | 'n' | 'c' | 't' | 'p' | 'g'

function firstOfEach(fields: readonly Buffer[]): Partial<Record<FieldName, Buffer>> {
  const found: Record<string, Buffer> = Object.create(null)
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [name, value] = [fields[at], fields[at + 1]] as [Buffer, Buffer]
    if (name.length === 1) found[name.toString()] ??= value
  }
  return found
}

const sentForm = /^\[[1-9]\d{0,14},[1-9]\d{0,8}(,[1-9]\d{0,14},[1-9]\d{0,8})*\]$/
/** A pair for each order of the largest commit, 5,000, takes less. */
const maxSent = 130_000

function sentOf(value: Buffer | undefined): number[] {
  const text = value?.toString()
  return text !== undefined && text.length <= maxSent && sentForm.test(text) ? JSON.parse(text) : []
}

function groupOf(value: Buffer | undefined, { readers }: Channel): string | undefined {
  const name = value?.toString()
  return readers.some((stage) => stage.name === name) ? name : undefined
}

function parseRecords(text: string, channel: Channel): object[] | undefined {
  try {
    const sent: unknown = JSON.parse(text)
    return isPlainBatch(sent, channel) ? sent : channel.batch.safeParse(sent).data
  } catch {
    return undefined
  }
}

function isPlainBatch(sent: unknown, { isPlain }: Channel): sent is object[] {
  if (!Array.isArray(sent) || sent.length === 0 || sent.length > maxRecords) return false
  return sent.every(
    (record) => typeof record === 'object' && record !== null && isPlain(record as Record<string, unknown>),
  )
}
