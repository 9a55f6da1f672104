import { isObject } from '../../../order/json.ts'
import type { Money } from '../../../order/money.ts'
import { quote, visible } from '../quote.ts'
import { has, type Json, type JsonObject, namesText, parse } from '../reading.ts'
import type { Scan } from '../text/scan.ts'
import { isAttribute } from '../wrapper/dynamo.ts'
import { notNumberText } from './amount.ts'

/** Names that other systems use for the two fields. Other spellings of the names themselves need no mention. */
export const priceNames: readonly string[] = [
  'price',
  'unit_price',
  'unitPrice',
  'pricePerUnit',
  'PricePerUnit',
  'price_per_item',
  'item_price',
  'itemPrice',
  'unit_cost',
  'unitCost',
  'price_each',
  'priceEach',
  'cost',
  'amount',
  'unit_amount',
  'unitAmount',
  'unit_value',
  'value',
  'rate',
  'Price',
  'UnitPrice',
]
export const quantityNames: readonly string[] = [
  'qty',
  'count',
  'amount',
  'quantities',
  'units',
  'number',
  'num',
  'Qty',
  'item_count',
  'itemCount',
  'pieces',
  'pcs',
  'quantity_ordered',
  'qty_ordered',
  'quantityOrdered',
  'quantiy',
  'quanity',
  'quantitiy',
  'ordered',
  'n',
]

/** Describes `items` that is not a list, or the first item in it that is not valid. */
export function itemsHint(order: JsonObject, scan: () => Scan, money: Money): string | undefined {
  const items = order['items']
  if (!Array.isArray(items)) return notListText(items)
  const isOverflow = (item: Json): boolean => Object.values(isObject(item) ? item : {}).some(isInfinite)
  const tokens = items.some(isOverflow) ? scan().tokens : new Set<string>()
  const faultIn = (item: Json): ItemFault | undefined => faultOf(item, tokens, money)
  const wrong = items.findIndex((item) => faultIn(item) !== undefined)
  if (wrong === -1) return undefined
  const fault = faultIn(items[wrong])
  const others = items.slice(wrong + 1).filter((item) => faultIn(item) !== undefined).length
  const more = others === 0 ? '' : ` (${others} more ${others === 1 ? 'has' : 'have'} a fault)`
  return fault && `Item ${wrong + 1}${items.length > 1 ? ` of ${items.length}` : ''}${fault.is}: ${fault.send}${more}`
}

const isInfinite = (value: Json): boolean => typeof value === 'number' && !Number.isFinite(value)

interface ItemFault {
  /** Follows "Item 2" in the sentence. */
  readonly is: string
  readonly send: string
}

function faultOf(item: Json, tokens: ReadonlySet<string>, money: Money): ItemFault | undefined {
  const send = 'each item must be an object with quantity and price_per_unit'
  if (item === null) return { is: ' is null', send }
  if (Array.isArray(item)) return { is: ' is a list', send }
  if (typeof item === 'string') {
    if (isObject(item.length <= maxParsed ? parse(item) : undefined)) {
      return { is: ' is JSON as text', send: 'send the object itself, encoded once with the order' }
    }
    return { is: ` is the text ${quote(item)}`, send }
  }
  if (!isObject(item)) return { is: ` is the ${typeof item} ${item}`, send }
  const numberIn = (name: string): ItemFault | undefined =>
    Object.hasOwn(item, name) ? numberFault(item[name], name, tokens, money) : undefined
  return numberIn('quantity') ?? numberIn('price_per_unit')
}

/** A longer text is not an item. */
const maxParsed = 10_000

function numberFault(value: Json, name: string, tokens: ReadonlySet<string>, money: Money): ItemFault | undefined {
  const has = ` has a \`${name}\` that is`
  if (typeof value === 'number' && !Number.isFinite(value)) {
    const what = tokens.size === 0 ? 'too large for a number' : tokens.size === 1 ? [...tokens][0] : 'NaN or Infinity'
    return { is: `${has} ${what}`, send: 'send a finite number, 0 or more' }
  }
  if (typeof value === 'number') {
    if (value >= 0) return undefined
    const line = name === 'quantity' ? 'a return' : 'a discount or refund'
    return {
      is: ` has the negative \`${name}\` ${value}`,
      send: `${line} is no item, so take it off the prices, with numbers of 0 or more`,
    }
  }
  const found = notNumberText(value, money)
  return found && { is: `${has} ${found.is}`, send: found.send }
}

function notListText(items: Json): string | undefined {
  const send = 'send a list of items in [ ]'
  if (typeof items === 'string') {
    const inner = items.length <= maxText ? parse(items) : undefined
    if (Array.isArray(inner)) return '`items` is a list as JSON text: send the list itself, encoded once with the order'
    if (isObject(inner))
      return '`items` is an object as JSON text: send a list of items in [ ], encoded once with the order'
    return items === ''
      ? '`items` is an empty text: send a list of items in [ ], or leave it out'
      : `\`items\` is a text (${quote(items)}): ${send}`
  }
  if (typeof items === 'number' || typeof items === 'boolean') {
    return `\`items\` is the ${typeof items} ${items}: ${send}`
  }
  if (!isObject(items)) return undefined
  const names = Object.keys(items)
  if (names.length === 0) return '`items` is an empty object: send a list of items in [ ], or leave it out'
  if (isAttribute(items)) return '`items` is a DynamoDB attribute: send the list itself, as unmarshall() gives it'
  const list = names.find((name) => Array.isArray(items[name]))
  if (list !== undefined)
    return `\`items\` is an object with the list within \`${visible(list, 24)}\`: send that list itself as \`items\``
  if (isItem(items)) return '`items` is a single item, not a list: put it in brackets [ ]'
  const inner = names.length === 1 ? items[names[0] ?? ''] : undefined
  if (inner !== undefined && isItem(inner)) {
    return `\`items\` is an object with one item under \`${visible(names[0] ?? '', 24)}\`: ${send}`
  }
  if (names.every((name) => isObject(items[name]))) {
    const shown = namesText(names.slice(0, 2).map((name) => visible(name, 24)))
    return `\`items\` is an object of ${names.length} items by key (${shown}${names.length > 2 ? ' and so on' : ''}): send a list of its values in [ ]`
  }
  return `\`items\` is an object, not a list: ${send}`
}

/** Longer texts are not parsed just to describe them. */
const maxText = 1_000_000

const isItem = (value: Json): boolean =>
  ['quantity', 'price_per_unit', 'product_id', 'sku', ...priceNames.slice(0, 5), 'qty'].some((name) => has(value, name))
