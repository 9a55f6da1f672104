import type { RecordedKind } from '../corrections.ts'
import { validRecord } from '../messages.ts'
import { amountFields, eventIn } from './event.ts'
import type { OrderFormat } from './format.ts'
import { type Identified, identityIs, identityText, sentInRecord } from './identity.ts'
import { isObject } from './json.ts'
import { readOrder } from './read-order.ts'
import { timestampText } from './timestamp.ts'

/** Everything by which a message is recognized, whether or not it keeps the rules. */
export interface Message extends Identified {
  readonly orderTimestamp?: string
  /** Absent of an order. */
  readonly correction?: NamedCorrection
}

export interface NamedCorrection {
  readonly kind: RecordedKind
  readonly eventId?: string | undefined
  /** The amount of a refund, or the new value of the order, as sent. */
  readonly value?: number | undefined
  /** By how much it changed the order, in minor units, once it was accepted. */
  readonly change?: number | undefined
}

/** Reads a message. Never throws. */
export const messageIn = (body: string, format: OrderFormat): Message => messageIs(readOrder(body, format))

/** Reads the message in a rejected record of the invalid channel. @throws if it is not such a record */
export const messageInRecord = (json: string, format: OrderFormat): Message => messageIs(sentInRecord(json, format))

function messageIs(sent: unknown): Message {
  const named = identityIs(sent)
  if (!isObject(sent)) return named
  const kind = eventIn(sent)
  const timestamp = timestampText(sent['order_timestamp'])
  const all = { ...named, ...(timestamp !== undefined && { orderTimestamp: timestamp }) }
  if (kind === undefined || kind === 'placed') return all
  const value = sent[amountFields[kind] ?? '']
  const eventId = identityText(sent['event_id'])
  return { ...all, correction: { kind, eventId, ...(typeof value === 'number' && { value }) } }
}

/** Reads a record that the first stage passed on, or one of another form that names the order. */
export function messageOfRecord(record: unknown): Message {
  const named = identityIs(record)
  const known = validRecord.partial().safeParse(record)
  if (!known.success) return named
  const { minor: change, correction: kind, event_id: eventId, order_timestamp: orderTimestamp } = known.data
  return {
    ...named,
    ...(orderTimestamp !== undefined && { orderTimestamp }),
    ...(kind && { correction: { kind, eventId, change } }),
  }
}
