import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readTime } from '../../../src/calendar/read-time.ts'

const noon = Date.parse('2026-11-25T12:00:00Z')

test.each([
  '2026-11-25T12:00:00Z',
  '2026-11-25T12:00:00z',
  '2026-11-25t12:00:00Z',
  '2026-11-25T12:00Z',
  '2026-11-25T12Z',
  '20261125T120000Z',
  '2026-11-25 12:00:00Z',
  '2026-11-25 12:00:00 Z',
  '2026-11-25 12:00:00 +0000',
  '2026-11-25T13:00:00+01:00',
  '2026-11-25T13:00:00+0100',
  '2026-11-25T13:00:00+01',
  '2026-11-25T07:00:00-05:00',
  '2026-11-25T17:45:00+05:45',
  '2026-11-26T02:00:00+14:00',
  '2026-11-25T12:00:00.000Z',
  '2026-11-25T12:00:00.000000+00:00', // datetime.isoformat() of Python
  '2026-11-25T13:00+01:00[Europe/Berlin]', // ZonedDateTime of Java
  ' 2026-11-25T12:00:00Z\n',
  'Wed, 25 Nov 2026 12:00:00 GMT',
  'Wed, 25 Nov 2026 13:00:00 +0100',
  '25 Nov 2026 12:00 UT',
  'Wed, 25 nov 2026 12:00:00 -0000',
  String(noon / 1_000),
  `${noon / 1_000}.0`,
  String(noon),
  `${noon}000`,
  `${noon}000000`,
])('%j is noon in Greenwich', (text) => {
  expect(readTime(text)).toEqual({ ms: noon })
})

test.each([
  ['2026-11-25T12:00:00.5Z', noon + 500],
  ['2026-11-25T12:00:00,25Z', noon + 250],
  ['2026-11-25T12:00:00.123456+00:00', noon + 123],
  ['2026-11-25T11:59:60Z', noon - 1_000], // a leap second
  [`${noon / 1_000}.789`, noon + 789],
  [`${noon}.9`, noon],
  [`${noon / 1_000 - 1}.9999999999`, noon - 1],
  [`${noon - 1}999`, noon - 1],
  [`${noon - 1}999999`, noon - 1],
])('%j has a fraction', (text, ms) => {
  expect(readTime(text)).toEqual({ ms })
})

test.each([
  '2026-11-25',
  '20261125',
  '2026-11-25T23:59:59',
  '2026-11-25 00:00',
  '2026-11-25T10:00:00.123456',
  '2026-11-25T10:00[UTC]',
])('%j has no zone: it is of that day in the zone of the reports', (text) => {
  expect(readTime(text)).toEqual({ day: '2026-11-25' })
})

test.each([
  ...[
    '',
    ' ',
    'yesterday',
    'null',
    'NaN',
    '2026',
    '2026-11',
    '25.11.2026',
    '11/25/2026',
    '2026-11-25T',
    '2026-11-25T25:00Z',
  ],
  ...[
    '2026-02-30',
    '2026-13-01T00:00:00Z',
    '2026-11-25T12:60:00Z',
    '2026-11-25T12:00:61Z',
    '2026-11-25T12:00:00+25:00',
  ],
  ...['2026-11-25T12:00:00+01:99', '2026-11-25X12:00', '-2026-11-25', '+012026-11-25', '12345678', '1', '-1764072000'],
  ...[
    '1e12',
    '0x5f5e1000',
    'Wed, 25 Foo 2026 12:00:00 GMT',
    'Wed, 31 Nov 2026 12:00:00 GMT',
    '25 Nov 2026',
    '99999999999999999999',
  ],
])('%j is no time', (text) => {
  expect(readTime(text)).toBeUndefined()
})

test('every instant is read from each way to write it', () => {
  const zone = fc.integer({ min: -64, max: 64 }).map((quarters) => quarters * 15)
  fc.assert(
    fc.property(fc.integer({ min: Date.UTC(1990, 0, 1), max: Date.UTC(2100, 0, 1) }), zone, (ms, minutes) => {
      const local = new Date(ms + minutes * 60_000).toISOString().slice(0, -1)
      const at = Math.abs(minutes)
      const [hh, mm] = [Math.floor(at / 60), at % 60].map((part) => String(part).padStart(2, '0'))
      const sign = minutes < 0 ? '-' : '+'
      expect(readTime(`${local}${sign}${hh}:${mm}`)).toEqual({ ms })
      expect(readTime(`${local.replace('T', ' ')}${sign}${hh}${mm}`)).toEqual({ ms })
      expect(readTime(new Date(ms).toUTCString())).toEqual({ ms: Math.floor(ms / 1_000) * 1_000 })
      expect(readTime(String(ms))).toEqual({ ms })
      expect(readTime(local)).toEqual({ day: local.slice(0, 10) })
    }),
  )
})

test('no text makes it throw', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 64 }), (text) => void readTime(text)))
  const characters = fc.constantFrom(...'0123456789-:.,+TZ []GMTWedNov ')
  fc.assert(fc.property(fc.string({ unit: characters, maxLength: 64 }), (text) => void readTime(text)))
})
