import type { OrderFormat } from '../../order/format.ts'
import { isObject, parseJson } from '../../order/json.ts'
import { hasOrderField } from '../../order/mapped.ts'
import { memberText } from '../../order/raw-json.ts'
import { endOfBrackets, skipBlanks, trimBlanks, valuesIn } from './values.ts'

/** More orders than in any message of 1 MiB that is meant so, and as many as an entry of a stream may hold. */
export const maxInBody = 10_000

/**
 * Returns the texts of the orders in a body, byte for byte: those of a list, of the list `orders`, of lines, or of objects
 * one behind the other. Returns undefined for a body that is one order, or nothing of that kind. Takes time linear in the
 * body. Never throws.
 * @returns at most one more than `maxInBody`
 */
export function splitBody(text: string, format: OrderFormat): readonly string[] | undefined {
  const first = text[skipBlanks(text, 0)]
  const value = parseJson(text)
  if (Array.isArray(value)) return someOf(valuesIn(text, maxInBody))
  if (isObject(value))
    return Array.isArray(listIn(value, format)) ? someOf(valuesIn(ordersText(text), maxInBody)) : undefined
  if (value !== undefined || first === '[') return undefined // a list that cannot be read has no sure bounds
  const { objects, rest } = objectsIn(text)
  if (rest === '' && objects.length > 1) return objects
  return linesOf(text) ?? (objects.length + Number(rest[0] === '{') > 1 ? [...objects, rest] : undefined)
}

/** An empty list is one invalid order, not none: it may be a mistake. */
const someOf = (orders: readonly string[]): readonly string[] | undefined => (orders.length > 0 ? orders : undefined)

const listIn = (value: Readonly<Record<string, unknown>>, { fields }: OrderFormat): unknown =>
  Object.hasOwn(value, 'orders') && !hasOrderField(value, fields) ? value['orders'] : undefined

const ordersText = (text: string): string => memberText(text, 'orders') ?? '[]'

/** Reads objects one behind the other, up to the first that cannot be read. From there on no bounds are sure. */
function objectsIn(text: string): { readonly objects: string[]; readonly rest: string } {
  const objects: string[] = []
  let at = skipBlanks(text, 0)
  while (text[at] === '{' && objects.length <= maxInBody) {
    const end = endOfBrackets(text, at)
    const object = end === undefined ? '' : text.slice(at, end)
    if (end === undefined || !isObject(parseJson(object))) break
    objects.push(object)
    at = skipBlanks(text, end)
  }
  return { objects, rest: objects.length > maxInBody ? '' : trimBlanks(text.slice(at)) }
}

/** Returns the lines of a text of which half or more are objects. A line that cannot be read is one bad order. */
function linesOf(text: string): readonly string[] | undefined {
  const lines = text
    .split('\n')
    .map(trimBlanks)
    .filter((line) => line !== '')
  if (lines.length < 2) return undefined
  const first = lines.slice(0, maxInBody + 1)
  const objects = first.filter((line) => line.startsWith('{') && isObject(parseJson(line)))
  return objects.length * 2 >= first.length ? first : undefined
}
