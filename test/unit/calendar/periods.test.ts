import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addDays } from '../../../src/calendar/dates.ts'
import { droppedOn, keptFrom, periodKinds, periodOf, readPeriod } from '../../../src/calendar/periods.ts'

const today = '2026-11-30'

test.each([
  ['2026-11-25', 'day', '2026-11-25', '2026-11-25', '2026-11-25'],
  ['2026-W48', 'week', '2026-W48', '2026-11-23', '2026-11-29'],
  ['2026-W53', 'week', '2026-W53', '2026-12-28', '2027-01-03'],
  ['2026-W01', 'week', '2026-W01', '2025-12-29', '2026-01-04'],
  ['2026-11', 'month', '2026-11', '2026-11-01', '2026-11-30'],
  ['2028-02', 'month', '2028-02', '2028-02-01', '2028-02-29'],
  ['today', 'day', '2026-11-30', '2026-11-30', '2026-11-30'],
  ['yesterday', 'day', '2026-11-29', '2026-11-29', '2026-11-29'],
  ['this-week', 'week', '2026-W49', '2026-11-30', '2026-12-06'],
  ['last-week', 'week', '2026-W48', '2026-11-23', '2026-11-29'],
  ['this-month', 'month', '2026-11', '2026-11-01', '2026-11-30'],
  ['last-month', 'month', '2026-10', '2026-10-01', '2026-10-31'],
])('%s is a %s: %s, from %s to %s', (text, kind, name, from, to) => {
  expect(readPeriod(text, today)).toEqual({ kind, name, from, to })
})

test.each([
  ...['', '2026', '2026-13', '2026-00', '2026-02-30', '2025-W53', '2026-W54', '2026-W00', '2026-w48', '2026W48', 'W48'],
  ...['9999-12', '9999-W52', '9999-W99', '0000-W00', '0000-01', '2026-W99'], // no day before year 1 or after 9999 has a name
  ...['2026-11-25T10:00', 'Today', 'tomorrow', 'last-day', '__proto__', 'toString', '2026-11-25\n'],
])('%j is no period', (text) => {
  expect(readPeriod(text, today)).toBeUndefined()
})

const day = fc.integer({ min: 0, max: 40_000 }).map((number) => addDays('1990-01-01', number))
const keep = { days: 35, weeks: 14, months: 25 }

describe.each(periodKinds)('a %s', (kind) => {
  test('has its own days only, and is read from its name', () => {
    fc.assert(
      fc.property(day, (one) => {
        const period = periodOf(kind, one)
        expect(one >= period.from && one <= period.to).toBe(true)
        expect(periodOf(kind, addDays(period.from, -1)).to).toBe(addDays(period.from, -1))
        expect(periodOf(kind, addDays(period.to, 1)).from).toBe(addDays(period.to, 1))
        expect(readPeriod(period.name, today)).toEqual(period)
      }),
    )
  })

  test('is kept as many periods as said, and dropped on the day on which it no longer counts as kept', () => {
    fc.assert(
      fc.property(day, (one) => {
        const period = periodOf(kind, one)
        const dropped = droppedOn(period, keep)
        expect(keptFrom(kind, keep, addDays(dropped, -1)) <= period.from).toBe(true)
        expect(keptFrom(kind, keep, dropped) > period.to).toBe(true)
      }),
    )
  })
})

test('what is kept today', () => {
  expect(periodKinds.map((kind) => keptFrom(kind, keep, today))).toEqual(['2026-10-26', '2026-08-24', '2024-10-01'])
})
