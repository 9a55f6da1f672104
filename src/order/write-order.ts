import type { FieldMap, PlacedField } from './field-map.ts'
import type { OrderFormat } from './format.ts'
import { isObject } from './json.ts'
import { isDecimalText } from './mapped.ts'
import { parseExactIds } from './read-order.ts'

type Members = Readonly<Record<string, unknown>>

/**
 * Writes an order that has the pipeline's own names as the shop of the map does: read through the map it is the same order,
 * valid or not. Returns text that is no JSON object as it is.
 */
export function writeOrder(body: string, { fields }: Pick<OrderFormat, 'fields'>): string {
  const order = fields && parseExactIds(body)
  return fields && isObject(order) ? JSON.stringify(written(order, fields)) : body
}

function written(order: Members, { order: fields, item }: FieldMap): Members {
  const items = Object.hasOwn(order, 'items') ? order['items'] : undefined
  if (!Array.isArray(items)) return placedIn(order, fields)
  const writtenItems = items.map((one) => (isObject(one) ? placedIn(one, item) : one))
  return placedIn({ ...order, items: writtenItems }, fields)
}

/** Other fields stay, unless they stand where the map has a field. */
function placedIn(object: Members, fields: readonly PlacedField[]): Members {
  const isTaken = (name: string): boolean => fields.some((field) => field.name === name || field.path[0] === name)
  const result = emptyObject()
  for (const [name, value] of Object.entries(object)) if (!isTaken(name)) result[name] = value
  for (const { name, path, isDecimal } of fields) {
    if (Object.hasOwn(object, name)) put(result, path, isDecimal ? decimalText(object[name]) : object[name])
  }
  return result
}

function put(object: Record<string, unknown>, [name = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    object[name] = value
    return
  }
  object[name] ??= emptyObject()
  put(object[name] as Record<string, unknown>, rest, value)
}

/** Without a prototype, a member may be named `__proto__`. */
const emptyObject = (): Record<string, unknown> => Object.create(null)

/** Writes a number as text. The map would take a text for a number, which it is not: a blank keeps it a text. */
function decimalText(value: unknown): unknown {
  if (typeof value === 'number' && Number.isFinite(value)) return String(value)
  return typeof value === 'string' && isDecimalText(value) ? ` ${value}` : value
}
