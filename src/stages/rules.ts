import { hash } from 'node:crypto'
import type { CorrectionKind } from '../corrections.ts'
import { amountFields, eventIn, events } from '../order/event.ts'
import type { OrderFormat } from '../order/format.ts'
import { identityText } from '../order/identity.ts'
import { isObject } from '../order/json.ts'
import { maxOrderValue } from '../order/money.ts'
import { isRawJson, type RawJson } from '../order/raw-json.ts'
import { readOrder } from '../order/read-order.ts'
import { timestampText } from '../order/timestamp.ts'
import type { Rejection } from '../reject-codes.ts'

/** An order that passes every rule. Strings as sent; an integer id is taken as its digits. */
export interface Order {
  readonly userId: string
  readonly orderId: string
  readonly minor: number
  /** order_value as it was sent. */
  readonly value: number
  readonly orderTimestamp?: string
  /** (product_id, quantity, price_per_unit) of each item; undefined if the order has no list. */
  readonly items?: readonly Item[]
}
type Item = readonly [productId: string | number | RawJson | null, quantity: number, price: number]

/** A correction of an order that passes every rule but those of the order itself, which the ledger knows. */
export interface Correction {
  readonly kind: CorrectionKind
  readonly userId: string
  readonly orderId: string
  readonly eventId: string
  /** Of a refund its amount, of an amendment the new order_value; as it was sent. */
  readonly value?: number
  readonly minor?: number
  readonly orderTimestamp?: string
  readonly items?: readonly Item[]
}

/** Applies the rules in order; the first that fails is the reason. Never throws. */
export function checkMessage(body: string, format: OrderFormat): Order | Correction | Rejection {
  const sent = readOrder(body, format)
  if (sent === undefined) return malformed
  if (!isObject(sent)) return { code: 'not-an-object', reason: 'Order must be a JSON object' }
  const kind = eventIn(sent)
  if (kind === undefined) return unknownEvent
  const amountField = amountFields[kind]
  for (const field of requiredFields[kind]) {
    if (!Object.hasOwn(sent, field)) {
      return { code: 'missing-field', reason: `Missing required field: ${field}` }
    }
  }
  const userId = identityText(sent['user_id'])
  if (userId === undefined) return badIdentity('user_id')
  const orderId = identityText(sent['order_id'])
  if (orderId === undefined) return badIdentity('order_id')
  const eventId = kind === 'placed' ? '' : eventIdOf(sent, body)
  if (eventId === undefined) return badIdentity('event_id')
  if (!format.money.takes(sent['currency'])) {
    return { code: 'other-currency', reason: `currency must be ${format.money.code}` }
  }
  const timestamp = timestampText(sent['order_timestamp'])
  const dated = timestamp !== undefined && { orderTimestamp: timestamp }
  if (amountField === undefined) return { kind: 'cancelled', userId, orderId, eventId, ...dated }
  const value = sent[amountField]
  if (!isFiniteNumber(value)) return { code: 'bad-value', reason: `${amountField} must be a number` }
  if (value < 0 || value > maxOrderValue) {
    return { code: 'bad-value', reason: `${amountField} must be between 0 and ${maxOrderValue}` }
  }
  const minor = format.money.toMinor(value)
  if (kind === 'refunded') return { kind, userId, orderId, eventId, minor, value, ...dated }
  const items = readItems(sent['items'])
  if (items === 'bad') return { code: 'bad-items', reason: "Invalid structure in 'items' list" }
  const total = items?.reduce((sum, [, quantity, price]) => sum + quantity * price, 0)
  if (total !== undefined && format.checksTotal && !matches(total, value, format)) {
    return {
      code: 'total-mismatch',
      reason: `Calculated total (${rounded(total, 10)}) does not match order_value (${value + 0})`,
    }
  }
  const order = { userId, orderId, minor, value, ...(items && { items }), ...dated }
  return kind === 'placed' ? order : { ...order, kind, eventId }
}

const requiredFields = {
  placed: ['user_id', 'order_id', amountFields.placed],
  amended: ['user_id', 'order_id', amountFields.amended],
  refunded: ['user_id', 'order_id', amountFields.refunded],
  cancelled: ['user_id', 'order_id'],
} as const

const unknownEvent: Rejection = {
  code: 'unknown-event',
  reason: `event must be one of ${events.join(', ')}`,
}

/** Returns the event_id that a correction was sent with, if it was. */
export const sentEventId = ({ eventId }: Pick<Correction, 'eventId'>): string | undefined =>
  eventId.startsWith('id ') ? eventId.slice('id '.length) : undefined

/** Without an event_id, a message is the same event as another if their bodies are the same. */
function eventIdOf(sent: Readonly<Record<string, unknown>>, body: string): string | undefined {
  const given = sent['event_id']
  if (given === undefined || given === null) return `body ${hash('sha256', body, 'base64url')}`
  const id = identityText(given)
  return id === undefined ? undefined : `id ${id}`
}

const malformed: Rejection = { code: 'malformed-json', reason: 'Malformed JSON' }

function badIdentity(field: string): Rejection {
  return { code: 'bad-identity', reason: `${field} must be a non-empty string` }
}

function readItems(value: unknown): readonly Item[] | undefined | 'bad' {
  if (value === undefined || value === null) return undefined
  if (!Array.isArray(value)) return 'bad'
  const items: Item[] = []
  for (const item of value) {
    if (!isObject(item)) return 'bad'
    const quantity = Object.hasOwn(item, 'quantity') ? item['quantity'] : 0
    const price = Object.hasOwn(item, 'price_per_unit') ? item['price_per_unit'] : 0
    if (!isFiniteNumber(quantity) || !isFiniteNumber(price) || quantity < 0 || price < 0) return 'bad'
    items.push([productId(item['product_id']), quantity, price])
  }
  return items
}

function productId(value: unknown): Item[0] {
  return typeof value === 'string' || Number.isFinite(value) || isRawJson(value) ? (value as Item[0]) : null
}

/**
 * Returns whether the two differ by at most the tolerance, in percent of the larger, as decimals: 9.999 is 1 % below 10.1,
 * as doubles they are slightly off.
 */
function matches(total: number, value: number, { tolerance }: OrderFormat): boolean {
  if (!Number.isFinite(total)) return false
  if (Math.abs(total - value) < (value * tolerance) / 1_000) return true // the usual order is far from the border
  const difference = Math.abs(rounded(total, exactDigits) - value)
  return rounded(difference, exactDigits) <= rounded((Math.max(total, value) * tolerance) / 100, exactDigits)
}

/** The digits of the largest order_value in cents; a sum of 10,000 products is exact to more. */
const exactDigits = 12

/** Rounds to significant digits. */
function rounded(value: number, digits: number): number {
  return Number(value.toPrecision(digits))
}

function isFiniteNumber(value: unknown): value is number {
  return Number.isFinite(value)
}

/** A time may also be a number, of seconds or ms since 1970. */
