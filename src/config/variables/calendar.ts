import { z } from 'zod'
import { type Keep, type PeriodKind, periodKinds } from '../../calendar/periods.ts'
import { utc, zoneName } from '../../calendar/zone.ts'
import { count, define, text, withDefault } from '../variable.ts'

const kept: Keep = { days: 35, weeks: 14, months: 25 }
const keepForm = /^(days|weeks|months):([1-9]\d{0,3})$/

/** Reads `days:90,months:60`; what is not named keeps its default. Returns undefined if it has another form. */
function readKeep(given: string): Keep | undefined {
  const parts = given.split(',').map((part) => keepForm.exec(part.trim()))
  const named = parts.map((found) => found?.[1])
  if (named.includes(undefined) || new Set(named).size < named.length) return undefined
  return { ...kept, ...Object.fromEntries(parts.map((found) => [found?.[1], Number(found?.[2])])) }
}

function readPeriods(given: string): PeriodKind[] | undefined {
  const named = given.split(',').map((part) => part.trim())
  const isOne = (name: string): boolean => (periodKinds as readonly string[]).includes(name)
  if (!named.every(isOne) || new Set(named).size < named.length) return undefined
  return periodKinds.filter((kind) => named.includes(kind))
}

/** Turns a reader that returns undefined for a wrong value into a schema. */
const readBy = <T>(read: (given: string) => T | undefined) =>
  text.transform((given, context): T => {
    const found = read(given)
    if (found !== undefined) return found
    context.addIssue('is not valid')
    return z.NEVER
  })

export const calendarVariables = {
  calendar: define({
    name: 'CALENDAR',
    unit: 'name',
    expected: '`on` or `off`',
    about: '`off` leaves out the stage `calendar`: there are no numbers by day, week or month then.',
    schema: withDefault(z.enum(['on', 'off']), 'on'),
  }),
  reportTimezone: define({
    name: 'REPORT_TIMEZONE',
    unit: 'name',
    expected: 'the IANA name of a time zone, such as Europe/Berlin',
    about:
      'Zone of the days, weeks and months, and of each `order_timestamp` without one. Fixed once the calendar has begun.',
    schema: withDefault(readBy(zoneName), utc),
  }),
  calendarPeriods: define({
    name: 'CALENDAR_PERIODS',
    unit: 'list',
    expected: 'day, week and month, or some of them, separated by commas',
    about: 'Periods that have leaderboards. One that is added has all users from its next period on.',
    unset: '`day,week,month`',
    schema: withDefault(readBy(readPeriods), [...periodKinds]),
  }),
  calendarKeep: define({
    name: 'CALENDAR_KEEP',
    unit: 'list',
    expected: 'days:35,weeks:14,months:25, or some of them with other numbers from 1 to 9999',
    about:
      'How many days, weeks and months after their end the leaderboards of these are kept. What each day and each user had in a day is kept as long as the months, and no shorter than the leaderboards. A change holds for keys that are made after it.',
    unset: '`days:35,weeks:14,months:25`',
    schema: withDefault(readBy(readKeep), kept),
  }),
  calendarOpenDays: count(
    'CALENDAR_OPEN_DAYS',
    31,
    3_650,
    'How long a day takes late orders after its end. Then it is closed: an order of that day counts on the day it was sent.',
    'days',
    0,
  ),
}
