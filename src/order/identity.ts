import type { OrderFormat } from './format.ts'
import { isRawJson, rawJson } from './raw-json.ts'

/** The user and the order that a message names; undefined where it names none. */
export interface Identified {
  readonly userId: string | undefined
  readonly orderId: string | undefined
}

/** Reads the identity in a body, whether or not the body keeps the rules. Never throws. */
export const identityIn = (body: string, _format: OrderFormat): Identified => identityIs(parseJson(body))

/** Reads the identity in a rejected record of the invalid channel. @throws if it is not such a record */
export function identityInRecord(json: string, format: OrderFormat): Identified {
  const { order, raw } = JSON.parse(json)
  if (typeof raw === 'string') return identityIn(raw, format)
  return identityIs(withExactIds(order, json, (record) => record['order']))
}

function identityIs(sent: unknown): Identified {
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

function integerText(value: unknown): string | undefined {
  if (Number.isSafeInteger(value)) return String(value)
  return isRawJson(value) && /^-?\d{1,256}$/.test(value.rawJSON) ? value.rawJSON : undefined
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Parses an order as JSON.parse does, with two exceptions. Returns undefined if it is not JSON.
 *
 * Python's json module writes NaN, Infinity and -Infinity, which JSON does not have. They are parsed as infinity: a rule that
 * reads the field finds no finite number, and JSON.stringify writes null.
 *
 * An integer beyond 2^53 in `user_id`, `order_id` or an item's `product_id` is parsed as RawJson: a double would round it.
 */
export function parseJson(text: string): unknown {
  const sent = parseStandardJson(text)
  if (sent !== undefined) return sent
  if (!/NaN|Infinity/.test(text)) return undefined
  const json = text.replace(stringOrNotFinite, (token) => (token.startsWith('"') ? token : '1e999'))
  return withExactIds(parse(json), json)
}

/** The same, without NaN and Infinity. */
export const parseStandardJson = (text: string): unknown => withExactIds(parse(text), text)

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/** Strings are matched to be skipped. An unterminated one matches to the end, so that no text is scanned twice. */
const stringOrNotFinite = /"[^"\\]*(?:\\[\s\S]?[^"\\]*)*"?|(?<![\w.+-])(?:NaN|-?Infinity)\b/g

/**
 * Replaces rounded ids by their exact integers. JSON.parse with a reviver could do it too, but overflows the stack on deep
 * nesting. Instead the text is parsed again with its long integers as strings.
 * @param orderIn finds the order in the parsed text
 */
function withExactIds(order: unknown, json: string, orderIn = (parsed: Fields): unknown => parsed): unknown {
  if (!isObject(order) || !hasRoundedIds(order)) return order
  const quoted = json.replace(stringOrLongInteger, (token) => (token.startsWith('"') ? token : `"${token}"`))
  const exact = orderIn(JSON.parse(quoted)) as Fields
  for (const name of ['user_id', 'order_id']) restore(order, exact, name)
  const exactItems = itemsOf(exact)
  for (const [at, item] of itemsOf(order).entries()) {
    if (isObject(item)) restore(item, exactItems[at] as Fields, 'product_id')
  }
  return order
}

type Fields = Record<string, unknown>

function hasRoundedIds(order: Fields): boolean {
  if (isRounded(order['user_id']) || isRounded(order['order_id'])) return true
  for (const item of itemsOf(order)) if (isObject(item) && isRounded(item['product_id'])) return true
  return false
}

const itemsOf = ({ items }: Fields): readonly unknown[] => (Array.isArray(items) ? items : [])
const isRounded = (value: unknown): boolean => typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER

function restore(rounded: Fields, exact: Fields, name: string): void {
  const digits = exact[name]
  if (isRounded(rounded[name]) && typeof digits === 'string') rounded[name] = rawJson(digits)
}

/** Integers without fraction or exponent, with at least as many digits as 2^53. */
const stringOrLongInteger = /"[^"\\]*(?:\\.[^"\\]*)*"|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g
