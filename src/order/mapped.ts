import { type FieldMap, type PlacedField, pathText } from './field-map.ts'
import { isObject } from './json.ts'

type Members = Readonly<Record<string, unknown>>

/**
 * Brings an order that was parsed for this under the pipeline's names, in place. An object, the order or an item, that has
 * anything at a place of the map is read by the map, every field of it. One that has nothing there has the pipeline's own
 * names. All other fields stay: a rule may read them.
 * @returns the same object
 */
export function mappedOrder(parsed: Record<string, unknown>, { order, item }: FieldMap): Record<string, unknown> {
  place(parsed, order)
  const items = item.length > 0 && Object.hasOwn(parsed, 'items') ? parsed['items'] : undefined
  if (Array.isArray(items)) for (const one of items) if (isObject(one)) place(one, item)
  return parsed
}

function place(parsed: Record<string, unknown>, fields: readonly PlacedField[]): void {
  const values = fields.map(({ path }) => valueAt(parsed, path)) // before any is written: names may be in each other's places
  const byMap = fields.some(({ isMoved }, at) => isMoved && values[at] !== undefined)
  for (const [at, { name, isMoved, isDecimal }] of fields.entries()) {
    if (!byMap && isMoved) continue
    const value = values[at]
    if (value !== undefined) parsed[name] = isDecimal ? decimalIn(value) : value
    else if (Object.hasOwn(parsed, name)) delete parsed[name]
  }
}

/** Returns true if an object has anything at a place where the map moved a field. */
export const isMapped = (sent: Members, fields: readonly PlacedField[]): boolean =>
  fields.some(({ isMoved, path }) => isMoved && valueAt(sent, path) !== undefined)

/**
 * Finds what an order under the pipeline's own names has at a place of the map, by which it would be read instead.
 * @returns its path, and the field that the map has there; undefined if there is none
 */
export function inTheWay(sent: Members, { order, item }: FieldMap): { path: string; field: string } | undefined {
  const field = order.find((one) => isMapped(sent, [one]))
  if (field) return { path: pathText(field.path), field: field.name }
  const items = Array.isArray(sent['items']) ? sent['items'] : []
  for (const [at, one] of items.entries()) {
    const found = isObject(one) ? item.find((field) => isMapped(one, [field])) : undefined
    if (found) return { path: `items.${at}.${pathText(found.path)}`, field: `items.${found.name}` }
  }
  return undefined
}

/** Returns undefined where the path ends early: a member is missing, or is no object. */
export function valueAt(sent: unknown, path: readonly string[]): unknown {
  let value = sent
  for (const name of path) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined
    value = value[name]
  }
  return value
}

/** Reads a text as JSON reads the same digits. Leaves everything else. */
const decimalIn = (value: unknown): unknown =>
  typeof value === 'string' && isDecimalText(value) ? Number(value) : value

export const isDecimalText = (text: string): boolean => /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)

const required: readonly string[] = ['user_id', 'order_id', 'order_value']

/**
 * Returns true if an object has fields of an order: a required one under its own name, or two of them by the map. A single
 * place says too little: that of Shopify's order_id is `id`, and so has every event.
 */
export function hasOrderField(sent: Members, map: FieldMap | undefined): boolean {
  if (required.some((name) => Object.hasOwn(sent, name))) return true
  if (!map) return false
  const there = ({ name, path }: PlacedField): boolean => required.includes(name) && valueAt(sent, path) !== undefined
  return map.order.filter(there).length > 1
}
