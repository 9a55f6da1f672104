import type { Money } from '../../order/money.ts'
import { countText } from '../../reads/count-text.ts'

/** Formats a number of orders: "1 order", "2 orders". @param unknown stands for a number that could not be read */
export function ordersText(count: number | bigint | null, unknown: string): string {
  return `${count === null ? unknown : countText(count)} ${Number(count) === 1 ? 'order' : 'orders'}`
}

/** Formats a number of things: "1 segment", "2 segments". */
export const countOf = (count: number, thing: string): string => `${countText(count)} ${thing}${count === 1 ? '' : 's'}`

/**
 * Names what the counters count, where that is not orders alone: corrections, and what an undo or a redo sends, are records
 * as an order is.
 */
export const recordsText = (corrected: number | null): string => (corrected ? ' records' : '')

export const aboutRecords = 'a record is an order, or a correction, undo or redo of one'

interface Received {
  readonly received: number | null
  readonly replayed: number | null
  readonly corrected: number | null
}

/** Formats what was received, and how much of it was replayed, if any. @param unknown stands for a number that could not be read */
export function receivedText({ received, replayed, corrected }: Received, unknown: string): string {
  const total = `received ${received === null ? unknown : countText(received)}${recordsText(corrected)}`
  if (received === null || replayed === null || replayed === 0) return total
  if (corrected) return `${total} (${countText(replayed)} replayed)`
  return `${total} (${countText(received - replayed)} new, ${countText(replayed)} replayed)`
}

/** Formats a number for a column that has little room: from a million on with three digits, as in `1.23 M`. */
export function shortCount(count: number): string {
  if (Math.abs(count) < 1_000_000) return countText(count)
  const [size, letter] = Math.abs(count) < 1_000_000_000 ? [1_000_000, 'M'] : [1_000_000_000, 'B']
  return `${countText(Number((count / size).toPrecision(3)))} ${letter}`
}

/** Formats an amount of minor units as currency units, with all decimals. */
export function amountText(minor: number, { decimals }: Pick<Money, 'decimals'>): string {
  if (!Number.isFinite(minor)) return String(minor) // another client wrote the score
  const digits = BigInt(Math.round(Math.abs(minor)))
    .toString()
    .padStart(decimals + 1, '0')
  const point = digits.length - decimals
  const fraction = decimals === 0 ? '' : `.${digits.slice(point)}`
  return `${minor < 0 ? '-' : ''}${countText(BigInt(digits.slice(0, point)))}${fraction}`
}

const units = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
] as const

/** Formats an age in at most four characters: 59s, 59m, 23h, 400d. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  const [unit, length] = units.find(([, length]) => seconds >= length) ?? ['s', 1]
  return `${Math.floor(seconds / length)}${unit}`
}
