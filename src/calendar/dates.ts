/*
 * Days of the calendar as text, `2026-11-25`, without a time or a zone. Text of this form sorts as the days do.
 */

const dayForm = /^\d{4}-\d\d-\d\d$/
const msPerDay = 86_400_000

/** Counts days from 1970-01-01, which is 0. The day must exist. */
export function dayNumber(day: string): number {
  return daysTo(Number(day.slice(0, 4)), Number(day.slice(5, 7)), Number(day.slice(8)))
}

/** Counts by the Gregorian calendar, with years that begin in March: then a leap day is the last. Dates of JavaScript are slower. */
function daysTo(year: number, month: number, day: number): number {
  const y = month > 2 ? year : year - 1
  const m = month > 2 ? month - 3 : month + 9
  return (
    365 * y +
    Math.floor(y / 4) -
    Math.floor(y / 100) +
    Math.floor(y / 400) +
    Math.floor((153 * m + 2) / 5) +
    day -
    719_469
  )
}

/** Returns the day of a number, from year 0 to 9999. */
export const dayOf = (number: number): string => new Date(number * msPerDay).toISOString().slice(0, 10)

export const addDays = (day: string, days: number): string => dayOf(dayNumber(day) + days)

/** Returns whether text is a day that exists: 2026-02-29 does not. */
export function isDay(text: string): boolean {
  return dayForm.test(text) && exists(Number(text.slice(0, 4)), Number(text.slice(5, 7)), Number(text.slice(8)))
}

const lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

function exists(year: number, month: number, day: number): boolean {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  const last = month === 2 && isLeap ? 29 : (lengths[month - 1] ?? 0)
  return day >= 1 && day <= last
}

export const monthOf = (day: string): string => day.slice(0, 7)

/** Returns a month some months later, or earlier. */
export function addMonths(month: string, months: number): string {
  const since = Number(month.slice(0, 4)) * 12 + Number(month.slice(5, 7)) - 1 + months
  const year = String(Math.floor(since / 12)).padStart(4, '0')
  return `${year}-${String((since % 12) + 1).padStart(2, '0')}`
}

export const firstOfMonth = (month: string): string => `${month}-01`
export const lastOfMonth = (month: string): string => addDays(firstOfMonth(addMonths(month, 1)), -1)

/** Returns the Monday of a day's week. 1970-01-01 was a Thursday. */
export function mondayOf(day: string): string {
  const number = dayNumber(day)
  return dayOf(number - ((((number + 3) % 7) + 7) % 7))
}

/** Returns the week by ISO 8601, `2026-W48`. It belongs to the year of its Thursday: 2027-01-01 is in 2026-W53. */
export function weekOf(day: string): string {
  const thursday = addDays(mondayOf(day), 3)
  const year = thursday.slice(0, 4)
  const week = Math.floor((dayNumber(thursday) - dayNumber(`${year}-01-01`)) / 7) + 1
  return `${year}-W${String(week).padStart(2, '0')}`
}

/** Returns the Monday of a week. January 4 is in the first week of each year. */
export function mondayOfWeek(week: string): string {
  return addDays(mondayOf(`${week.slice(0, 4)}-01-04`), 7 * (Number(week.slice(6)) - 1))
}
