import { z } from 'zod'
import type { App } from '../../app.ts'
import { addDays, monthOf } from '../../calendar/dates.ts'
import { daysOf } from '../../calendar/range.ts'
import type { Keys } from '../../keys.ts'
import { addSums, exactInteger, isNoSum, noSum, type Sum, subtractSums } from '../../order/money.ts'
import { defineScript } from '../../redis/script.ts'
import { type CalendarBooks, type CalendarStart, readCalendarBooks, startOf } from '../../stages/calendar-books.ts'

const readAtOnce = defineScript(import.meta.url, z.array(z.tuple([z.string(), z.string()])))

/** How the days stand to the totals. Exact at every moment. */
export interface DatedTotals {
  /** Undefined if the calendar has not begun. */
  readonly start: CalendarStart | undefined
  /** All that the calendar has counted. */
  readonly inDays: Sum
  /** The part of the totals that came after the begin and is in no day; undefined if it is not known. */
  readonly missing: Sum | undefined
  /** The months whose days do not add up to what was counted in them. */
  readonly months: readonly WrongMonth[]
}

/** A month of a partition. */
export interface WrongMonth {
  readonly keys: Keys
  readonly month: string
  /** By its days. */
  readonly days: Sum
  /** By the books of the calendar. */
  readonly counted: Sum
}

/** Compares the days with the totals, and those of each kept month with what was counted in it. */
export async function readDatedTotals(app: App): Promise<DatedTotals> {
  const all = await Promise.all(app.partitions.map((keys) => readCalendarBooks({ ...app, keys })))
  const months = await Promise.all(app.partitions.map((keys) => wrongMonths(app, keys)))
  const inDays = all.flatMap((one) => [...one.months.values()]).reduce(addSums, noSum)
  return { start: startOf(all), inDays, missing: missingIn(all), months: months.flat() }
}

/** A partition in which the calendar has not begun yet lacks nothing. */
function missingIn(all: readonly CalendarBooks[]): Sum | undefined {
  const known = all.flatMap(({ since, inNoDay, before }) => {
    if (since === undefined) return noSum
    return inNoDay === undefined ? [] : subtractSums(inNoDay, before)
  })
  return known.length < all.length ? undefined : known.reduce(addSums)
}

/**
 * Reads the kept days of a partition, and what was counted in each month, at one moment. Days expire with their month: a past
 * one without any day has expired, by a former CALENDAR_KEEP.
 */
async function wrongMonths({ redis, format, now }: App, keys: Keys): Promise<WrongMonth[]> {
  const today = format.calendar.dayAt(now().getTime())
  const days = daysOf({ from: format.calendar.keptFrom('month', today), to: addDays(today, 1) })
  const months = [...new Set(days.map(monthOf))]
  const replies = await readAtOnce(redis, [keys.calendarBooks, ...days.map((day) => keys.day(day))], months)
  const ofDays = Map.groupBy(replies.slice(months.length).map(sumIn), (_, at) => monthOf(days[at] ?? ''))
  return months.flatMap((month, at) => {
    const found = (ofDays.get(month) ?? []).flatMap((day) => day ?? [])
    const [sum, counted] = [found.reduce(addSums, noSum), sumIn(replies[at]) ?? noSum]
    const isExpired = found.length === 0 && month !== monthOf(today)
    return isExpired || isNoSum(subtractSums(sum, counted)) ? [] : [{ keys, month, days: sum, counted }]
  })
}

/** Returns undefined for a hash that does not exist. */
function sumIn([orders, minor]: readonly [string, string] = ['', '']): Sum | undefined {
  if (orders === '' && minor === '') return undefined
  return { orders: exactInteger(orders) ?? 0n, minor: exactInteger(minor) ?? 0n }
}
