import { z } from 'zod'
import type { PartitionScope } from '../../app.ts'
import { invalidOrder, type Retry } from '../../invalid-order.ts'
import { type CountedRecord, type Envelope, envelope, type RawRecord } from '../../messages.ts'
import type { OrderFormat } from '../../order/format.ts'
import { type Message, messageIn, messageInRecord, messageOfRecord } from '../../order/message.ts'
import { hintIn } from '../../stages/hints/entry.ts'
import { retryOf } from '../../stages/invalid/retries.ts'
import type { Channel } from '../../stages/placed.ts'
import { decodeEntry, type Entry } from '../../stages/runner/entry.ts'
import { compareIds } from '../../stream-id.ts'
import { type ScanCoverage, scanStream } from './scan.ts'

/** The order to find. Without a user, finds the orders of any user; without an order, all orders of the user. */
export interface Wanted {
  readonly orderId?: string
  /** Finds the orders of a message of SQS too, or one of them as `<MessageId>/3`, where that is still known. */
  readonly messageId?: string
  readonly userId?: string | undefined
  /** Ends the search when it aborts. */
  readonly signal?: AbortSignal | undefined
}

/** The finds of an order in one stream, oldest first. */
export interface Found<T> {
  readonly scan: ScanCoverage
  readonly found: readonly T[]
}

/** A record of the order, or of its user's totals, and its entry. */
export interface Sighting<R = object> extends Partial<Message> {
  /** Its name. */
  readonly channel: string
  readonly entry: Entry
  readonly record: R
}

/** An order in the invalid channel, without its earlier bodies and its message: each may have 1 MB. */
export interface Rejected {
  readonly id: string
  readonly code: string
  readonly reason: string
  readonly hint?: string | undefined
  /** When it is retried by itself. */
  readonly retry?: Retry | undefined
  readonly ts: string
  readonly stage?: string | undefined
  readonly attempts: number
  readonly first_reason?: string | undefined
  readonly first_ts?: string | undefined
  readonly edits?: { by: string; ts: string }[] | undefined
  readonly envelope?: Pick<Envelope, 'layers'> | undefined
}

/** A discarded order, with operator and reason. */
export interface Discarded {
  readonly at: string
  readonly by: string
  readonly why: string
  readonly rejected: Rejected
}

export const findRaw = (scope: PartitionScope, wanted: Wanted): Promise<Found<Sighting<RawRecord>>> =>
  findRecords(scope, scope.pipeline.first.from, sought(wanted), (record: RawRecord) =>
    matching(messageIn(record.body, scope.format), wanted, [record.id, ...partsIn(record.envelope)]),
  )

/** Finds the order on a channel whose records name one order each. */
export const findOn = (scope: PartitionScope, channel: Channel, wanted: Wanted): Promise<Found<Sighting>> =>
  findRecords(scope, channel.name, sought(wanted), (record: object) => matching(messageOfRecord(record), wanted))

/** Finds totals of the user on a channel: not ranked yet, or ranked a moment ago. They do not name the orders they count. */
export const findTotals = (
  scope: PartitionScope,
  channel: Channel,
  { userId, signal }: Pick<Wanted, 'signal'> & { readonly userId: string },
): Promise<Found<Sighting<CountedRecord>>> =>
  findRecords(scope, channel.name, { text: userId, signal }, (record: CountedRecord) =>
    record.user_id === userId ? { userId } : undefined,
  )

export async function findInvalid(scope: PartitionScope, wanted: Wanted): Promise<Found<Rejected & Message>> {
  return find(scope, scope.keys.invalid, sought(wanted), (id, fields) => {
    const rejected = readRejected(`{"id":"${id}",${textOf(fields, 'record').slice(1)}`, wanted, scope.format)
    if (!rejected) return []
    const retry = retryOf(rejected, scope.config)
    return [{ ...rejected, ...(retry && { retry }) }]
  })
}

export async function findDiscarded(scope: PartitionScope, wanted: Wanted): Promise<Found<Discarded & Message>> {
  return find(scope, scope.keys.discarded, sought(wanted), (_, fields) => {
    const rejected = readRejected(textOf(fields, 'record'), wanted, scope.format)
    if (!rejected) return []
    const [at, by, why] = ['ts', 'by', 'reason'].map((name) => textOf(fields, name)) as [string, string, string]
    const { userId, orderId, correction } = rejected
    return [{ at, by, why, rejected, userId, orderId, ...(correction && { correction }) }]
  })
}

/** Finds of one order in one stream. Older ones are left out: a producer may send it over and over. */
const maxFound = 50

/** The text that a field must hold to be parsed. */
interface Sought {
  readonly text: string
  readonly signal: AbortSignal | undefined
}

const sought = ({ orderId, userId = '', signal }: Wanted): Sought => ({ text: orderId ?? userId, signal })

async function find<T>(
  { redis }: PartitionScope,
  stream: string,
  { text, signal }: Sought,
  pick: (id: string, fields: readonly Buffer[]) => T[],
): Promise<Found<T>> {
  const mayHold = holding(text)
  const picked: { id: string; what: T }[] = []
  const onEntry = (id: string, fields: readonly Buffer[]): void => {
    if (fields.some(mayHold)) picked.push(...pick(id, fields).map((what) => ({ id, what })))
  }
  const coverage = await scanStream(redis, stream, onEntry, signal)
  const found = picked.sort((one, other) => compareIds(one.id, other.id)).map(({ what }) => what)
  return { scan: { ...coverage, more: found.length > maxFound }, found: found.slice(-maxFound) }
}

/**
 * Returns a check whether JSON may hold a string, without parsing it, which takes ten times as long. Most characters are written
 * as they are, or escaped as \u…; text that looks like an integer may have been a number in any form.
 */
function holding(text: string): (json: Buffer) => boolean {
  if (/["\\/\p{Cc}]/u.test(text) || /^-?\d+$/.test(text)) return () => true
  return (json) => json.includes(text) || json.includes('\\u')
}

async function findRecords<R extends object>(
  scope: PartitionScope,
  channel: string,
  text: Sought,
  match: (record: R) => Partial<Message> | undefined,
): Promise<Found<Sighting<R>>> {
  return find(scope, scope.keys.stream(channel), text, (id, fields) => {
    const entry = decodeEntry(scope.pipeline, id, fields, channel)
    return (entry.records ?? []).flatMap((some) => {
      const record = some as R
      const matched = match(record)
      return matched ? [{ channel, entry, record, ...matched }] : []
    })
  })
}

/** @param came ids of what it came in */
function matching(found: Message, wanted: Wanted, came: readonly string[] = []): Message | undefined {
  const { orderId, userId, messageId } = wanted
  const isOfMessage = messageId !== undefined && came.some((id) => id === messageId || id.startsWith(`${messageId}/`))
  if (orderId !== undefined && found.orderId !== orderId && !isOfMessage) return undefined
  return userId === undefined || found.userId === userId ? found : undefined
}

const partsIn = (came: Pick<Envelope, 'layers'> | undefined): string[] =>
  came?.layers.flatMap(({ kind, id = '' }) => (kind === 'many' ? [id] : [])) ?? []

const edits = z.array(z.object({ by: z.string(), ts: z.string() })).optional() // without their bodies
const rejected = invalidOrder
  .omit({ order: true, raw: true, raw_base64: true })
  .extend({ code: z.string(), ts: z.string(), edits, envelope: envelope.pick({ layers: true }).optional() })

/** Returns undefined if it is not the wanted order, or another client wrote the record. */
function readRejected(json: string, wanted: Wanted, format: OrderFormat): (Rejected & Message) | undefined {
  try {
    const record = JSON.parse(json)
    const named = record.stage === undefined ? messageInRecord(json, format) : messageOfRecord(record.order)
    if (wanted.messageId === undefined && !matching(named, wanted)) return undefined
    const parsed = rejected.safeParse(record)
    if (!parsed.success || !matching(named, wanted, partsIn(parsed.data.envelope))) return undefined
    const hint = hintIn(json, format)
    return { ...parsed.data, ...(hint !== undefined && { hint }), ...named }
  } catch {
    return undefined
  }
}

function textOf(fields: readonly Buffer[], name: string): string {
  const at = fields.findIndex((field, index) => index % 2 === 0 && String(field) === name)
  return at === -1 ? '' : String(fields[at + 1])
}
