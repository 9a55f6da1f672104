// @ts-check
import { exactTime } from './format.js'

/*
 * Days as text, 2026-11-25, and the names of periods, as the API has them: 2026-11-25, 2026-W48, 2026-11.
 */

/** @typedef {'day' | 'week' | 'month'} PeriodKind */

const msPerDay = 86_400_000

/**
 * Counts days from 1970-01-01, which is 0.
 * @param {string} day
 */
export const dayNumber = (day) => Date.parse(day) / msPerDay

/** @param {number} number */
export const dayOf = (number) => new Date(number * msPerDay).toISOString().slice(0, 10)

/**
 * @param {string} day
 * @param {number} days
 */
const addDays = (day, days) => dayOf(dayNumber(day) + days)

/**
 * Returns the weekday of a day, 0 for Monday. 1970-01-01 was a Thursday.
 * @param {number} number
 */
const weekdayOf = (number) => (((number + 3) % 7) + 7) % 7

/** @param {number} number */
export const isMonday = (number) => weekdayOf(number) === 0

/**
 * Returns the name of the period of a kind that has the day. Weeks are those of ISO 8601.
 * @param {PeriodKind} kind
 * @param {string} day
 */
export function periodName(kind, day) {
  if (kind === 'day') return day
  if (kind === 'month') return day.slice(0, 7)
  const thursday = addDays(day, 3 - weekdayOf(dayNumber(day)))
  const year = thursday.slice(0, 4)
  const week = Math.floor((dayNumber(thursday) - dayNumber(`${year}-01-01`)) / 7) + 1
  return `${year}-W${String(week).padStart(2, '0')}`
}

/**
 * Returns a day of the period before the one that has the day, or behind it.
 * @param {PeriodKind} kind
 * @param {string} day
 * @param {1 | -1} by
 */
export function stepped(kind, day, by) {
  if (kind !== 'month') return addDays(day, by * (kind === 'week' ? 7 : 1))
  const first = `${day.slice(0, 7)}-01`
  return by < 0 ? addDays(first, -1) : addDays(first, 31)
}

/** @type {Readonly<Record<PeriodKind, readonly [current: string, last: string]>>} */
const names = {
  day: ['Today', 'Yesterday'],
  week: ['This week', 'Last week'],
  month: ['This month', 'Last month'],
}

/**
 * Names the period of a kind that has the day, as people say it.
 * @param {PeriodKind} kind
 * @param {string} day
 * @param {string} today
 */
export function periodText(kind, day, today) {
  const name = periodName(kind, day)
  const [current, last] = names[kind]
  if (name === periodName(kind, today)) return current
  if (name === periodName(kind, stepped(kind, today, -1))) return last
  if (kind === 'week') return `Week ${Number(name.slice(6))}, ${name.slice(0, 4)}`
  return kind === 'day' ? dayText(day) : written(day, { month: 'long', year: 'numeric' })
}

/**
 * Writes a day for people: 25 Nov 2026.
 * @param {string} day
 */
export const dayText = (day) => written(day, { dateStyle: 'medium' })

/**
 * Writes a day without its year: 25 Nov.
 * @param {string} day
 */
export const shortDay = (day) => written(day, { day: 'numeric', month: 'short' })

/**
 * @param {string} day
 * @param {Intl.DateTimeFormatOptions} options
 */
const written = (day, options) => new Date(day).toLocaleDateString('en-GB', { ...options, timeZone: 'UTC' })

/**
 * Says which days a reply is about, in which zone, if they may still change, and if the calendar began within or after them.
 * @param {{ from: string, to: string, timezone: string, closed: boolean, since?: string }} range
 */
export function rangeText({ from, to, timezone, closed, since }) {
  const days = from === to ? dayText(from) : `${dayText(from)} to ${dayText(to)}`
  const state = closed ? 'Closed: no order changes it any more.' : 'Still open: late orders count, too.'
  const began = since && ` The calendar began on ${exactTime(since)}: not every order counted before is in a day.`
  return `${days} in ${timezone}. ${state}${began ?? ''}`
}
