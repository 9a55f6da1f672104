// @ts-check

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 })
const thinSpace = '\u202f'

/**
 * Formats for people: 9,999 in full, larger numbers as 12.3 k, 1.23 M.
 * @param {number | null} value
 */
export function number(value) {
  if (value === null) return '–'
  if (Math.abs(value) < 10_000) return exact(value)
  return compact
    .format(value)
    .replace('K', 'k')
    .replace(/([a-z])$/i, `${thinSpace}$1`)
}

/** @param {number | null} value */
export function exact(value) {
  return value === null ? 'not known' : value.toLocaleString('en', { maximumFractionDigits: 3 })
}

/** @param {number} value */
export function rate(value) {
  return value > 0 && value < 10 ? value.toFixed(1) : number(Math.round(value))
}

/** @typedef {Pick<import('../../live/snapshot.ts').Snapshot, 'currency' | 'decimals'>} Currency by a snapshot */

/**
 * Formats minor units with all decimals. The server says how many: Intl has other ones for some currencies.
 * @param {number | null} minor
 * @param {Currency} currency
 * @returns {string}
 */
export function money(minor, { currency, decimals = 2 }) {
  if (minor === null) return '–'
  const digits = BigInt(Math.round(Math.abs(minor)))
    .toString()
    .padStart(decimals + 1, '0')
  const point = digits.length - decimals
  const fraction = decimals === 0 ? '' : `.${digits.slice(point)}`
  return `${before(currency)}${minor < 0 ? '-' : ''}${BigInt(digits.slice(0, point)).toLocaleString('en')}${fraction}`
}

/**
 * Formats minor units, from a million on in three digits.
 * @param {number | null} minor
 * @param {Currency} currency
 */
export function shortMoney(minor, { currency, decimals = 2 }) {
  const units = (minor ?? 0) / 10 ** decimals
  return Math.abs(units) < 1_000_000 ? money(minor, { currency, decimals }) : `${before(currency)}${number(units)}`
}

/**
 * Returns the minor units of an amount of the API: exactly, as long as they are less than 2^52.
 * @param {number} amount
 * @param {number} [decimals]
 */
export const minorOf = (amount, decimals = 2) => Number(`${amount}e${decimals}`)

/** @param {string} [currency] */
const before = (currency) => (currency ? `${currency}\u00a0` : '')

/** The short name of the time zone in which all times are shown, such as CET. */
export const zone =
  new Intl.DateTimeFormat('en-GB', { timeZoneName: 'short' })
    .formatToParts()
    .find(({ type }) => type === 'timeZoneName')?.value ?? 'local time'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** @param {number | null | undefined} ms */
export function duration(ms) {
  if (ms === null || ms === undefined) return '–'
  if (ms < second) return `${ms < 10 && ms % 1 !== 0 ? ms.toFixed(1) : Math.round(ms)} ms`
  if (ms < 10 * second) return `${(ms / second).toFixed(1)} s`
  if (ms < 2 * minute) return `${Math.round(ms / second)} s`
  if (ms < 2 * hour) return `${Math.round(ms / minute)} min`
  return ms < 2 * day ? `${Math.round(ms / hour)} h` : `${Math.round(ms / day)} days`
}

const justNow = 'just now'

/**
 * @param {string | number} time
 * @param {number} now ms
 */
export function ago(time, now) {
  const ms = Math.max(0, now - new Date(time).getTime())
  return ms < second ? justNow : `${duration(Math.floor(ms / second) * second).replace('.0', '')} ago`
}

/**
 * @param {string | number} time
 * @param {number} now ms
 */
export function lastAgo(time, now) {
  const text = ago(time, now)
  return text === justNow ? text : `last ${text}`
}

/**
 * Formats a time in the zone of the browser, and in UTC as logs and commands print it.
 * @param {string | number} time
 */
export function exactTime(time) {
  const local = new Date(time).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })
  const utc = utcClock(time)
  return zone === 'UTC' ? `${local} UTC` : `${local} ${zone} (${utc} UTC)`
}

/** @param {string | number} time */
export const utcClock = (time) => clock(time, { timeStyle: 'medium', timeZone: 'UTC' })

/**
 * @param {string | number} time
 * @param {Intl.DateTimeFormatOptions} options
 */
export function clock(time, options = { timeStyle: 'medium' }) {
  return new Date(time).toLocaleTimeString('en-GB', options)
}

const units = ['B', 'KB', 'MB', 'GB', 'TB']

/** @param {number} value */
export function bytes(value) {
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3))
  return `${(value / 1_000 ** power).toLocaleString('en', { maximumSignificantDigits: 3 })} ${units[power]}`
}

/**
 * Returns 1 order, 2 orders.
 * @param {number} count
 */
export function orders(count) {
  return `${number(count)} ${count === 1 ? 'order' : 'orders'}`
}
