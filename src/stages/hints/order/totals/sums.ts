import { isObject } from '../../../../order/json.ts'
import type { Money } from '../../../../order/money.ts'
import type { Json, JsonObject } from '../../reading.ts'

/** One item and what it adds to the total. */
export interface Line {
  readonly item: JsonObject
  readonly quantity: number
  readonly price: number
  readonly total: number
}

export interface Sums {
  readonly order: JsonObject
  readonly lines: readonly Line[]
  /** The total of the items. */
  readonly total: number
  /** order_value. */
  readonly value: number
  readonly money: Money
  /** Compares two amounts to the minor unit. */
  isSame(one: number, other: number): boolean
}

export function sumsOf(order: JsonObject, items: readonly Json[], value: number, money: Money): Sums {
  const lines = items.map(lineOf)
  const half = 0.5 / 10 ** money.decimals + 1e-9
  const isSame = (one: number, other: number): boolean => Math.abs(decimal(one) - decimal(other)) <= half
  return { order, lines, total: sum(lines.map((line) => line.total)), value, money, isSame }
}

/** Reads an item as the rules do: an absent field counts as 0. */
function lineOf(item: Json): Line {
  const found = isObject(item) ? item : {}
  const of = (name: string): number => (Object.hasOwn(found, name) ? Number(found[name]) : 0)
  const [quantity, price] = [of('quantity'), of('price_per_unit')]
  return { item: found, quantity, price, total: quantity * price }
}

export const sum = (numbers: readonly number[]): number => numbers.reduce((all, number) => all + number, 0)

/** Rounds to twelve digits, because sums of doubles are off behind them. */
export const decimal = (number: number): number => Number(number.toPrecision(12))

/** Reads a number, or a number as text. */
export function amountOf(value: Json): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  return typeof value === 'string' && /^-?\d{1,12}(?:\.\d{1,6})?$/.test(value) ? Number(value) : undefined
}

export const amountText = (amount: number): string => String(decimal(amount))

/** Shows how the total of a line is made. */
export function productText(line: Line | undefined): string {
  return line ? `${line.quantity} × ${line.price} is ${amountText(line.total)}` : ''
}
