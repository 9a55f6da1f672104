import type { Money } from '../../../../order/money.ts'
import type { JsonObject } from '../../reading.ts'
import { mixedCurrencies } from './currencies.ts'
import { itemExtras, orderExtras, rates } from './extras.ts'
import { missingFields, renamedFields } from './field-names.ts'
import { oneItem, repeatedItem } from './one-item.ts'
import { lineTotals, otherField } from './other-fields.ts'
import { amountText, type Sums, sumsOf } from './sums.ts'
import { minorUnits, roundedValue } from './units.ts'

/** Causes of a wrong total, the surest first. */
const causes: readonly ((sums: Sums) => string | undefined)[] = [
  renamedFields,
  missingFields,
  repeatedItem,
  itemExtras,
  orderExtras,
  rates,
  otherField,
  minorUnits,
  lineTotals,
  roundedValue,
  oneItem,
  mixedCurrencies,
]

/** Explains why the items do not add up to order_value: by a cause that the arithmetic proves, else by the difference. */
export function totalHint(order: JsonObject, money: Money): string | undefined {
  const { items, order_value: value } = order
  if (!Array.isArray(items) || typeof value !== 'number') return undefined
  const sums = sumsOf(order, items, value, money)
  const infinite = sums.lines.findIndex((line) => !Number.isFinite(line.total))
  if (infinite !== -1) {
    return `Item ${infinite + 1} has quantity times price_per_unit beyond all numbers: send its real price`
  }
  if (!Number.isFinite(sums.total)) return undefined
  if (items.length === 0) {
    return `\`items\` is an empty list, which totals 0, and \`order_value\` is ${value}: list the items, or leave \`items\` out`
  }
  for (const cause of causes) {
    const found = cause(sums)
    if (found !== undefined) return found
  }
  return differenceText(sums)
}

function differenceText({ lines, total, value }: Sums): string {
  const how = total < value ? 'less' : 'more'
  const shown = lines.slice(0, 3).map(({ quantity, price }) => `${quantity} × ${price}`)
  const all = `${shown.join(' + ')}${lines.length > 3 ? ` + ${lines.length - 3} more` : ''}`
  return `The items (${all}) total ${amountText(total)}, which is ${amountText(Math.abs(value - total))} ${how} than order_value: correct the items or order_value`
}
