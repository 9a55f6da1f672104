import { isObject } from '../../../identity.ts'
import { visible } from '../../../quote.ts'
import { type Json, type JsonObject, namesText } from '../reading.ts'
import { plainName } from '../wrapper/find.ts'
import { priceNames, quantityNames } from './items.ts'

/** The cause why the items do not add up to order_value, where the arithmetic shows one; else how far they are apart. */
export function totalHint(order: JsonObject): string | undefined {
  const { items, order_value: value } = order
  if (!Array.isArray(items) || typeof value !== 'number') return undefined
  const lines = items.map(lineOf)
  const total = sum(lines.map((line) => line.total))
  const far = lines.findIndex((line) => !Number.isFinite(line.total))
  if (far !== -1) return `Item ${far + 1} has quantity times price_per_unit beyond all numbers: send its real price`
  if (!Number.isFinite(total)) return undefined
  if (items.length === 0) {
    return `\`items\` is an empty list, which totals 0, and \`order_value\` is ${value}: list the items, or leave \`items\` out`
  }
  const sums: Sums = { order, lines, total, value }
  return (
    otherNames(sums) ??
    missing(sums) ??
    twins(sums) ??
    perItem(sums) ??
    extras(sums) ??
    rates(sums) ??
    partOf(sums) ??
    units(sums) ??
    lineTotals(sums) ??
    wholeUnits(sums) ??
    oneLine(sums) ??
    currencies(sums) ??
    apart(sums)
  )
}

interface Line {
  readonly item: JsonObject
  readonly quantity: number
  readonly price: number
  readonly total: number
}

interface Sums {
  readonly order: JsonObject
  readonly lines: readonly Line[]
  readonly total: number
  readonly value: number
}

/** As the rules read it: what is absent counts as 0. */
function lineOf(item: Json): Line {
  const found = isObject(item) ? item : {}
  const of = (name: string): number => (Object.hasOwn(found, name) ? Number(found[name]) : 0)
  const [quantity, price] = [of('quantity'), of('price_per_unit')]
  return { item: found, quantity, price, total: quantity * price }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, number) => all + number, 0)

/** A sum in decimal digits: what doubles add behind the twelfth digit is no part of it. */
const decimal = (number: number): number => Number(number.toPrecision(12))

/** Whether two amounts are the same to the cent. */
const same = (one: number, other: number): boolean => Math.abs(decimal(one) - decimal(other)) <= 0.005 + 1e-9

/** A number, or a number as text. */
function amountOf(value: Json): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  return typeof value === 'string' && /^-?\d{1,12}(?:\.\d{1,6})?$/.test(value) ? Number(value) : undefined
}

/** Price or quantity under a name that the rules do not read. */
function otherNames({ lines, value }: Sums): string | undefined {
  const renamed = lines.map(({ item, quantity, price }) => {
    const lacksPrice = !Object.hasOwn(item, 'price_per_unit')
    const lacksQuantity = !Object.hasOwn(item, 'quantity')
    const priceName = lacksPrice ? nameIn(item, priceNames, 'price_per_unit') : undefined
    const quantityName = lacksQuantity
      ? nameIn(
          item,
          quantityNames.filter((name) => name !== priceName),
          'quantity',
        )
      : undefined
    const full =
      (quantityName === undefined ? quantity : (amountOf(item[quantityName]) ?? 0)) *
      (priceName === undefined ? price : (amountOf(item[priceName]) ?? 0))
    return { priceName, quantityName, full }
  })
  const at = renamed.findIndex(({ priceName, quantityName }) => priceName !== undefined || quantityName !== undefined)
  const first = renamed[at]
  if (!first) return undefined
  const found = [first.quantityName, first.priceName].filter((name) => name !== undefined)
  const meant = [first.quantityName && 'quantity', first.priceName && 'price_per_unit'].filter(Boolean) as string[]
  const names = `${namesText(found.map((name) => visible(name, 24)))} ${found.length === 1 ? 'was' : 'were'} found in item ${at + 1} where ${namesText(meant)} ${found.length === 1 ? 'is' : 'are'} read`
  const matches = same(sum(renamed.map(({ full }) => full)), value)
  const lacking = ['quantity', 'price_per_unit'].filter(
    (name) => !meant.includes(name) && !Object.hasOwn(lines[at]?.item ?? {}, name),
  )
  const more = lacking[0] === undefined ? '' : `, and send \`${lacking[0]}\` too`
  return `${names}: rename ${found.length === 1 ? 'it' : 'them'}${matches ? ', and the total matches' : more}`
}

/** A listed name, or the read one in another spelling. */
function nameIn(item: JsonObject, names: readonly string[], read: string): string | undefined {
  const own = Object.keys(item).slice(0, 200)
  const spelled = own.find((name) => name.length <= 64 && plainName(name) === plainName(read))
  return spelled ?? names.find((name) => Object.hasOwn(item, name) && amountOf(item[name]) !== undefined)
}

function missing({ lines, value }: Sums): string | undefined {
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
  const matches = name === 'quantity' && same(withOne, value)
  return `${who} no \`${name}\`, which counts as 0: ${matches ? 'with a quantity of 1 the total matches, so send it' : 'send it'}`
}

/** Words in the name of what is added to a total, of what is taken off, and of what is no amount at all. */
const added = wordIn(
  'tax taxes vat gst hst pst mwst iva duty duties shipping delivery freight postage handling fee fees surcharge surcharges tip tips gratuity service deposit insurance packaging wrap wrapping rounding adjustment donation toll excise levy',
)
const taken = wordIn(
  'discount discounts coupon coupons voucher vouchers promo promotion rebate reduction credit credits gift giftcard points saving savings refund markdown allowance deduction loyalty prepaid paid',
)
const noAmount = wordIn('id ids zone method earned age last year number count code type status level class name')
const share = wordIn('rate percent percentage pct')

/** Says whether one of the words is in a name, which is written in any of the usual ways: `shipping_cost`, `shippingCost`. */
function wordIn(list: string): { test(name: string): boolean } {
  const words = new Set(list.split(' '))
  return {
    test: (name) => {
      const spaced = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase()
      return spaced.split(/[^a-z]+/).some((word) => words.has(word))
    },
  }
}

interface Extra {
  readonly name: string
  /** What it changes the total by. */
  readonly amount: number
}

/** So many are tried, alone, in twos and in threes. */
const maxExtras = 16

/** Fields outside of the items, at the top or one or two levels down, that may be part of order_value. */
function extrasOf(order: JsonObject): Extra[] {
  const found: Extra[] = []
  const visit = (value: Json, path: string, depth: number): void => {
    if (found.length >= maxExtras) return
    const amount = amountOf(value)
    if (amount !== undefined) {
      if (amount === 0 || noAmount.test(path) || share.test(path)) return
      if (taken.test(path)) found.push({ name: path, amount: -Math.abs(amount) })
      else if (added.test(path)) found.push({ name: path, amount })
    } else if (depth < 3 && Array.isArray(value)) {
      for (const one of value.slice(0, 10)) visit(one, `${path}[]`, depth + 1)
    } else if (depth < 3 && isObject(value)) {
      for (const [name, inner] of Object.entries(value).slice(0, 50))
        visit(inner, `${path}.${visible(name, 24)}`, depth + 1)
    }
  }
  for (const [name, value] of Object.entries(order).slice(0, 200)) {
    if (name !== 'items' && name !== 'order_value') visit(value, visible(name, 24), 0)
  }
  return found
}

/** Tax, shipping, discount and their like that explain the difference to the cent. */
function extras({ order, total, value }: Sums): string | undefined {
  const found = extrasOf(order)
  const parts = combination(found, value - total)
  if (!parts) return undefined
  const difference = amountText(Math.abs(value - total))
  const names = parts.map(({ name }) => name)
  const rule = 'order_value must be the total of the items'
  if (parts.length > 1) {
    return `The difference of ${difference} is exactly what the fields ${namesText(names)} make together: ${rule} alone`
  }
  const advice = value > total ? 'list it as an item' : 'take it off the prices of the items'
  return `The difference of ${difference} is exactly the field ${namesText(names)}: ${rule}, so ${advice} or leave it out of order_value`
}

function combination(found: readonly Extra[], wanted: number): readonly Extra[] | undefined {
  for (const one of found) if (same(one.amount, wanted)) return [one]
  for (const [at, one] of found.entries()) {
    for (const other of found.slice(at + 1)) if (same(one.amount + other.amount, wanted)) return [one, other]
  }
  for (const [at, one] of found.entries()) {
    for (const [next, other] of found.slice(at + 1).entries()) {
      const third = found.slice(at + next + 2).find(({ amount }) => same(one.amount + other.amount + amount, wanted))
      if (third) return [one, other, third]
    }
  }
  return undefined
}

/** Another field that is the difference, or the total of the items, whatever its name. */
function partOf({ order, total, value }: Sums): string | undefined {
  const difference = Math.abs(value - total)
  for (const [name, found] of fieldsOf(order)) {
    if (!same(Math.abs(found), difference) || found === 0 || noAmount.test(name)) continue
    return `The difference of ${amountText(difference)} is exactly the field \`${name}\`, which may be the cause: order_value must be the total of the items`
  }
  for (const [name, found] of fieldsOf(order)) {
    if (!same(found, total) || total === 0 || noAmount.test(name)) continue
    return `The field \`${name}\` is exactly the total of the items (${amountText(total)}), and order_value is ${value}: order_value must be that total`
  }
  return undefined
}

/** Numbers at the top of the order and one level down. */
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

/** The same item twice. */
function twins({ lines, total, value }: Sums): string | undefined {
  const at = lines.findIndex((line) => line.total > 0 && same(total - line.total, value))
  const line = lines[at]
  if (!line) return undefined
  const twin = lines.findIndex((other, index) => index > at && isSame(line, other))
  if (twin === -1) return undefined
  return `The total is too high by exactly item ${twin + 1} (${productText(line)}): it may be a copy of item ${at + 1}`
}

/** A rate of tax or discount, as a share or in percent. */
function rates({ order, total, value }: Sums): string | undefined {
  for (const [name, found] of Object.entries(order).slice(0, 200)) {
    const rate = amountOf(found)
    if (rate === undefined || rate <= 0 || rate > 100 || noAmount.test(name)) continue
    if (!(added.test(name) || taken.test(name))) continue
    const part = [rate, rate / 100].find((part) => same(total * (taken.test(name) ? 1 - part : 1 + part), value))
    if (part === undefined) continue
    const percent = decimal(part * 100)
    const how = taken.test(name) ? 'less' : 'more'
    return `order_value is ${percent} % ${how} than the items to the cent, as \`${visible(name, 24)}\` says: order_value must be the total of the items, so put it into their prices`
  }
  return undefined
}

/** A discount or tax that stands in the items. */
function perItem({ lines, total, value }: Sums): string | undefined {
  const names = new Set<string>()
  for (const { item } of lines.slice(0, 100)) {
    for (const name of Object.keys(item).slice(0, 50)) if (added.test(name) || taken.test(name)) names.add(name)
  }
  for (const name of [...names].slice(0, 10)) {
    const sign = taken.test(name) ? -1 : 1
    const of = (item: JsonObject): number => {
      const amount = Object.hasOwn(item, name) ? (amountOf(item[name]) ?? 0) : 0
      return sign === -1 ? -Math.abs(amount) : amount
    }
    const once = sum(lines.map(({ item, total }) => total + of(item)))
    const perUnit = sum(lines.map(({ item, total, quantity }) => total + quantity * of(item)))
    const percent = sum(lines.map(({ item, total }) => total * (1 + of(item) / 100)))
    const share = sum(lines.map(({ item, total }) => total * (1 + of(item))))
    if (![once, perUnit, percent, share].some((sums) => same(sums, value))) continue
    const at = lines.findIndex(({ item }) => Object.hasOwn(item, name) && amountOf(item[name]) !== 0)
    return `The difference of ${amountText(Math.abs(value - total))} is what the field \`${visible(name, 24)}\` of the items makes (first in item ${at + 1}), which is not read: put it into price_per_unit`
  }
  return undefined
}

/** Cents on one side, currency units on the other. */
function units({ total, value }: Sums): string | undefined {
  for (const [factor, unit] of [
    [100, 'cents'],
    [1_000, 'thousandths'],
    [1_000_000, 'millionths'],
  ] as const) {
    if (total > 0 && same(total * factor, value)) {
      return `order_value (${value}) is exactly ${factor} times the total of the items (${amountText(total)}): it may be in ${unit}, so send currency units`
    }
    if (value > 0 && same(value * factor, total)) {
      return `The total of the items (${amountText(total)}) is exactly ${factor} times order_value (${value}): price_per_unit may be in ${unit}, so send currency units`
    }
  }
  return undefined
}

/** Fields of an item that hold what the line costs. */
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

/** price_per_unit holds what the whole line costs, or another field of the items adds up. */
function lineTotals({ lines, value }: Sums): string | undefined {
  if (same(sum(lines.map(({ price }) => price)), value)) {
    const at = lines.findIndex(({ quantity }) => quantity !== 1)
    return `The prices add up to order_value without their quantities: price_per_unit may be the price of the whole line, as in item ${at + 1}, so divide it by the quantity`
  }
  for (const name of lineNames) {
    if (!lines.every(({ item }) => Object.hasOwn(item, name) && amountOf(item[name]) !== undefined)) continue
    const amounts = lines.map(({ item }) => amountOf(item[name]) ?? 0)
    if (!same(sum(amounts), value)) continue
    const at = lines.findIndex(({ total }, line) => !same(total, amounts[line] ?? 0))
    if (at === -1) continue
    return `The fields \`${name}\` of the items add up to order_value, but quantity times price_per_unit differs, first in item ${at + 1} (${productText(lines[at])})`
  }
  return undefined
}

function productText(line: Line | undefined): string {
  return line ? `${line.quantity} × ${line.price} is ${amountText(line.total)}` : ''
}

/** order_value without the cents of the total. */
function wholeUnits({ total, value }: Sums): string | undefined {
  if (!Number.isInteger(value) || Number.isInteger(decimal(total)) || Math.abs(value - total) >= 1) return undefined
  return `order_value (${value}) is the total of the items (${amountText(total)}) as a whole number: it may have been rounded, so send it with its cents`
}

/** One item that order_value leaves out, or counts once more. */
function oneLine({ lines, total, value }: Sums): string | undefined {
  const at = lines.findIndex((line) => line.total > 0 && same(total - line.total, value))
  if (at !== -1 && lines.length > 1) {
    return `The total is too high by exactly item ${at + 1} (${productText(lines[at])}): order_value may leave it out`
  }
  const again = lines.findIndex((line) => line.total > 0 && same(total + line.total, value))
  if (again === -1) return oneUnit({ lines, total, value })
  return `The total is too low by exactly item ${again + 1} (${productText(lines[again])}): order_value may count it twice`
}

/** One piece of one item more or less. */
function oneUnit({ lines, total, value }: Pick<Sums, 'lines' | 'total' | 'value'>): string | undefined {
  const at = lines.findIndex((line) => line.price > 0 && same(Math.abs(value - total), line.price))
  if (at === -1) return undefined
  const [many, how] = total < value ? ['low', 'one more'] : ['high', 'one less']
  return `The total is too ${many} by exactly one piece of item ${at + 1} (${lines[at]?.price}): its quantity may be ${how} than ${lines[at]?.quantity}`
}

function isSame(one: Line, other: Line | undefined): boolean {
  return one.item['product_id'] === other?.item['product_id'] && one.total === other?.total && one.price === other.price
}

/** Items in another currency than the order. */
function currencies({ order, lines }: Sums): string | undefined {
  const of = (value: JsonObject): string | undefined => {
    const found = ['currency', 'currency_code', 'currencyCode']
      .map((name) => value[name])
      .find((one) => typeof one === 'string')
    return typeof found === 'string' ? found : undefined
  }
  const whole = of(order)
  const at = lines.findIndex(({ item }) => of(item) !== undefined && of(item) !== (whole ?? of(lines[0]?.item ?? {})))
  const other = lines[at] && of(lines[at].item)
  if (at === -1 || other === undefined) return undefined
  const base = whole ?? of(lines[0]?.item ?? {})
  return base === undefined
    ? undefined
    : `Item ${at + 1} is in ${visible(other, 8)} and ${whole === undefined ? 'item 1' : 'the order'} in ${visible(base, 8)}, which may be the cause: send all amounts in one currency`
}

function apart({ lines, total, value }: Sums): string {
  const how = total < value ? 'less' : 'more'
  const shown = lines.slice(0, 3).map(({ quantity, price }) => `${quantity} × ${price}`)
  const all = `${shown.join(' + ')}${lines.length > 3 ? ` + ${lines.length - 3} more` : ''}`
  return `The items (${all}) total ${amountText(total)}, which is ${amountText(Math.abs(value - total))} ${how} than order_value: correct the items or order_value`
}

const amountText = (amount: number): string => String(decimal(amount))
