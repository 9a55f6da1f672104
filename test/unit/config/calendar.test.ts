import { expect, test } from 'vitest'
import { readConfig } from '../../../src/config/config.ts'

test('without a variable the calendar is on, in UTC, with all periods', () => {
  expect(readConfig({})).toMatchObject({
    calendar: 'on',
    reportTimezone: 'UTC',
    calendarPeriods: ['day', 'week', 'month'],
    calendarKeep: { days: 35, weeks: 14, months: 25 },
    calendarOpenDays: 31,
  })
})

test('a zone has its IANA name, periods their order, and what is not named is kept as long as without the variable', () => {
  const env = { REPORT_TIMEZONE: 'europe/berlin', CALENDAR_PERIODS: 'month, day', CALENDAR_KEEP: 'months:60,days:90' }
  expect(readConfig(env)).toMatchObject({
    reportTimezone: 'Europe/Berlin',
    calendarPeriods: ['day', 'month'],
    calendarKeep: { days: 90, weeks: 14, months: 60 },
  })
})

test.each([
  ['REPORT_TIMEZONE', 'Berlin', 'the IANA name of a time zone, such as Europe/Berlin'],
  ['REPORT_TIMEZONE', '+01:00', 'the IANA name of a time zone, such as Europe/Berlin'],
  ['CALENDAR_PERIODS', 'year', 'day, week and month, or some of them, separated by commas'],
  ['CALENDAR_PERIODS', 'day,day', 'day, week and month, or some of them, separated by commas'],
  ['CALENDAR_KEEP', 'days:0', 'days:35,weeks:14,months:25, or some of them with other numbers from 1 to 9999'],
  ['CALENDAR_KEEP', 'days:40,days:50', 'days:35,weeks:14,months:25, or some of them with other numbers from 1 to 9999'],
  ['CALENDAR', 'no', '`on` or `off`'],
])('%s=%s is refused', (name, given, expected) => {
  expect(() => readConfig({ [name]: given })).toThrow(`${name} is "${given}": expected ${expected}.`)
})

test.each([
  [{ CALENDAR_OPEN_DAYS: '36' }, 'CALENDAR_OPEN_DAYS is "36"', 36, 35],
  [{ CALENDAR_KEEP: 'weeks:4' }, 'CALENDAR_KEEP is "weeks:4"', 31, 28],
  [{ CALENDAR_KEEP: 'months:1' }, 'CALENDAR_KEEP is "months:1"', 31, 28],
])('with %j a day would be open after it is not kept', (env, given, open, shortest) => {
  const expected = `no more days in CALENDAR_OPEN_DAYS (${open}) than each part of CALENDAR_KEEP keeps (${shortest})`
  expect(() => readConfig(env)).toThrow(`${given}: expected ${expected}.`)
})
