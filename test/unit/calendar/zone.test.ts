import { expect, test } from 'vitest'
import { dayIn, zoneName } from '../../../src/calendar/zone.ts'

const hourMs = 3_600_000

test.each([
  // Clocks go back at 03:00: the day has 25 hours. Then they go forward at 02:00: 23 hours.
  ['Europe/Berlin', '2026-10-25', '2026-10-24T22:00:00Z', 25],
  ['Europe/Berlin', '2026-03-29', '2026-03-28T23:00:00Z', 23],
  ['Europe/Berlin', '2026-11-25', '2026-11-24T23:00:00Z', 24],
  ['America/New_York', '2026-11-01', '2026-11-01T04:00:00Z', 25],
  ['America/New_York', '2026-03-08', '2026-03-08T05:00:00Z', 23],
  ['Australia/Lord_Howe', '2026-04-05', '2026-04-04T13:00:00Z', 24.5],
  ['Africa/Cairo', '2026-04-24', '2026-04-23T22:00:00Z', 23], // from midnight: the day begins at 01:00
  ['Asia/Kathmandu', '2026-11-25', '2026-11-24T18:15:00Z', 24],
  ['UTC', '2026-11-25', '2026-11-25T00:00:00Z', 24],
])('in %s the day %s begins at %s and has %d hours', (zone, day, begins, hours) => {
  const dayAt = dayIn(zone)
  const from = Date.parse(begins)
  const to = from + hours * hourMs
  expect([from - 1, from, to - 1, to].map((ms) => dayAt(ms) === day)).toEqual([false, true, true, false])
  for (let ms = from; ms < to; ms += 60_000) expect(dayAt(ms)).toBe(day)
})

test.each(['Europe/Berlin', 'America/New_York', 'Pacific/Apia', 'Asia/Kolkata', 'America/St_Johns'])(
  'every second hour of four years in %s has the day that its wall clock shows',
  (zone) => {
    const dayAt = dayIn(zone)
    const wall = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short' })
    for (let ms = Date.UTC(2010, 10, 1); ms < Date.UTC(2014, 10, 1); ms += 7_380_000)
      expect(dayAt(ms)).toBe(wall.format(ms))
  },
)

test('days long past and far ahead have four digits of a year', () => {
  expect(dayIn('UTC')(Date.parse('0001-01-01T00:00:00Z'))).toBe('0001-01-01')
  expect(dayIn('UTC')(Date.parse('9999-12-31T00:00:00Z'))).toBe('9999-12-31')
})

test('the memory of days is emptied before it grows without end, and the days stay right', () => {
  const dayAt = dayIn('Europe/Berlin')
  const day = dayAt(Date.parse('2026-11-24T23:30:00Z'))
  for (let at = 0; at < 40_000; at++) dayAt(at * 900_000)
  expect([day, dayAt(Date.parse('2026-11-24T23:30:00Z'))]).toEqual(['2026-11-25', '2026-11-25'])
})

test('a zone has an IANA name, in any case of its letters', () => {
  expect(['UTC', 'utc', 'Europe/Berlin', 'europe/berlin'].map(zoneName)).toEqual([
    ...['UTC', 'UTC', 'Europe/Berlin', 'Europe/Berlin'],
  ])
  expect(['', '+01:00', 'Mars/Olympus', 'Europe/', '1', 'Berlin'].map(zoneName)).toEqual(Array(6).fill(undefined))
})
