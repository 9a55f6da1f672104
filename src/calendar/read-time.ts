import { dayNumber, isDay } from './dates.ts'

/** An instant, in ms since 1970; or a day, where the text has no zone: it is in the zone of the reports then. */
export type OrderTime = { readonly ms: number } | { readonly day: string }

/**
 * Reads the time of an order. Returns undefined if it has none of these forms, or no such day or hour exists:
 * - ISO 8601: `2026-11-25`, `20261125`, `2026-11-25T10:00:00.123456+01:00`; a space instead of the T; with or without
 *   seconds and zone; `Z`, `+01:00`, `+0100`, `+01`; also as `2026-11-25T10:00+01:00[Europe/Berlin]`
 * - RFC 2822: `Wed, 25 Nov 2026 10:00:00 +0100`, or with GMT
 * - a number since 1970, in seconds, ms, µs or ns, with or without a fraction: which one follows from its size
 */
export function readTime(text: string): OrderTime | undefined {
  const sent = text.trim()
  return readIso(sent) ?? readEpoch(sent) ?? readMail(sent)
}

const isoForm =
  /^(\d{4})-?(\d\d)-?(\d\d)(?:(?:[Tt]|\s+)(\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?\s*([Zz]|[+-]\d\d(?::?\d\d)?)?(?:\[[^\]]*\])?)?$/

function readIso(text: string): OrderTime | undefined {
  const found = isoForm.exec(text)
  if (!found) return undefined
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone] = found
  return timeOf({ day: `${year}-${month}-${day}`, hour, minute, second, fraction, zone })
}

interface Written {
  readonly day: string
  readonly hour: string
  readonly minute: string
  readonly second: string
  readonly fraction: string
  readonly zone: string | undefined
}

/** A second 60 is a leap second, which no clock here has: it counts as the second before. */
function timeOf({ day, hour, minute, second, fraction, zone }: Written): OrderTime | undefined {
  const [h, m, s] = [Number(hour), Number(minute), Number(second)]
  if (h > 23 || m > 59 || s > 60 || !isDay(day)) return undefined
  if (zone === undefined) return { day }
  const offset = minutesOf(zone)
  if (offset === undefined) return undefined
  const seconds = dayNumber(day) * 86_400 + (h * 60 + m - offset) * 60 + Math.min(s, 59)
  return { ms: seconds * 1_000 + Number(millis(fraction)) }
}

/** Returns the minutes east of Greenwich. No zone has ever been more than 16 hours away. */
function minutesOf(zone: string): number | undefined {
  if (!/^[+-]/.test(zone)) return 0
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(3).replace(':', ''))]
  if (hours > 16 || minutes > 59) return undefined
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes)
}

const epochForm = /^(\d{9,19})(?:\.(\d+))?$/

/**
 * 100 billion seconds are the year 5138, as many ms 1973. Fewer than nine digits are a time before 1973, or no time. Digits
 * below a ms are cut off as text: a double would round the last ns before midnight up to it.
 */
function readEpoch(text: string): OrderTime | undefined {
  const [, whole, fraction = ''] = epochForm.exec(text) ?? []
  if (whole === undefined) return undefined
  const number = Number(whole)
  if (number < 1e11) return { ms: Number(whole + millis(fraction)) }
  const below = number < 1e14 ? 0 : number < 1e17 ? 3 : 6
  return { ms: Number(whole.slice(0, whole.length - below)) }
}

/** Returns the three digits of the ms in a fraction of a second. */
const millis = (fraction: string): string => fraction.slice(0, 3).padEnd(3, '0')

const mailForm =
  /^(?:[A-Za-z]{3},\s*)?(\d{1,2})\s+([A-Za-z]{3})\s+(\d{4})\s+(\d\d):(\d\d)(?::(\d\d))?\s+([+-]\d{4}|GMT|UTC?|Z)$/
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

function readMail(text: string): OrderTime | undefined {
  const found = mailForm.exec(text)
  if (!found) return undefined
  const [, date = '', name = '', year = '', hour = '', minute = '', second = '0', zone] = found
  const month = String(months.indexOf(name.toLowerCase()) + 1).padStart(2, '0')
  return timeOf({ day: `${year}-${month}-${date.padStart(2, '0')}`, hour, minute, second, fraction: '', zone })
}
