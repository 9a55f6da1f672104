import { expect, test } from 'vitest'
import { momentText, readMoment } from '../../../src/calendar/moment.ts'
import { readWindow } from '../../../src/control/undo/read-window.ts'

const now = Date.parse('2026-11-30T16:00:00Z')

test.each([
  ['14:03', 'UTC', '2026-11-30T14:03:00Z'],
  ['9:05', 'Europe/Berlin', '2026-11-30T09:05:00+01:00'],
  ['00:00', 'Asia/Kathmandu', '2026-11-30T00:00:00+05:45'],
  ['23:59', 'America/St_Johns', '2026-11-30T23:59:00-03:30'],
  ['00:30', 'Pacific/Kiritimati', '2026-12-01T00:30:00+14:00'],
  ['2026-11-30T14:03:00Z', 'Europe/Berlin', '2026-11-30T15:03:00+01:00'],
  ['2026-11-30T14:03+02:00', 'UTC', '2026-11-30T12:03:00Z'],
  ['2026-11-30t14:03:07.250z', 'UTC', '2026-11-30T14:03:07.250Z'],
])('%s in %s is %s', (text, zone, expected) => {
  const ms = readMoment(text, zone, now)
  expect(ms === undefined ? ms : momentText(ms, zone)).toBe(expected)
})

test('an hour that a zone has twice is the first, and one that it skips is an hour later', () => {
  const at = (text: string, day: string) => {
    const ms = readMoment(text, 'Europe/Berlin', Date.parse(day))
    return ms === undefined ? ms : momentText(ms, 'Europe/Berlin')
  }
  expect(at('02:30', '2026-10-25T12:00:00Z')).toBe('2026-10-25T02:30:00+02:00')
  expect(at('02:30', '2026-03-29T12:00:00Z')).toBe('2026-03-29T03:30:00+02:00')
})

test.each(['24:00', '14:60', '14', '2026-11-30', '2026-11-30T14:03:00', '2026-13-01T00:00:00Z', 'now', ''])(
  '%j is no time',
  (text) => {
    expect(readMoment(text, 'UTC', now)).toBeUndefined()
  },
)

test('a window has a begin, and an end that is after it and not to come', () => {
  const read = (from: string, to?: string) => readWindow({ from, to }, 'UTC', now)
  const at = (time: string) => Date.parse(`2026-11-30T${time}:00Z`)
  expect(read('14:00', '16:00')).toEqual({ fromMs: at('14:00'), toMs: at('16:00') })
  expect(read('14:00')).toEqual({ fromMs: at('14:00'), toMs: now })
  expect(read('14', '16:00')).toMatchObject({ field: 'from', message: expect.stringContaining('2026-11-30T16:00:00Z') })
  expect(read('14:00', 'x')).toMatchObject({ field: 'to' })
  expect(read('14:00', '14:00')).toEqual({ field: 'to', message: 'must be after the begin' })
  expect(read('23:59')).toEqual({ field: 'from', message: 'must be before now, 2026-11-30T16:00:00Z' })
  expect(read('14:00', '16:01')).toEqual({ field: 'to', message: 'must not be after now, 2026-11-30T16:00:00Z' })
})
