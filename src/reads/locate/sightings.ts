import { z } from 'zod'
import type { Partition } from '../../app.ts'
import { type Identified, identityIn, identityInRecord } from '../../identity.ts'
import {
  type ChannelName,
  type CountedRecord,
  invalidOrder,
  type RawRecord,
  type RecordOf,
  type ValidRecord,
} from '../../messages.ts'
import { hintIn } from '../../stages/hints/entry.ts'
import { decodeEntry, type Entry } from '../../stages/runner/consume.ts'
import { compareIds } from '../../time.ts'
import { type Look, lookThrough } from './scan.ts'

/** An order to be found; of no known user where that is what is to be found. */
export interface Wanted {
  readonly orderId: string
  readonly userId?: string | undefined
  /** Ends the look when it aborts. */
  readonly signal?: AbortSignal | undefined
}

/** What was found of an order in one stream, oldest first. */
export interface Found<T> {
  readonly look: Look
  readonly found: readonly T[]
}

/** A record of the order, or of its user's totals, and the entry it stands in. */
export interface Sighting<R = RecordOf[ChannelName]> {
  readonly channel: ChannelName
  readonly entry: Entry
  readonly record: R
  readonly userId: string | undefined
}

/** As it stands in the invalid channel. The bodies it had before are left to be read there: each may have 1 MB. */
export interface Rejected {
  readonly id: string
  readonly code: string
  readonly reason: string
  readonly hint?: string | undefined
  readonly ts: string
  readonly stage?: string | undefined
  readonly attempts: number
  readonly first_reason?: string | undefined
  readonly first_ts?: string | undefined
  readonly edits?: { by: string; ts: string }[] | undefined
}

/** Given up, by whom and why. */
export interface Discarded {
  readonly at: string
  readonly by: string
  readonly why: string
  readonly rejected: Rejected
}

export const findRaw = (app: Partition, wanted: Wanted): Promise<Found<Sighting<RawRecord>>> =>
  findRecords(app, 'raw', sought(wanted), ({ body }) => matching(identityIn(body), wanted))

export const findValid = (app: Partition, wanted: Wanted): Promise<Found<Sighting<ValidRecord>>> =>
  findRecords(app, 'valid', sought(wanted), (record) =>
    matching({ userId: record.user_id, orderId: record.order_id }, wanted),
  )

/** The user's totals that are not ranked yet, or were a moment ago; which orders they count is not told. */
export const findCounted = (
  app: Partition,
  { userId, signal }: Pick<Wanted, 'signal'> & { readonly userId: string },
): Promise<Found<Sighting<CountedRecord>>> =>
  findRecords(app, 'counted', { text: userId, signal }, (record) =>
    record.user_id === userId ? { userId } : undefined,
  )

export async function findInvalid(app: Partition, wanted: Wanted): Promise<Found<Rejected & WithUser>> {
  return find(app, app.keys.invalid, sought(wanted), (id, fields) => {
    const rejected = readRejected(`{"id":"${id}",${textOf(fields, 'record').slice(1)}`, wanted)
    return rejected ? [rejected] : []
  })
}

export async function findDiscarded(app: Partition, wanted: Wanted): Promise<Found<Discarded & WithUser>> {
  return find(app, app.keys.discarded, sought(wanted), (_, fields) => {
    const rejected = readRejected(textOf(fields, 'record'), wanted)
    if (!rejected) return []
    const [at, by, why] = ['ts', 'by', 'reason'].map((name) => textOf(fields, name)) as [string, string, string]
    return [{ at, by, why, rejected, userId: rejected.userId }]
  })
}

interface WithUser {
  readonly userId: string | undefined
}

/** Older ones of one order in one stream are left out: somebody sends it over and over. */
const mostFound = 50

/** The text that a field must hold to be looked at more closely. */
interface Sought {
  readonly text: string
  readonly signal: AbortSignal | undefined
}

const sought = ({ orderId, signal }: Wanted): Sought => ({ text: orderId, signal })

async function find<T>(
  { redis }: Partition,
  stream: string,
  { text, signal }: Sought,
  pick: (id: string, fields: readonly Buffer[]) => T[],
): Promise<Found<T>> {
  const mayHold = holding(text)
  const picked: { id: string; what: T }[] = []
  const onEntry = (id: string, fields: readonly Buffer[]): void => {
    if (fields.some(mayHold)) picked.push(...pick(id, fields).map((what) => ({ id, what })))
  }
  const look = await lookThrough(redis, stream, onEntry, signal)
  const found = picked.sort((one, other) => compareIds(one.id, other.id)).map(({ what }) => what)
  return { look: { ...look, more: found.length > mostFound }, found: found.slice(-mostFound) }
}

/**
 * Whether JSON may hold a string, told without parsing it, which takes ten times as long. Most characters stand in it as
 * they are, or escaped as \u…; what looks like an integer may have been a number, in whatever form.
 */
function holding(text: string): (json: Buffer) => boolean {
  if (/["\\/\p{Cc}]/u.test(text) || /^-?\d+$/.test(text)) return () => true
  return (json) => json.includes(text) || json.includes('\\u')
}

async function findRecords<C extends ChannelName>(
  app: Partition,
  channel: C,
  text: Sought,
  match: (record: RecordOf[C]) => WithUser | undefined,
): Promise<Found<Sighting<RecordOf[C]>>> {
  return find(app, app.keys.stream[channel], text, (id, fields) => {
    const entry = decodeEntry(id, fields, channel)
    return (entry.records ?? []).flatMap((some) => {
      const record = some as RecordOf[C]
      const matched = match(record)
      return matched ? [{ channel, entry, record, userId: matched.userId }] : []
    })
  })
}

function matching({ userId, orderId }: Identified, wanted: Wanted): WithUser | undefined {
  const isWanted = orderId === wanted.orderId && (wanted.userId === undefined || userId === wanted.userId)
  return isWanted ? { userId } : undefined
}

const edits = z.array(z.object({ by: z.string(), ts: z.string() })).optional() // without their bodies
const rejected = invalidOrder
  .omit({ order: true, raw: true, raw_base64: true })
  .extend({ code: z.string(), ts: z.string(), edits })

/** What somebody else put there is no such order. */
function readRejected(json: string, wanted: Wanted): (Rejected & WithUser) | undefined {
  try {
    const matched = matching(identityInRecord(json), wanted)
    const parsed = matched && rejected.safeParse(JSON.parse(json))
    if (!parsed?.success) return undefined
    const hint = hintIn(json)
    return { ...parsed.data, ...(hint !== undefined && { hint }), userId: matched?.userId }
  } catch {
    return undefined
  }
}

function textOf(fields: readonly Buffer[], name: string): string {
  const at = fields.findIndex((field, index) => index % 2 === 0 && String(field) === name)
  return at === -1 ? '' : String(fields[at + 1])
}
