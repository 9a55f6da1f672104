import { type FieldMap, type PlacedField, pathText } from './field-map.ts'
import { isObject } from './json.ts'

type Members = Readonly<Record<string, unknown>>

/**
 * Reads an order through a map: its fields under the pipeline's names. An object, the order or an item, that has anything
 * at a place of the map is read by the map, every field of it. One that has nothing there has the pipeline's own names.
 */
export function mappedOrder(sent: Members, { order, item }: FieldMap): Record<string, unknown> {
  return withItems(fieldsOf(sent, order), (one) => fieldsOf(one, item))
}

/** Does the same, and keeps all other fields, under the names that they have: a rule may read them. */
export function wholeMappedOrder(sent: Members, { order, item }: FieldMap): Record<string, unknown> {
  const whole = (object: Members, fields: readonly PlacedField[]): Record<string, unknown> => ({
    ...Object.fromEntries(Object.entries(object).filter(([name]) => !isTaken(name, fields))),
    ...fieldsOf(object, fields),
  })
  return withItems(whole(sent, order), (one) => whole(one, item))
}

const isTaken = (name: string, fields: readonly PlacedField[]): boolean =>
  fields.some((field) => field.name === name || (field.path.length === 1 && field.path[0] === name))

function withItems(
  order: Record<string, unknown>,
  itemOf: (sent: Members) => Record<string, unknown>,
): Record<string, unknown> {
  const { items } = order
  if (Array.isArray(items)) order['items'] = items.map((one) => (isObject(one) ? itemOf(one) : one))
  return order
}

function fieldsOf(sent: Members, fields: readonly PlacedField[]): Record<string, unknown> {
  const byMap = isMapped(sent, fields)
  const found: Record<string, unknown> = {}
  for (const { name, path, isMoved, isDecimal } of fields) {
    const isThere = byMap || !isMoved
    const value = valueAt(sent, isThere ? path : [name])
    if (value !== undefined) found[name] = isThere && isDecimal ? decimalIn(value) : value
  }
  return found
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
  const order = fieldsOf(sent, map.order)
  return required.filter((name) => Object.hasOwn(order, name)).length > 1
}
