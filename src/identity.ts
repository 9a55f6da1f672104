import { isRawJson, rawJson } from './raw-json.ts'

/** Whose order a message is and which, as far as it says so. */
export interface Identified {
  readonly userId: string | undefined
  readonly orderId: string | undefined
}

/** What a body says, whether or not it keeps the rules. Never throws. */
export const identityIn = (body: string): Identified => identityIs(parseJson(body))

/** The same of the order in a rejected record, as the invalid channel keeps it. @throws where it is no such record */
export function identityInRecord(json: string): Identified {
  const { order, raw } = JSON.parse(json)
  if (typeof raw === 'string') return identityIn(raw)
  return identityIs(withExactIds(order, json, (record) => record['order']))
}

function identityIs(sent: unknown): Identified {
  if (!isObject(sent)) return { userId: undefined, orderId: undefined }
  return { userId: identityText(sent['user_id']), orderId: identityText(sent['order_id']) }
}

/** Longest identity that is a string, in characters (code points). */
const maxIdentityLength = 256

/**
 * Returns a string of 1 to 256 characters as it is, and an integer of at most 256 digits as its digits. Half a surrogate
 * pair is no character: UTF-8 could not tell it from another.
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
 * Reads an order as JSON.parse does, but for two things. Returns undefined where it is no JSON.
 *
 * Python's json module writes NaN, Infinity and -Infinity, which JSON does not have. They are read as infinity: a rule that
 * looks at the field finds no number, and JSON.stringify writes null.
 *
 * An integer beyond 2^53 in `user_id`, `order_id` or an item's `product_id` is read as RawJson: a double would round it.
 */
export function parseJson(text: string): unknown {
  const sent = parseStandardJson(text)
  if (sent !== undefined) return sent
  if (!/NaN|Infinity/.test(text)) return undefined
  const json = text.replace(stringOrNotFinite, (token) => (token.startsWith('"') ? token : '1e999'))
  return withExactIds(parse(json), json)
}

/** The same, but NaN and Infinity are no JSON. */
export const parseStandardJson = (text: string): unknown => withExactIds(parse(text), text)

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/** Strings are matched to be left alone; an unterminated one to the end, so that no text is scanned twice. */
const stringOrNotFinite = /"[^"\\]*(?:\\[\s\S]?[^"\\]*)*"?|(?<![\w.+-])(?:NaN|-?Infinity)\b/g

/**
 * Puts exact integers in the place of rounded ids. JSON.parse with a reviver would have them too, but it overflows the
 * stack on deep nesting; the text is parsed again instead, with its long integers as strings.
 * @param orderIn where the order is in the parsed text
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

/** Integers without fraction and exponent, of as many digits as 2^53 has or more. */
const stringOrLongInteger = /"[^"\\]*(?:\\.[^"\\]*)*"|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g
