import { amountFields, eventIn } from '../../../order/event.ts'
import { type FieldMap, itemFields, orderFields, type PlacedField, pathText } from '../../../order/field-map.ts'
import { isObject } from '../../../order/json.ts'
import { isDecimalText, isMapped, mappedOrder, valueAt } from '../../../order/mapped.ts'
import { visible } from '../quote.ts'
import { type JsonObject, listText, member } from '../reading.ts'
import type { Scan } from '../text/scan.ts'
import { shapeHint } from '../wrapper/envelope.ts'

/** An order that was read by a map. */
export interface MappedReading {
  /** Under the pipeline's names, with all other fields. */
  readonly order: JsonObject
  /** The fields that were not read under their own names. */
  readonly moved: readonly PlacedField[]
}

/** Reads an order by the map; undefined where it has the pipeline's own names. Changes its items. */
export function readByMap(sent: JsonObject, map: FieldMap): MappedReading | undefined {
  const byMap = isMapped(sent, map.order)
  const order = mappedOrder({ ...sent }, { order: map.order, item: [] })
  const items = Array.isArray(order['items']) ? order['items'].filter(isObject) : []
  const itemsByMap = items.some((one) => isMapped(one, map.item))
  const moved = [...(byMap ? map.order : []), ...(itemsByMap ? map.item : [])].filter(({ isMoved }) => isMoved)
  if (moved.length === 0) return undefined
  mappedOrder(order, { order: [], item: map.item })
  // A field that was read is not one more field, in which a hint could find what is missing.
  for (const object of [order, ...items]) for (const name of namesRead(moved)) delete object[name]
  return { order, moved }
}

const namesRead = (moved: readonly PlacedField[]): string[] =>
  moved.flatMap(({ path }) => (path.length === 1 && !known.has(path[0] ?? '') ? path : []))

const known: ReadonlySet<string> = new Set([...orderFields, ...itemFields])

/** Explains a field that is missing where the map has it: the place, and where the way to it ends. */
export function missingPlaceHint(sent: JsonObject, { moved, order }: MappedReading): string | undefined {
  const amount = amountFields[eventIn(order) ?? 'placed']
  const missing = ['user_id', 'order_id', ...(amount ? [amount] : [])].find((name) => !Object.hasOwn(order, name))
  const place = moved.find(({ name }) => name === missing)
  return place && `ORDER_FIELDS reads ${place.name} from \`${shownPath(place)}\`, and ${endText(sent, place.path)}`
}

/** Explains a body that has nothing at any place of the map, and no field of an order under its own name. */
export function unmappedHint(sent: JsonObject, { order: fields }: FieldMap): string | undefined {
  if (['user_id', 'order_id', 'order_value'].some((name) => Object.hasOwn(sent, name))) return undefined
  const moved = fields.filter(({ isMoved }) => isMoved)
  const places = moved.slice(0, 3).map((field) => `${field.name} from \`${shownPath(field)}\``)
  if (places.length === 0) return undefined
  return shapeHint(sent) ?? `The body has nothing where ORDER_FIELDS reads ${listText(places)}`
}

function endText(sent: JsonObject, path: readonly string[]): string {
  const end = path.findIndex((_, at) => valueAt(sent, path.slice(0, at + 1)) === undefined)
  const name = visible(path[end] ?? '', 24)
  if (end <= 0) return `the body has no \`${name}\``
  const parent = valueAt(sent, path.slice(0, end))
  const shown = `\`${visible(pathText(path.slice(0, end)), 48)}\``
  if (isObject(parent)) return `${shown} has no \`${name}\``
  return `${shown} is ${parent === null ? 'null' : Array.isArray(parent) ? 'a list' : `a ${kindText(parent)}`}`
}

const kindText = (value: unknown): string => (typeof value === 'string' ? 'text' : typeof value)

/** Finds an amount that is decimal text where the map does not take it. */
export function decimalHint({ order, moved }: MappedReading): string | undefined {
  const textAt = (name: string, value: unknown): PlacedField | undefined =>
    typeof value === 'string' && isDecimalText(value) ? moved.find((field) => field.name === name) : undefined
  const items = Array.isArray(order['items']) ? order['items'] : []
  const found =
    textAt('order_value', order['order_value']) ??
    textAt('amount', order['amount']) ??
    items
      .flatMap((item) => ['quantity', 'price_per_unit'].map((name) => textAt(name, member(item, name))))
      .find((field) => field !== undefined)
  return found && `\`${shownPath(found)}\` is a number as text: add :decimal to it in ORDER_FIELDS, or send a number`
}

/** Names the places of the fields that a hint speaks of. */
export function withPlaces(hint: string, moved: readonly PlacedField[], maxLength: number): string {
  const named = moved.filter(({ name }) => new RegExp(`\\b${name}\\b`).test(hint)).slice(0, 2)
  if (named.length === 0) return hint
  const places = listText(named.map((field) => `${field.name} is \`${shownPath(field)}\``))
  const more = ` (here ${places})`
  const left = maxLength - more.length - 1
  return `${hint.length > left ? `${hint.slice(0, left - 1).toWellFormed()}…` : hint}${more}`
}

const shownPath = ({ path }: PlacedField): string => visible(pathText(path), 48)

/** The scan of a body gives the texts of its own members: of numbers under other names, the shortest form stands in. */
export function scanOfMapped(order: JsonObject, scan: () => Scan): () => Scan {
  return () => {
    const { tokens, ...rest } = scan()
    const [token = 'Infinity'] = tokens
    const textOf = (value: unknown): string =>
      typeof value === 'number' && !Number.isFinite(value) && tokens.size > 0 ? token : String(value)
    const members = new Map(
      ['user_id', 'order_id', 'order_value', 'amount', 'event_id'].flatMap((name): [string, string][] =>
        typeof order[name] === 'number' ? [[name, textOf(order[name])]] : [],
      ),
    )
    return { ...rest, tokens, members }
  }
}
