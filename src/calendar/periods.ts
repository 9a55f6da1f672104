import {
  addDays,
  addMonths,
  firstOfMonth,
  isDay,
  lastOfMonth,
  mondayOf,
  mondayOfWeek,
  monthOf,
  weekOf,
} from './dates.ts'

export const periodKinds = ['day', 'week', 'month'] as const
export type PeriodKind = (typeof periodKinds)[number]

/** A day, a week by ISO 8601 or a month. */
export interface Period {
  readonly kind: PeriodKind
  /** `2026-11-25`, `2026-W48` or `2026-11`. */
  readonly name: string
  /** Its first and last day. */
  readonly from: string
  readonly to: string
}

/** Names that mean another period each day: its kind, and the number of periods since. */
const relativePeriods = {
  today: ['day', 0],
  yesterday: ['day', 1],
  'this-week': ['week', 0],
  'last-week': ['week', 1],
  'this-month': ['month', 0],
  'last-month': ['month', 1],
} as const
export const relativeNames = Object.keys(relativePeriods)

/** Returns the period of a kind that has the day. */
export function periodOf(kind: PeriodKind, day: string): Period {
  if (kind === 'day') return { kind, name: day, from: day, to: day }
  if (kind === 'month')
    return { kind, name: monthOf(day), from: firstOfMonth(monthOf(day)), to: lastOfMonth(monthOf(day)) }
  const from = mondayOf(day)
  return { kind, name: weekOf(day), from, to: addDays(from, 6) }
}

/** Reads the name of a period; undefined if there is none of that name, such as 2026-02-30 or 2025-W53. */
export function readPeriod(name: string, today: string): Period | undefined {
  if (Object.hasOwn(relativePeriods, name)) return relativePeriod(name as keyof typeof relativePeriods, today)
  const period = named(name)
  return period?.name === name ? period : undefined
}

function relativePeriod(name: keyof typeof relativePeriods, today: string): Period {
  const [kind, back] = relativePeriods[name]
  const current = periodOf(kind, today)
  return back === 0 ? current : periodOf(kind, addDays(current.from, -1))
}

/** Reads a day, `today` or `yesterday`. */
export function readDay(name: string, today: string): string | undefined {
  if (name === 'today') return today
  if (name === 'yesterday') return addDays(today, -1)
  return isDay(name) ? name : undefined
}

function named(name: string): Period | undefined {
  const year = Number(name.slice(0, 4))
  if (year < 1 || year > 9_998) return undefined // the days around it have four digits, too
  if (isDay(name)) return periodOf('day', name)
  if (/^\d{4}-W\d\d$/.test(name)) return periodOf('week', mondayOfWeek(name))
  const first = firstOfMonth(name)
  return /^\d{4}-\d\d$/.test(name) && isDay(first) ? periodOf('month', first) : undefined
}

/** How many periods of each kind are kept after they ended. */
export interface Keep {
  readonly days: number
  readonly weeks: number
  readonly months: number
}

/** Returns the first day of the oldest period of a kind that is kept today. */
export function keptFrom(kind: PeriodKind, keep: Keep, today: string): string {
  if (kind === 'day') return addDays(today, -keep.days)
  if (kind === 'week') return addDays(mondayOf(today), -7 * keep.weeks)
  return firstOfMonth(addMonths(monthOf(today), -keep.months))
}

/** Returns the first day on which a period is not kept. */
export function droppedOn({ kind, from, to }: Period, keep: Keep): string {
  if (kind === 'day') return addDays(to, keep.days + 1)
  if (kind === 'week') return addDays(from, 7 * (keep.weeks + 1))
  return firstOfMonth(addMonths(monthOf(from), keep.months + 1))
}
