import type { OrderFormat } from './format.ts'
import { isObject, parseStandardJson, parseWithText } from './json.ts'
import { mappedOrder } from './mapped.ts'
import { rawJson } from './raw-json.ts'

type Fields = Record<string, unknown>

/**
 * Parses the body of a message, and returns its order with the fields under the pipeline's names. Returns undefined if it is
 * not JSON, and JSON that is no object as it is. Never throws.
 *
 * An integer beyond 2^53 in `user_id`, `order_id`, `event_id` or an item's `product_id` is parsed as RawJson: a double would round it.
 */
export function readOrder(body: string, { fields }: Pick<OrderFormat, 'fields'>): unknown {
  const sent = parseWithText(body)
  return sent && exactOrder(sent.value, sent.json, fields && ((order) => mappedOrder(order, fields)))
}

/** Reads the order in a record of the invalid channel that has it as JSON. */
export function orderInRecord(json: string, order: unknown, { fields }: Pick<OrderFormat, 'fields'>): unknown {
  const view = fields && ((sent: Fields) => mappedOrder(sent, fields))
  return exactOrder(order, json, view, (record) => record['order'])
}

/** Parses JSON with exact ids where the pipeline's own names are. Returns undefined if it is no JSON. */
export const parseExactIds = (text: string): unknown => exactOrder(parseStandardJson(text), text)

/**
 * Replaces rounded ids by their exact integers. JSON.parse with a reviver could do it too, but overflows the stack on deep
 * nesting. Instead the text is parsed again with its long integers as strings.
 * @param view returns the order under the pipeline's names; without it, the order has them already
 * @param orderIn finds the order in the parsed text
 */
function exactOrder(
  sent: unknown,
  json: string,
  view: ((order: Fields) => Fields) | undefined = undefined,
  orderIn = (parsed: Fields): unknown => parsed,
): unknown {
  if (!isObject(sent)) return sent
  const order = view ? view(sent) : sent
  if (!hasRoundedIds(order)) return order
  const quoted = json.replace(stringOrLongInteger, (token) => (token.startsWith('"') ? token : `"${token}"`))
  const parsed = orderIn(JSON.parse(quoted)) as Fields
  const exact = view ? view(parsed) : parsed
  for (const name of ['user_id', 'order_id', 'event_id']) restore(order, exact, name)
  const exactItems = itemsOf(exact)
  for (const [at, item] of itemsOf(order).entries()) {
    if (isObject(item)) restore(item, exactItems[at] as Fields, 'product_id')
  }
  return order
}

function hasRoundedIds(order: Fields): boolean {
  if (isRounded(order['user_id']) || isRounded(order['order_id']) || isRounded(order['event_id'])) return true
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
