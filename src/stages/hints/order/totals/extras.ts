import { isObject } from '../../../../order/json.ts'
import { visible } from '../../quote.ts'
import { type Json, type JsonObject, namesText } from '../../reading.ts'
import { amountOf, amountText, decimal, type Sums, sum } from './sums.ts'
import { addedWords, deductedWords, otherWords, rateWords } from './words.ts'

interface Extra {
  readonly name: string
  /** The change of the total, negative where it is deducted. */
  readonly amount: number
}

/** All of them are tried alone, in twos and in threes: 16 are 696 sums. */
const maxExtras = 16

/** Lists fields outside of the items, up to three levels down, that may be part of order_value. */
function extrasOf(order: JsonObject): Extra[] {
  const found: Extra[] = []
  const visit = (value: Json, path: string, depth: number): void => {
    if (found.length >= maxExtras) return
    const amount = amountOf(value)
    if (amount !== undefined) {
      if (amount === 0 || otherWords.test(path) || rateWords.test(path)) return
      if (deductedWords.test(path)) found.push({ name: path, amount: -Math.abs(amount) })
      else if (addedWords.test(path)) found.push({ name: path, amount })
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

/** Finds tax, shipping, discounts and the like that explain the difference exactly. */
export function orderExtras({ order, total, value, isSame }: Sums): string | undefined {
  const found = extrasOf(order)
  const parts = combination(found, value - total, isSame)
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

/** Finds one, two or three of them that make the wanted amount together. */
function combination(found: readonly Extra[], wanted: number, isSame: Sums['isSame']): readonly Extra[] | undefined {
  for (const one of found) if (isSame(one.amount, wanted)) return [one]
  for (const [at, one] of found.entries()) {
    for (const other of found.slice(at + 1)) if (isSame(one.amount + other.amount, wanted)) return [one, other]
  }
  for (const [at, one] of found.entries()) {
    for (const [next, other] of found.slice(at + 1).entries()) {
      const third = found.slice(at + next + 2).find(({ amount }) => isSame(one.amount + other.amount + amount, wanted))
      if (third) return [one, other, third]
    }
  }
  return undefined
}

/** Finds a rate of tax or discount, as a share or in percent. */
export function rates({ order, total, value, money, isSame }: Sums): string | undefined {
  for (const [name, found] of Object.entries(order).slice(0, 200)) {
    const rate = amountOf(found)
    if (rate === undefined || rate <= 0 || rate > 100 || otherWords.test(name)) continue
    if (!(addedWords.test(name) || deductedWords.test(name))) continue
    const part = [rate, rate / 100].find((part) =>
      isSame(total * (deductedWords.test(name) ? 1 - part : 1 + part), value),
    )
    if (part === undefined) continue
    const percent = decimal(part * 100)
    const how = deductedWords.test(name) ? 'less' : 'more'
    return `order_value is ${percent} % ${how} than the items to the ${money.minorName}, as \`${visible(name, 24)}\` says: order_value must be the total of the items, so put it into their prices`
  }
  return undefined
}

/** Finds a discount or tax in the items: per line, per piece, in percent or as a share. */
export function itemExtras({ lines, total, value, isSame }: Sums): string | undefined {
  const names = new Set<string>()
  for (const { item } of lines.slice(0, 100)) {
    for (const name of Object.keys(item).slice(0, 50))
      if (addedWords.test(name) || deductedWords.test(name)) names.add(name)
  }
  for (const name of [...names].slice(0, 10)) {
    const sign = deductedWords.test(name) ? -1 : 1
    const of = (item: JsonObject): number => {
      const amount = Object.hasOwn(item, name) ? (amountOf(item[name]) ?? 0) : 0
      return sign === -1 ? -Math.abs(amount) : amount
    }
    const once = sum(lines.map(({ item, total }) => total + of(item)))
    const perUnit = sum(lines.map(({ item, total, quantity }) => total + quantity * of(item)))
    const percent = sum(lines.map(({ item, total }) => total * (1 + of(item) / 100)))
    const share = sum(lines.map(({ item, total }) => total * (1 + of(item))))
    if (![once, perUnit, percent, share].some((sums) => isSame(sums, value))) continue
    const at = lines.findIndex(({ item }) => Object.hasOwn(item, name) && amountOf(item[name]) !== 0)
    return `The difference of ${amountText(Math.abs(value - total))} is what the field \`${visible(name, 24)}\` of the items makes (first in item ${at + 1}), which is not read: put it into price_per_unit`
  }
  return undefined
}
