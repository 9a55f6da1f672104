import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addDays, dayNumber } from '../../../../src/calendar/dates.ts'
import { type PeriodKind, periodKinds, periodOf } from '../../../../src/calendar/periods.ts'

/** A module of the page, as the browser gets it. */
const days = await import(new URL('../../../../src/api/public/lib/days.js', import.meta.url).href)
const { minorOf } = await import(new URL('../../../../src/api/public/lib/format.js', import.meta.url).href)

const anyDay = fc
  .integer({ min: dayNumber('1970-01-01'), max: dayNumber('2199-12-31') })
  .map((at) => addDays('1970-01-01', at))
const kind = fc.constantFrom(...periodKinds)

test('days are numbered, and periods are named and follow each other, as the API has them', () => {
  fc.assert(
    fc.property(anyDay, kind, (day, kind) => {
      const { name, from, to } = periodOf(kind, day)
      const nameBeside = (by: number) => days.periodName(kind, days.stepped(kind, day, by))
      expect([days.dayNumber(day), days.dayOf(dayNumber(day))]).toEqual([dayNumber(day), day])
      expect(days.isMonday(dayNumber(day))).toBe(periodOf('week', day).from === day)
      expect(days.periodName(kind, day)).toBe(name)
      expect(nameBeside(-1)).toBe(periodOf(kind, addDays(from, -1)).name)
      expect(nameBeside(1)).toBe(periodOf(kind, addDays(to, 1)).name)
    }),
    { numRuns: 2_000 },
  )
})

test.each<[PeriodKind, string, string]>([
  ['day', '2027-01-01', 'Today'],
  ['day', '2026-12-31', 'Yesterday'],
  ['day', '2026-12-30', '30 Dec 2026'],
  ['week', '2026-12-28', 'This week'], // of 2026 by ISO 8601, as its Thursday is
  ['week', '2026-12-27', 'Last week'],
  ['week', '2026-12-20', 'Week 51, 2026'],
  ['month', '2027-01-31', 'This month'],
  ['month', '2026-12-01', 'Last month'],
  ['month', '2026-11-30', 'November 2026'],
])('on the first of January, the %s of %s is called %s', (kind, day, text) => {
  expect(days.periodText(kind, day, '2027-01-01')).toBe(text)
})

describe('which days are shown', () => {
  const range = { from: '2026-11-30', to: '2026-12-06', timezone: 'Europe/Berlin', closed: false }
  test.each([
    ['open', range, '30 Nov 2026 to 6 Dec 2026 in Europe/Berlin. Still open: late orders count, too.'],
    [
      'closed',
      { ...range, to: '2026-11-30', closed: true },
      '30 Nov 2026 in Europe/Berlin. Closed: no order changes it any more.',
    ],
  ])('%s', (_, range, text) => {
    expect(days.rangeText(range)).toBe(text)
  })

  test('from before the calendar began', () => {
    expect(days.rangeText({ ...range, since: '2026-12-02T10:00:00.000Z' })).toMatch(
      /late orders count, too\. The calendar began on \d Dec 2026, [\d:]+ (UTC|\S+ \(10:00:00 UTC\)): not every order counted before is in a day\.$/,
    )
  })
})

test('an amount of the API is its minor units again, whatever the currency', () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 52), max: 2 ** 52 }), fc.constantFrom(0, 2, 3, 4), (minor, decimals) => {
      expect(minorOf(Number(`${minor}e-${decimals}`), decimals)).toBe(minor)
    }),
  )
  expect([minorOf(150.75), minorOf(-0.1)]).toEqual([15_075, -10])
})
