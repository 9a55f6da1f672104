import type { OrderFormat } from '../../src/order/format.ts'
import type { Rejection } from '../../src/reject-codes.ts'
import { checkMessage, type Order } from '../../src/stages/rules.ts'
import { plainFormat } from './plain-format.ts'

/** Fields as JSON text, so that what JSON.stringify would not write can be said too; undefined leaves a field out. */
export type Fields = Readonly<Record<string, string | undefined>>

export const required: Fields = { user_id: '"user_7"', order_id: '"o-1"', order_value: '50' }

export function order(fields: Fields = {}): string {
  const all = Object.entries({ ...required, ...fields }).filter(([, json]) => json !== undefined)
  return `{${all.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}}`
}

/** An order of `value` with one item that comes to `total`. */
export function priced(value: string, total: string): string {
  return order({ order_value: value, items: `[{"product_id":"P1","quantity":1,"price_per_unit":${total}}]` })
}

/** Applies the rules to a body that is no correction. */
export function checkOrder(body: string, format: OrderFormat): Order | Rejection {
  const verdict = checkMessage(body, format)
  if ('kind' in verdict) throw new Error(`${body} is a correction`)
  return verdict
}

export function accepted(body: string): Order {
  const verdict = checkOrder(body, plainFormat)
  if ('code' in verdict) throw new Error(`refused: ${verdict.code}, ${verdict.reason}`)
  return verdict
}

export const codeOf = (verdict: Order | Rejection): string => ('code' in verdict ? verdict.code : 'valid')

export const malformed = { code: 'malformed-json', reason: 'Malformed JSON' }
export const notAnObject = { code: 'not-an-object', reason: 'Order must be a JSON object' }
export const missing = (field: string) => ({ code: 'missing-field', reason: `Missing required field: ${field}` })
export const badIdentity = (field: string) => ({ code: 'bad-identity', reason: `${field} must be a non-empty string` })
export const notANumber = { code: 'bad-value', reason: 'order_value must be a number' }
export const outOfRange = { code: 'bad-value', reason: 'order_value must be between 0 and 1000000000' }
export const badItems = { code: 'bad-items', reason: "Invalid structure in 'items' list" }
export const mismatch = (total: string, value: string) => ({
  code: 'total-mismatch',
  reason: `Calculated total (${total}) does not match order_value (${value})`,
})
