import { hash } from 'node:crypto'
import type { OrderFormat } from './format.ts'
import { isObject } from './json.ts'
import { isRawJson } from './raw-json.ts'
import { orderInRecord, readOrder } from './read-order.ts'

/** The user and the order that a message names; undefined where it names none. */
export interface Identified {
  readonly userId: string | undefined
  readonly orderId: string | undefined
}

/** Reads the identity in a body, whether or not the body keeps the rules. Never throws. */
export const identityIn = (body: string, format: OrderFormat): Identified => identityIs(readOrder(body, format))

/** Reads the identity in a rejected record of the invalid channel. @throws if it is not such a record */
export const identityInRecord = (json: string, format: OrderFormat): Identified =>
  identityIs(sentInRecord(json, format))

/** Reads what was sent, in a rejected record of the invalid channel. @throws if it is not such a record */
export function sentInRecord(json: string, format: OrderFormat): unknown {
  const { order, raw } = JSON.parse(json)
  return typeof raw === 'string' ? readOrder(raw, format) : orderInRecord(json, order, format)
}

export function identityIs(sent: unknown): Identified {
  if (!isObject(sent)) return { userId: undefined, orderId: undefined }
  return { userId: identityText(sent['user_id']), orderId: identityText(sent['order_id']) }
}

/** In characters (code points). */
const maxIdentityLength = 256

/**
 * Returns a string of 1 to 256 characters as it is, and an integer of at most 256 digits as its digits. A lone surrogate
 * is refused: they have the same form in UTF-8.
 */
export function identityText(value: unknown): string | undefined {
  if (typeof value !== 'string') return integerText(value)
  if (value === '' || !value.isWellFormed()) return undefined
  const tooLong = value.length > maxIdentityLength && [...value].length > maxIdentityLength
  return tooLong ? undefined : value
}

/** Returns a hash that names a user without the id. */
export const identityDigest = (userId: string): string => hash('sha256', userId.toWellFormed(), 'hex')

function integerText(value: unknown): string | undefined {
  if (Number.isSafeInteger(value)) return String(value)
  return isRawJson(value) && /^-?\d{1,256}$/.test(value.rawJSON) ? value.rawJSON : undefined
}
