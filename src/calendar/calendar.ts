import { addDays, dayNumber } from './dates.ts'
import { droppedOn, type Keep, keptFrom, type Period, type PeriodKind, periodKinds, periodOf } from './periods.ts'
import { type OrderTime, readTime } from './read-time.ts'
import { dayIn, stepMs } from './zone.ts'

export interface CalendarSettings {
  /** IANA name of the zone whose days are reported. */
  readonly zone: string
  /** The kinds of periods that have boards. */
  readonly periods: readonly PeriodKind[]
  readonly keep: Keep
  /** How many days after its end a day is still open: orders of that day that come later are counted. */
  readonly openDays: number
}

/**
 * Says why an order is counted on its day.
 * - `own`: that is the day of its own time
 * - `undated`: it has no time that can be read; it is counted on the day it was sent to SQS
 * - `misdated`: the day of its own time is closed, or later than tomorrow; it is counted on the day it was sent
 */
export const datings = ['own', 'undated', 'misdated'] as const
export type Dated = (typeof datings)[number]

/**
 * The days of the reports. Accounting needs that a closed period does not change, and Redis that no message makes keys of its
 * choice. So an order is counted on the first of these days that is open: that of its own time, that on which it was sent to
 * SQS, today. A day is open from the day before it, as clocks differ, until `openDays` after it. Today is the day on which the
 * order was admitted, whenever it is counted: so it is on the same day in a rebuild, and for an undo.
 */
export interface Calendar {
  readonly settings: CalendarSettings
  /** Returns the day of an instant in ms. */
  dayAt(ms: number): string
  /** @param timestamp as the producer wrote it   @param sentMs when it was sent to SQS   @param atMs when it was admitted */
  place(timestamp: string | undefined, sentMs: number, atMs: number): { readonly day: string; readonly dated: Dated }
  /** Returns whether the days up to this one are closed today. */
  isClosed(lastDay: string, today: string): boolean
  /** Returns the time, in ms, from which no order that is admitted counts on the days up to this one. */
  closesAt(lastDay: string): number
  /** Returns the first day of the oldest period of a kind that is kept. */
  keptFrom(kind: PeriodKind, today: string): string
  /** Returns the periods that have the day. Quick for the days that orders have now. */
  periodsAt(day: string): Readonly<Record<PeriodKind, KeptPeriod>>
}

export interface KeptPeriod extends Period {
  /** When its keys expire, in seconds since 1970: a day after it is not kept, as a day ends later in the west. */
  readonly expiresAt: number
}

export function calendarOf(settings: CalendarSettings): Calendar {
  const { keep, openDays, zone } = settings
  const dayAt = dayIn(zone)
  let known = { today: '', first: '', last: '' }
  const openOn = (today: string): typeof known => {
    if (known.today !== today) known = { today, first: addDays(today, -openDays), last: addDays(today, 1) }
    return known
  }
  return {
    settings,
    dayAt,
    place: (timestamp, sentMs, atMs) => {
      const { today, first, last } = openOn(dayAt(atMs))
      const openDay = (time: OrderTime | undefined): string | undefined => {
        const day = time && dayOfTime(time, dayAt, atMs)
        return day !== undefined && day >= first && day <= last ? day : undefined
      }
      const time = timestamp === undefined ? undefined : readTime(timestamp)
      const own = openDay(time)
      if (own !== undefined) return { day: own, dated: 'own' }
      return { day: openDay({ ms: sentMs }) ?? today, dated: time ? 'misdated' : 'undated' }
    },
    isClosed: (lastDay, today) => lastDay < addDays(today, -openDays),
    closesAt: (lastDay) => beginOf(addDays(lastDay, openDays + 1), dayAt),
    keptFrom: (kind, today) => keptFrom(kind, keep, today),
    periodsAt: remembered((day) => periodsAt(day, keep)),
  }
}

/**
 * Returns the time, in ms, from which it is this day or a later one for good: a zone may set its clock back across midnight.
 * No zone is 15 hours from Greenwich.
 */
function beginOf(day: string, dayAt: Calendar['dayAt']): number {
  let ms = (dayNumber(day) * 24 + 15) * 3_600_000
  while (dayAt(ms - stepMs) >= day) ms -= stepMs
  return ms
}

function periodsAt(day: string, keep: Keep): Record<PeriodKind, KeptPeriod> {
  const { to: lastDay } = periodOf('month', day)
  const kept = periodKinds.map((kind) => {
    const period = periodOf(kind, day)
    // Leaderboards of days and weeks stand for what users had in their month, which outlasts them.
    const ending = kind === 'month' ? periodKinds.map((one) => periodOf(one, lastDay)) : [period]
    const dropped = Math.max(...ending.map((one) => dayNumber(droppedOn(one, keep))))
    return [kind, { ...period, expiresAt: (dropped + 1) * 86_400 }]
  })
  return Object.fromEntries(kept)
}

const maxRemembered = 10_000

function remembered<T>(make: (day: string) => T): (day: string) => T {
  const known = new Map<string, T>()
  return (day) => {
    const found = known.get(day)
    if (found !== undefined) return found
    if (known.size >= maxRemembered) known.clear()
    const made = make(day)
    known.set(day, made)
    return made
  }
}

/** Farther from its admission than this, a time is of no open day. It is not looked up, as its day would be kept in memory. */
const maxDistanceMs = 4_000 * 86_400_000

function dayOfTime(time: OrderTime, dayAt: Calendar['dayAt'], atMs: number): string | undefined {
  if ('day' in time) return time.day
  return Math.abs(time.ms - atMs) < maxDistanceMs ? dayAt(time.ms) : undefined
}
