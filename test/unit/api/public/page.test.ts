import fc from 'fast-check'
import { expect, test } from 'vitest'

/** Modules of the page, as the browser gets them. */
const load = (name: string): Promise<Record<string, (...given: unknown[]) => string>> =>
  import(new URL(`../../../../src/api/public/lib/${name}.js`, import.meta.url).href)
const { pretty, memberText } = await load('json')
const { ago, bytes, duration, exactTime, lastAgo, money, number, rate, shortMoney } = await load('format')

const withoutSpace = (json: string): string =>
  json.replaceAll(/"(?:[^"\\]|\\.)*"|\s+/g, (found) => (found.startsWith('"') ? found : ''))

test('JSON is set out in lines and stays what was written, to the character', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(undefined, 1, '\t'), (json, space) => {
      const written = JSON.stringify(JSON.parse(json), null, space)
      expect(withoutSpace(pretty?.(written) ?? '')).toBe(withoutSpace(written))
    }),
  )
})

test.each([
  [
    '{"a":1.50,"b":[],"c":{},"d":[1e3,12345678901234567890]}',
    '{\n  "a": 1.50,\n  "b": [],\n  "c": {},\n  "d": [\n    1e3,\n    12345678901234567890\n  ]\n}',
  ],
  ['{"a":"{\\"b\\":1}, [x]: y"}', '{\n  "a": "{\\"b\\":1}, [x]: y"\n}'],
  ['"text"', '"text"'],
  ['{"a":', '{"a":'],
  ['<b>', '<b>'],
])('%s is shown as %j', (text, lines) => {
  expect(pretty?.(text)).toBe(lines)
})

test('a hostile order is set out too: a thousand deep, or one text of a megabyte', () => {
  const deep = `${'['.repeat(1_000)}${']'.repeat(1_000)}`
  expect(withoutSpace(pretty?.(deep) ?? '')).toBe(deep)
  const long = JSON.stringify({ a: 'x"\\'.repeat(300_000) })
  expect(pretty?.(long)?.length).toBe(long.length + 5)
})

test('the order in an entry is taken out as it was written', () => {
  const order = '{"order": {"order":1}, "order_value":10.00,"note":"},\\"order\\":{"}'
  expect(memberText?.(`{"id":"1-0","order":${order},"code":"bad-value"}`, 'order')).toBe(order)
  expect(memberText?.(`{"code":"order","order":${order}}`, 'order')).toBe(order)
  expect(memberText?.('{"id":"1-0"}', 'order')).toBeUndefined()
})

test('numbers are for people, money is exact', () => {
  expect([0, 999, 9_999, 12_345, 1_234_567, 90_071_992_547].map((value) => number?.(value))).toEqual([
    ...['0', '999', '9,999', '12.3\u202fk', '1.23\u202fM', '90.1\u202fB'],
  ])
  expect(number?.(null)).toBe('–')
  expect([0, 5, 15_075, -101, Number.MAX_SAFE_INTEGER].map((minor) => money?.(minor, {}))).toEqual([
    ...['0.00', '0.05', '150.75', '-1.01', '90,071,992,547,409.91'],
  ])
  expect([15_075, 123_456_789].map((minor) => shortMoney?.(minor, {}))).toEqual(['150.75', '1.23\u202fM'])
  expect([0, 0.25, 9.96, 12.4, 12_345].map((value) => rate?.(value))).toEqual(['0', '0.3', '10.0', '12', '12.3\u202fk'])
  expect([0, 999, 1_500, 999_999, 2e9].map((value) => bytes?.(value))).toEqual([
    '0 B',
    '999 B',
    '1.5 KB',
    '1,000 KB',
    '2 GB',
  ])
})

test.each([
  ['EUR', 2, ['EUR\u00a0150.75', 'EUR\u00a01,060,312.55', 'EUR\u00a01.06\u202fM']],
  ['JPY', 0, ['JPY\u00a015,075', 'JPY\u00a0106,031,255', 'JPY\u00a0106\u202fM']],
  ['KWD', 3, ['KWD\u00a015.075', 'KWD\u00a0106,031.255', 'KWD\u00a0106,031.255']],
  ['HUF', 2, ['HUF\u00a0150.75', 'HUF\u00a01,060,312.55', 'HUF\u00a01.06\u202fM']], // without decimals by Intl
])('amounts in %s have %d decimals', (currency, decimals, [small, large, short]) => {
  const by = { currency, decimals }
  expect([money?.(15_075, by), money?.(106_031_255, by), shortMoney?.(106_031_255, by)]).toEqual([small, large, short])
  expect([money?.(0, by), money?.(-5, by)].map((text) => text?.replace(/\d/g, '0'))).toEqual(
    [0, 1].map((at) => `${currency}\u00a0${at === 1 ? '-' : ''}0${decimals > 0 ? '.' : ''}${'0'.repeat(decimals)}`),
  )
})

test('times are shown as people say them', () => {
  expect([null, 0.4, 12, 1_234, 34_000, 600_000, 18_000_000, 300_000_000].map((ms) => duration?.(ms))).toEqual([
    ...['–', '0.4 ms', '12 ms', '1.2 s', '34 s', '10 min', '5 h', '3 days'],
  ])
  const now = Date.parse('2026-11-23T12:00:00Z')
  expect([now, now + 5_000, now - 3_400, now - 90_000].map((time) => ago?.(time, now))).toEqual([
    ...['just now', 'just now', '3 s ago', '90 s ago'],
  ])
  expect([now, now - 3_400].map((time) => lastAgo?.(time, now))).toEqual(['just now', 'last 3 s ago'])
  expect(exactTime?.(now)).toMatch(/^23 Nov 2026, \d\d:\d\d:00 (UTC|\S+ \(12:00:00 UTC\))$/)
})

test('every label has one sentence of its own', async () => {
  const { terms } = (await load('terms')) as unknown as { terms: Record<string, Record<string, string>> }
  const sentences = Object.values(terms).flatMap((section) => Object.values(section))
  expect(sentences.filter((sentence) => !/^[A-Z0-9].*\.$/.test(sentence))).toEqual([])
  expect(new Set(sentences).size).toBe(sentences.length)
})
