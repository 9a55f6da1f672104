import { rawJson } from './raw-json.ts'

/** 2^53: JSON numbers and Redis scores are doubles, exact for integers up to here. */
export const maxExactMinor = Number.MAX_SAFE_INTEGER

/**
 * Currency units to minor units (cents), half away from zero, decided on the number's shortest decimal form:
 * 1.005 is 101 although its double lies below. For 0 <= value < 2^46.
 */
export function toMinor(value: number): number {
  const minor = Math.round(value * 100)
  if (minor / 100 === value) return minor + 0 // + 0 turns -0 into 0
  const [whole = '0', fraction = ''] = value < 1e-6 ? [] : String(value).split('.')
  const cents = Number(whole) * 100 + Number(fraction.slice(0, 2).padEnd(2, '0'))
  return cents + (fraction.charAt(2) >= '5' ? 1 : 0)
}

/** Rounds an amount to whole cents as `toMinor` does, for any value >= 0. From 2^46 on doubles lie more than a cent apart. */
export function roundToCents(value: number): number {
  return value < 2 ** 46 ? toMinor(value) / 100 : value
}

/**
 * An amount as the Python system and Redis write it (`150.75`, `9999.99999999999871`, from Redis 8.6 on also
 * `1.0000013349200001e+9`) to minor units, half away from zero, on its shortest decimal form. Undefined for
 * what is no decimal number (`inf`, `nan`), and from 10^21 on.
 */
export function minorIn(text: string): bigint | undefined {
  const given = decimal.exec(text)
  const value = Math.abs(Number(text))
  const hasExponent = given?.[3] !== undefined
  if (!given || (hasExponent && value >= 1e21)) return undefined
  // HINCRBYFLOAT leaves noise in the 17 digits behind the point. Where a double cannot hold cents, only the text is exact.
  const shortest = value < 1e-6 ? '0' : value < minWithoutCents || hasExponent ? String(value) : text
  const [, whole = '', fraction = ''] = decimal.exec(shortest) ?? []
  const cents = BigInt(whole + fraction.slice(0, 2).padEnd(2, '0')) + (fraction.charAt(2) >= '5' ? 1n : 0n)
  return text.startsWith('-') ? -cents : cents
}

const decimal = /^[+-]?(\d+)(?:\.(\d+))?(e[+-]?\d+)?$/
/** From here on neighboring doubles are more than a cent apart. */
const minWithoutCents = 2 ** 46

/** Minor units as decimal text in currency units, shortest form: 15075 is `150.75`, 15000 is `150`. */
export function minorText(minor: number): string {
  const digits = BigInt(Math.abs(minor)).toString().padStart(3, '0')
  const sign = minor < 0 ? '-' : ''
  return `${sign}${digits.slice(0, -2)}.${digits.slice(-2)}`.replace(/\.?0+$/, '')
}

/**
 * Minor units as a JSON number in currency units, exact to the cent up to 2^53 minor units. Above 2^46 units a double
 * cannot distinguish one cent from the next, so such a number goes out as its decimal text (JSON.rawJSON).
 */
export function toAmount(minor: number): number {
  const amount = minor / 100
  const text = minorText(minor)
  return String(amount) === text ? amount : (rawJson(text) as unknown as number)
}

/** Orders and minor units; exact, however large. */
export interface Sum {
  readonly orders: bigint
  readonly minor: bigint
}

export const addSums = (one: Sum, other: Sum): Sum => ({
  orders: one.orders + other.orders,
  minor: one.minor + other.minor,
})

/** Reads a hash field as an integer; undefined if it is not one. */
export function exactInteger(field: unknown): bigint | undefined {
  return typeof field === 'string' && /^-?\d+$/.test(field) ? BigInt(field) : undefined
}

/**
 * A number that another client may have written, as a reply shows it: rounded down to an integer that JSON says exactly; 0
 * for what is no number.
 */
export function wholeNumberOf(value: unknown): number {
  const number = Math.floor(Number(value ?? 0))
  return Number.isNaN(number) ? 0 : Math.max(-maxExactMinor, Math.min(maxExactMinor, number))
}
