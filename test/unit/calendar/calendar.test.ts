import { expect, test } from 'vitest'
import { calendarOf } from '../../../src/calendar/calendar.ts'
import { addDays } from '../../../src/calendar/dates.ts'
import { idMs, maxId, minId } from '../../../src/stream-id.ts'

const settings = {
  zone: 'Europe/Berlin',
  periods: ['day', 'week', 'month'] as const,
  keep: { days: 35, weeks: 14, months: 25 },
  openDays: 31,
}
const calendar = calendarOf(settings)
const now = Date.parse('2026-11-30T12:00:00Z')
const sent = Date.parse('2026-11-28T12:00:00Z')

test.each([
  ['2026-11-25T10:00:00Z', '2026-11-25'],
  ['2026-11-25T22:59:59Z', '2026-11-25'],
  ['2026-11-25T23:00:00Z', '2026-11-26'], // midnight in Berlin
  ['2026-11-25T23:59:59', '2026-11-25'], // no zone: that of the reports
  ['2026-11-25T22:59:59-05:00', '2026-11-26'],
  ['2026-10-30T00:00', '2026-10-30'], // the first open day
  ['2026-12-01T23:00', '2026-12-01'], // clocks differ: tomorrow is open
])('an order of %s is counted on its own day, %s', (timestamp, day) => {
  expect(calendar.place(timestamp, sent, now)).toEqual({ day, dated: 'own' })
})

test.each([[undefined], [''], ['soon'], ['2026-02-30']])(
  'an order with the time %j is undated, and counted on the day that it was sent',
  (timestamp) => {
    expect(calendar.place(timestamp, sent, now)).toEqual({ day: '2026-11-28', dated: 'undated' })
  },
)

test.each([
  ...['2026-10-29T23:59', '2026-12-02', '0001-01-01T00:00:00Z', '9999-12-31T23:59:59Z', '0001-01-01', '9999-12-31'],
  ...['2024-02-29', '999999999', '9999999999999999999'],
])('an order of %s, which is no open day, is counted on the day that it was sent', (timestamp) => {
  expect(calendar.place(timestamp, sent, now)).toEqual({ day: '2026-11-28', dated: 'misdated' })
})

test('an order that was sent on a day closed since is counted today', () => {
  const old = Date.parse('2026-10-01T12:00:00Z')
  expect(calendar.place('2026-10-01T12:00:00Z', old, now)).toEqual({ day: '2026-11-30', dated: 'misdated' })
  expect(calendar.place(undefined, old, now)).toEqual({ day: '2026-11-30', dated: 'undated' })
  expect(calendar.place(undefined, Number.MAX_SAFE_INTEGER, now).day).toBe('2026-11-30')
  expect(calendar.place(undefined, 0, now).day).toBe('2026-11-30')
})

test('a closed day takes no order: both change at the same midnight, in the zone', () => {
  const midnight = Date.parse('2026-11-30T23:00:00Z')
  for (const [ms, today, dated] of [
    [midnight - 1, '2026-11-30', 'own'],
    [midnight, '2026-12-01', 'misdated'],
  ] as const) {
    expect(calendar.dayAt(ms)).toBe(today)
    expect(calendar.place('2026-10-30', sent, ms).dated).toBe(dated)
    expect(calendar.isClosed('2026-10-30', today)).toBe(dated === 'misdated')
  }
})

test.each(['Europe/Berlin', 'America/New_York', 'Pacific/Kiritimati', 'Pacific/Pago_Pago', 'Africa/Cairo', 'UTC'])(
  'a day takes orders that are admitted until it closes, and none after that: %s',
  (zone) => {
    const { closesAt, place } = calendarOf({ ...settings, zone })
    for (let day = '2026-01-01'; day < '2027-01-01'; day = addDays(day, 1)) {
      const placed = [-1, 0, 3_600_000].map((ms) => place(day, sent, closesAt(day) + ms).dated)
      expect([day, ...placed]).toEqual([day, 'own', 'misdated', 'misdated'])
    }
  },
)

test.each(['UTC', 'Pacific/Kiritimati', 'Pacific/Pago_Pago', 'America/New_York'])(
  'whatever time an id stands for, its day has a year of four digits, and so have those that follow from it: %s',
  (zone) => {
    const keep = { days: 9_999, weeks: 9_999, months: 9_999 } // the most that CALENDAR_KEEP takes
    const { place, periodsAt, closesAt } = calendarOf({ ...settings, zone, keep, openDays: 3_650 })
    for (const at of [minId, '253402300799999-0', '99999999999999999-0', maxId].map(idMs)) {
      for (const sentMs of [0, at, at - 1, 9e15, -9e15]) {
        const { day } = place(undefined, sentMs, at)
        expect(day).toMatch(/^\d{4}-\d\d-\d\d$/)
        for (const { from, to, expiresAt } of Object.values(periodsAt(day))) {
          expect([from, to].join(' ')).toMatch(/^\d{4}-\d\d-\d\d \d{4}-\d\d-\d\d$/)
          expect(expiresAt * 1_000).toBeGreaterThan(at)
        }
        expect(closesAt(day)).toBeGreaterThan(at)
      }
    }
  },
)

test('what users had in a month outlasts the leaderboards of its days and weeks, which stand for it', () => {
  const short = calendarOf({ ...settings, keep: { days: 90, weeks: 14, months: 1 }, openDays: 28 })
  for (let day = '2026-01-01'; day < '2028-01-01'; day = addDays(day, 1)) {
    const { day: date, week, month } = short.periodsAt(day)
    for (const at of [week.from, week.to]) {
      expect(short.periodsAt(at).month.expiresAt).toBeGreaterThanOrEqual(week.expiresAt)
    }
    expect(month.expiresAt).toBeGreaterThanOrEqual(date.expiresAt)
    expect(month.expiresAt).toBe(short.periodsAt(month.from).month.expiresAt)
  }
})

test('keys expire a day after their period is no longer kept', () => {
  const at = (kind: 'day' | 'week' | 'month'): string =>
    new Date(calendar.periodsAt('2026-11-25')[kind].expiresAt * 1_000).toISOString()
  expect([at('day'), at('week'), at('month')]).toEqual([
    '2027-01-01T00:00:00.000Z', // kept to December 30
    '2027-03-09T00:00:00.000Z',
    '2029-01-02T00:00:00.000Z',
  ])
})
