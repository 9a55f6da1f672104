import { expect, test } from 'vitest'
import { addDays, addMonths, isDay, lastOfMonth, mondayOfWeek, weekOf } from '../../../src/calendar/dates.ts'

test.each([
  ['2026-11-25', true],
  ['2028-02-29', true],
  ['2026-02-29', false],
  ['2100-02-29', false],
  ['2026-13-01', false],
  ['2026-00-10', false],
  ['2026-1-1', false],
  ['0001-01-01', true],
  ['10000-01-01', false],
  ['', false],
])('%s is a day: %s', (text, expected) => {
  expect(isDay(text)).toBe(expected)
})

// From the table of years with 53 weeks in ISO 8601, and the days around them.
test.each([
  ['2026-01-01', '2026-W01'],
  ['2025-12-29', '2026-W01'],
  ['2025-12-28', '2025-W52'],
  ['2026-12-31', '2026-W53'],
  ['2027-01-01', '2026-W53'],
  ['2027-01-03', '2026-W53'],
  ['2027-01-04', '2027-W01'],
  ['2020-12-31', '2020-W53'],
  ['2021-01-03', '2020-W53'],
  ['2024-12-30', '2025-W01'],
  ['2023-01-01', '2022-W52'],
  ['2026-11-25', '2026-W48'],
  ['1969-12-31', '1970-W01'],
])('%s is in %s', (day, week) => {
  expect(weekOf(day)).toBe(week)
})

test('every day from 1999 to 2030 is in the week that counting from Monday to Sunday gives', () => {
  let day = '1999-01-04' // a Monday, and the first of its year's weeks
  let [year, week] = [1999, 1]
  while (day < '2030-01-01') {
    const name = `${year}-W${String(week).padStart(2, '0')}`
    expect(mondayOfWeek(name)).toBe(day)
    for (let i = 0; i < 7; i++) expect(weekOf(addDays(day, i))).toBe(name)
    day = addDays(day, 7)
    // The week with January 4 is the first.
    const isFirst = day.endsWith('-01-04') || (day < `${year + 1}-01-04` && addDays(day, 6) >= `${year + 1}-01-04`)
    ;[year, week] = isFirst ? [year + 1, 1] : [year, week + 1]
  }
})

test('months are added across years, and end on their last day', () => {
  expect(addMonths('2026-11', 2)).toBe('2027-01')
  expect(addMonths('2026-11', -25)).toBe('2024-10')
  expect(addMonths('2026-12', 0)).toBe('2026-12')
  expect(['2028-02', '2026-02', '2026-12', '2026-04'].map(lastOfMonth)).toEqual([
    '2028-02-29',
    '2026-02-28',
    '2026-12-31',
    '2026-04-30',
  ])
})
