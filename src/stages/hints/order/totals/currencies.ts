import { visible } from '../../quote.ts'
import type { JsonObject } from '../../reading.ts'
import type { Sums } from './sums.ts'

/** Finds an item in another currency than the order, or than the first item. */
export function mixedCurrencies({ order, lines }: Sums): string | undefined {
  const whole = currencyOf(order)
  const base = whole ?? currencyOf(lines[0]?.item ?? {})
  if (base === undefined) return undefined
  for (const [at, { item }] of lines.entries()) {
    const other = currencyOf(item)
    if (other === undefined || other === base) continue
    const where = whole === undefined ? 'item 1' : 'the order'
    return `Item ${at + 1} is in ${visible(other, 8)} and ${where} in ${visible(base, 8)}, which may be the cause: send all amounts in one currency`
  }
  return undefined
}

function currencyOf(value: JsonObject): string | undefined {
  const found = ['currency', 'currency_code', 'currencyCode'].map((name) => value[name])
  return found.find((one) => typeof one === 'string')
}
