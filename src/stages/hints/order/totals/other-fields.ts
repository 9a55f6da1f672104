import { isObject } from '../../../../order/json.ts'
import { visible } from '../../quote.ts'
import type { JsonObject } from '../../reading.ts'
import { amountOf, amountText, productText, type Sums, sum } from './sums.ts'
import { otherWords } from './words.ts'

/** Finds a field of any name that is exactly the difference, or the total of the items. */
export function otherField({ order, total, value, isSame }: Sums): string | undefined {
  const difference = Math.abs(value - total)
  for (const [name, found] of fieldsOf(order)) {
    if (!isSame(Math.abs(found), difference) || found === 0 || otherWords.test(name)) continue
    return `The difference of ${amountText(difference)} is exactly the field \`${name}\`, which may be the cause: order_value must be the total of the items`
  }
  for (const [name, found] of fieldsOf(order)) {
    if (!isSame(found, total) || total === 0 || otherWords.test(name)) continue
    return `The field \`${name}\` is exactly the total of the items (${amountText(total)}), and order_value is ${value}: order_value must be that total`
  }
  return undefined
}

/** Lists the numbers at the top of the order and one level down. */
function fieldsOf(order: JsonObject): [name: string, amount: number][] {
  const all = Object.entries(order)
    .slice(0, 100)
    .filter(([name]) => !['items', 'order_value', 'user_id', 'order_id'].includes(name))
  return all.flatMap(([name, value]): [string, number][] => {
    const amount = amountOf(value)
    if (amount !== undefined) return [[visible(name, 24), amount]]
    if (!isObject(value)) return []
    return Object.entries(value)
      .slice(0, 20)
      .flatMap(([inner, one]): [string, number][] => {
        const nested = amountOf(one)
        return nested === undefined ? [] : [[`${visible(name, 24)}.${visible(inner, 24)}`, nested]]
      })
  })
}

/** Fields of an item that hold the price of the whole line. */
const lineNames = [
  'total',
  'line_total',
  'lineTotal',
  'subtotal',
  'sub_total',
  'total_price',
  'totalPrice',
  'amount',
  'price',
  'final_price',
  'discounted_price',
  'extended_price',
  'row_total',
  'sum',
  'net',
  'gross',
  'sale_price',
]

/** Finds prices of whole lines in price_per_unit, or another field of the items that adds up. */
export function lineTotals({ lines, value, isSame }: Sums): string | undefined {
  if (isSame(sum(lines.map(({ price }) => price)), value)) {
    const at = lines.findIndex(({ quantity }) => quantity !== 1)
    return `The prices add up to order_value without their quantities: price_per_unit may be the price of the whole line, as in item ${at + 1}, so divide it by the quantity`
  }
  for (const name of lineNames) {
    if (!lines.every(({ item }) => Object.hasOwn(item, name) && amountOf(item[name]) !== undefined)) continue
    const amounts = lines.map(({ item }) => amountOf(item[name]) ?? 0)
    if (!isSame(sum(amounts), value)) continue
    const at = lines.findIndex(({ total }, line) => !isSame(total, amounts[line] ?? 0))
    if (at === -1) continue
    return `The fields \`${name}\` of the items add up to order_value, but quantity times price_per_unit differs, first in item ${at + 1} (${productText(lines[at])})`
  }
  return undefined
}
