import { visible } from '../../quote.ts'
import { type JsonObject, namesText } from '../../reading.ts'
import { plainName } from '../../wrapper/find.ts'
import { priceNames, quantityNames } from '../items.ts'
import { amountOf, type Line, type Sums, sum } from './sums.ts'

/** A line with the names under which its absent fields were found. */
interface RenamedLine {
  readonly quantityName: string | undefined
  readonly priceName: string | undefined
  /** The total with the fields that were found. */
  readonly total: number
}

/** Finds price or quantity under a name that the rules do not read. */
export function renamedFields({ lines, value, isSame }: Sums): string | undefined {
  const renamed = lines.map(renamedLine)
  const at = renamed.findIndex(({ priceName, quantityName }) => priceName !== undefined || quantityName !== undefined)
  const first = renamed[at]
  if (!first) return undefined
  const found = [first.quantityName, first.priceName].filter((name) => name !== undefined)
  const meant = [first.quantityName && 'quantity', first.priceName && 'price_per_unit'].filter(Boolean) as string[]
  const [was, is, it] = found.length === 1 ? ['was', 'is', 'it'] : ['were', 'are', 'them']
  const shown = namesText(found.map((name) => visible(name, 24)))
  const isMatch = isSame(sum(renamed.map(({ total }) => total)), value)
  const item = lines[at]?.item ?? {}
  const absent = ['quantity', 'price_per_unit'].find((name) => !meant.includes(name) && !Object.hasOwn(item, name))
  const more = absent === undefined ? '' : `, and send \`${absent}\` too`
  return `${shown} ${was} found in item ${at + 1} where ${namesText(meant)} ${is} read: rename ${it}${isMatch ? ', and the total matches' : more}`
}

function renamedLine({ item, quantity, price }: Line): RenamedLine {
  const priceName = Object.hasOwn(item, 'price_per_unit') ? undefined : nameIn(item, priceNames, 'price_per_unit')
  const others = quantityNames.filter((name) => name !== priceName)
  const quantityName = Object.hasOwn(item, 'quantity') ? undefined : nameIn(item, others, 'quantity')
  const amount = (name: string | undefined, read: number): number =>
    name === undefined ? read : (amountOf(item[name]) ?? 0)
  return { priceName, quantityName, total: amount(quantityName, quantity) * amount(priceName, price) }
}

/** Returns another spelling of the name that the rules read, else a known other name with an amount. */
function nameIn(item: JsonObject, names: readonly string[], read: string): string | undefined {
  const own = Object.keys(item).slice(0, 200)
  const spelled = own.find((name) => name.length <= 64 && plainName(name) === plainName(read))
  return spelled ?? names.find((name) => Object.hasOwn(item, name) && amountOf(item[name]) !== undefined)
}

/** Finds an item without quantity or price. */
export function missingFields({ lines, value, isSame }: Sums): string | undefined {
  const lacks = (name: string): Line[] => lines.filter(({ item }) => !Object.hasOwn(item, name))
  const [quantity, price] = [lacks('quantity'), lacks('price_per_unit')]
  const [name, without] = quantity.length > 0 ? ['quantity', quantity] : ['price_per_unit', price]
  const [first] = without
  if (!first) return undefined
  const at = lines.indexOf(first) + 1
  const who = without.length === 1 ? `Item ${at} has` : `Item ${at} and ${without.length - 1} more have`
  if (name === 'quantity' && price.includes(first)) {
    return `Item ${at} has neither \`quantity\` nor \`price_per_unit\`, which count as 0: send both`
  }
  const withOne = sum(lines.map((line) => (quantity.includes(line) ? 1 : line.quantity) * line.price))
  const matches = name === 'quantity' && isSame(withOne, value)
  return `${who} no \`${name}\`, which counts as 0: ${matches ? 'with a quantity of 1 the total matches, so send it' : 'send it'}`
}
