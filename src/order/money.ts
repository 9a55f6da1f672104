import type { Currency } from './currency.ts'
import { rawJson } from './raw-json.ts'

/** 2^53: JSON numbers and Redis scores are doubles, exact for integers up to here. */
export const maxExactMinor = Number.MAX_SAFE_INTEGER

/** The largest order_value, in currency units. */
export const maxOrderValue = 1_000_000_000

/** Amounts without CURRENCY. */
const defaultDecimals = 2

/** Amounts of one currency, in units and in minor units: cents, where it has two decimals. */
export interface Money {
  /** Undefined unless CURRENCY is set. */
  readonly code: string | undefined
  /** Returns whether an order may name this currency. Without CURRENCY it may name any. */
  takes(currency: unknown): boolean
  /** Of the minor unit, by ISO 4217. */
  readonly decimals: number
  /** Names one minor unit to people. */
  readonly minorName: 'cent' | 'minor unit'
  /**
   * Units to minor units, half away from zero, decided on the number's shortest decimal form: with two decimals 1.005 is
   * 101 although its double lies below. For 0 <= value <= 1e9, and as long as doubles lie less than a minor unit apart.
   */
  toMinor(value: number): number
  /** Rounds an amount to whole minor units as `toMinor` does, for any value >= 0. Doubles further apart stay as they are. */
  round(value: number): number
  /**
   * An amount as the Python system and Redis write it (`150.75`, `9999.99999999999871`, from Redis 8.6 on also
   * `1.0000013349200001e+9`) to minor units, half away from zero, on its shortest decimal form. Undefined for
   * what is no decimal number (`inf`, `nan`), and from 10^21 on.
   */
  minorIn(text: string): bigint | undefined
  /** Minor units as decimal text in units, shortest form: with two decimals 15075 is `150.75`, 15000 is `150`. */
  minorText(minor: number): string
  /**
   * Minor units as a JSON number in units, exact up to 2^53 minor units. Where a double cannot distinguish one minor unit
   * from the next, the number goes out as its decimal text (JSON.rawJSON).
   */
  toAmount(minor: number): number
}

/** Makes the money of a currency; without one it has two decimals. */
export function moneyOf(currency?: Currency): Money {
  const decimals = currency?.decimals ?? defaultDecimals
  const scale = 10 ** decimals
  /** From here on neighboring doubles are more than a minor unit apart: 2^46 with two decimals. */
  const maxDistinct = 2 ** Math.floor(53 - Math.log2(scale))
  const toMinor = (value: number): number => {
    const minor = Math.round(value * scale)
    if (minor / scale === value) return minor + 0 // + 0 turns -0 into 0
    const [whole = '0', fraction = ''] = value < minPlain ? [] : String(value).split('.')
    const below = Number(whole) * scale + Number(fraction.slice(0, decimals).padEnd(decimals, '0'))
    return below + (fraction.charAt(decimals) >= '5' ? 1 : 0)
  }
  const minorText = (minor: number): string => {
    const digits = BigInt(Math.abs(minor))
      .toString()
      .padStart(decimals + 1, '0')
    const point = digits.length - decimals
    const fraction = digits.slice(point).replace(/0+$/, '')
    return `${minor < 0 ? '-' : ''}${digits.slice(0, point)}${fraction === '' ? '' : `.${fraction}`}`
  }
  return {
    code: currency?.code,
    takes: (other) => currency === undefined || isCode(other, currency.code),
    decimals,
    minorName: decimals === defaultDecimals ? 'cent' : 'minor unit',
    toMinor,
    round: (value) => (value < maxDistinct ? toMinor(value) / scale : value),
    minorIn: (text) => readMinor(text, decimals, maxDistinct),
    minorText,
    toAmount: (minor) => {
      const amount = minor / scale
      const text = minorText(minor)
      return String(amount) === text ? amount : (rawJson(text) as unknown as number)
    },
  }
}

/** Codes are compared without case. A currency that is absent, or null, is the system's own. */
function isCode(given: unknown, code: string): boolean {
  if (given === undefined || given === null || given === code) return true
  return typeof given === 'string' && /^[A-Za-z]{3}$/.test(given) && given.toUpperCase() === code
}

/** Numbers below this are written with an exponent, and are 0 in any currency. */
const minPlain = 1e-6

function readMinor(text: string, decimals: number, maxDistinct: number): bigint | undefined {
  const given = decimal.exec(text)
  const value = Math.abs(Number(text))
  const hasExponent = given?.[3] !== undefined
  if (!given || (hasExponent && value >= 1e21)) return undefined
  // HINCRBYFLOAT leaves noise in the 17 digits behind the point. Where a double cannot hold minor units, only the text is exact.
  const shortest = value < minPlain ? '0' : value < maxDistinct || hasExponent ? String(value) : text
  const [, whole = '', fraction = ''] = decimal.exec(shortest) ?? []
  const digits = whole + fraction.slice(0, decimals).padEnd(decimals, '0')
  const minor = BigInt(digits) + (fraction.charAt(decimals) >= '5' ? 1n : 0n)
  return text.startsWith('-') ? -minor : minor
}

/** A decimal number. */
const decimal = /^[+-]?(\d+)(?:\.(\d+))?(e[+-]?\d+)?$/

/** Orders and minor units; exact, however large. */
export interface Sum {
  readonly orders: bigint
  readonly minor: bigint
}

export const noSum: Sum = { orders: 0n, minor: 0n }

export const addSums = (one: Sum, other: Sum): Sum => ({
  orders: one.orders + other.orders,
  minor: one.minor + other.minor,
})

export const subtractSums = (one: Sum, other: Sum): Sum => ({
  orders: one.orders - other.orders,
  minor: one.minor - other.minor,
})

export const isNoSum = ({ orders, minor }: Sum): boolean => orders === 0n && minor === 0n

/** An integer as Redis writes and takes it: HINCRBY refuses `007`, and so do our scripts. */
const integerForm = /^(?:0|-?[1-9]\d*)$/

/** Reads a hash field as an integer; undefined if it is not one. */
export function exactInteger(field: unknown): bigint | undefined {
  return typeof field === 'string' && integerForm.test(field) ? BigInt(field) : undefined
}

/**
 * A number that another client may have written, as a reply shows it: rounded down to an integer that JSON says exactly; 0
 * for what is no number.
 */
export function wholeNumberOf(value: unknown): number {
  const number = Math.floor(Number(value ?? 0))
  return Number.isNaN(number) ? 0 : Math.max(-maxExactMinor, Math.min(maxExactMinor, number))
}
