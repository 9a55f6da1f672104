import { expect, test } from 'vitest'
import { calendarOf } from '../../../src/calendar/calendar.ts'
import { readRange } from '../../../src/calendar/range.ts'

const calendar = calendarOf({
  zone: 'UTC',
  periods: ['day', 'week', 'month'],
  keep: { days: 35, weeks: 14, months: 25 },
  openDays: 31,
})
const read = (from?: string, to?: string) => readRange({ from, to }, calendar, '2026-11-30')

test.each([
  [undefined, undefined, '2026-11-01', '2026-11-30'],
  ['today', 'today', '2026-11-30', '2026-11-30'],
  [undefined, '2024-10-05', '2024-10-01', '2024-10-05'], // as far back as days are kept
  ['2026-11-30', '2029-12-04', '2026-11-30', '2029-12-04'], // 1,100 days later
])('from %s to %s is %s to %s', (from, to, first, last) => {
  expect(read(from, to)).toEqual({ from: first, to: last })
})

test.each([
  [undefined, '0000-01-01', 'to', 'must be 2024-10-01 or later: earlier days are not kept'],
  [undefined, '0001-01-01', 'to', 'must be 2024-10-01 or later: earlier days are not kept'],
  ['2026-12-01', undefined, 'from', 'must not be after 2026-11-30, the last day'],
  ['2026-12-02', '2026-12-01', 'to', 'must not be before 2026-12-02, the first day'],
  ['2026-11-30', '2029-12-05', 'to', 'must be at most 1100 days after from'],
  ['9999-12-31', '9999-12-31', 'to', 'must be at most 1100 days after from'],
])('from %s to %s is refused: %s %s', (from, to, field, message) => {
  expect(read(from, to)).toEqual({ field, message })
})
