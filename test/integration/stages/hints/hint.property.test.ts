import assert from 'node:assert/strict'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rejectCodes } from '../../../../src/reject-codes.ts'
import { withAllNotes, withNotes } from '../../../../src/stages/hints/entry.ts'
import { hintOf } from '../../../../src/stages/hints/hint.ts'
import { scanJson } from '../../../../src/stages/hints/text/scan.ts'
import { checkOrder } from '../../../support/order-bodies.ts'
import { plainFormat, plainNotes } from '../../../support/plain-format.ts'

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Pieces of JSON, and what people write in their place. */
const pieces = [
  ...[
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '"',
    "'",
    '\\',
    '/',
    '#',
    '//',
    '/*',
    '-',
    '+',
    '.',
    '0',
    '1',
    '12',
    '0x1',
    '1e',
    'E5',
    '1_0',
    '\u00a0',
  ],
  ...[
    'true',
    'false',
    'null',
    'None',
    'True',
    'NaN',
    'Infinity',
    '-Infinity',
    'tru',
    'a',
    '"a"',
    '"user_id"',
    '\\u00',
    '\\n',
    '\n',
    ' ',
    '\t',
  ],
  ...[
    '\u0000',
    '\ufeff',
    '\u200b',
    '“',
    '\ud83d',
    '😀',
    '\ufffd',
    '=',
    '=>',
    ';',
    '&',
    '%7B',
    '`',
    '<',
    '$',
    '{{',
    '1.5',
    '-0',
    '00',
    '\r\n',
  ],
]
const soup = fc.array(fc.constantFrom(...pieces), { maxLength: 24 }).map((parts) => parts.join(''))

const order = { user_id: 'u1', order_id: 'o1', order_value: 10.5, items: [{ quantity: 2, price_per_unit: 5.25 }] }

/** A valid order, or any JSON, with a character or more changed. */
const mutated = fc
  .tuple(
    fc.oneof(fc.constant(JSON.stringify(order)), fc.constant(JSON.stringify(order, null, 2)), fc.json()),
    fc.nat(),
    fc.nat({ max: 3 }),
    fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 3 }), fc.constant('')),
  )
  .map(([text, at, length, piece]) => {
    const from = at % (text.length + 1)
    return text.slice(0, from) + piece + text.slice(from + length)
  })
const anyText = fc.oneof(soup, mutated, fc.json(), fc.string({ unit: 'binary' }), fc.string())

test('the scanner finds a fault if and only if JSON.parse throws', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const { fault, token } = scanJson(text)
      assert.equal(fault === undefined && token === undefined, isJson(text))
      if (fault) assert(fault.at >= 0 && fault.at <= text.length)
    }),
    { numRuns: 3_000 },
  )
})

/** Text that JSON takes no more of: before the fault there is a beginning of JSON. */
test('what stands before a fault is the beginning of JSON, and with the fault it is not', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const { fault } = scanJson(text)
      fc.pre(fault !== undefined && fault.kind !== 'word' && fault.kind !== 'number')
      const before = scanJson(text.slice(0, fault?.at))
      assert(before.fault === undefined || before.fault.kind.startsWith('end'))
    }),
    { numRuns: 2_000 },
  )
})

/** One sentence, bounded, that controls no terminal. */
function expectGood(hint: string | undefined): void {
  if (hint === undefined) return
  assert.match(hint, /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ud800-\udfff]{20,240}$/u)
  assert.match(hint, /[.…]$/)
  assert(hint.isWellFormed())
}

/** Names and values as producers have them. */
const names = fc.oneof(
  fc.constantFrom(
    'user_id',
    'order_id',
    'order_value',
    'items',
    'userId',
    'id',
    'total',
    'tax',
    'discount',
    'shipping',
    'order',
    'data',
    'Message',
    'body',
    'Records',
  ),
  fc.string(),
)
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<unknown>('u1', 'o1', '', '10.50', '1.000,50', '$5', null, true, 0, 10.5, -1, 1e10, 1e300, '\ud800'),
    fc.oneof(fc.string({ unit: 'binary' }), fc.double({ noNaN: true, noDefaultInfinity: true })),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(names, tie('value'), { maxKeys: 5 }),
  ),
}))
const item = fc.record(
  { quantity: value, price_per_unit: value, price: value, qty: value, product_id: value },
  { requiredKeys: [] },
)
const nearOrder = fc.record(
  {
    user_id: fc.oneof(fc.constant('u1'), value),
    order_id: fc.oneof(fc.constant('o1'), value),
    order_value: fc.oneof(fc.constantFrom(10.5, 11.43), value),
    items: fc.oneof(fc.array(item, { maxLength: 4 }), value),
    tax: value,
    discount: value,
  },
  { requiredKeys: [] },
)

test('a hint is one bounded, printable sentence, whatever was sent and whatever the code', () => {
  const body = fc.oneof(
    anyText,
    value.map((some) => JSON.stringify(some)),
    nearOrder.map((some) => JSON.stringify(some)),
  )
  fc.assert(
    fc.property(body, fc.constantFrom(...rejectCodes), (text, code) => {
      expectGood(hintOf({ code, reason: 'x', body: text }, plainFormat))
      const verdict = checkOrder(text, plainFormat)
      if ('code' in verdict) expectGood(hintOf({ ...verdict, body: text }, plainFormat))
    }),
    { numRuns: 3_000 },
  )
})

test('a record with its hint is the same record', () => {
  fc.assert(
    fc.property(nearOrder, (some) => {
      const body = JSON.stringify(some)
      const verdict = checkOrder(body, plainFormat)
      fc.pre('code' in verdict)
      const tail = JSON.stringify({ ...verdict, ts: '2026-11-23T10:00:00.000Z', attempts: 1 }).slice(1)
      const json = `{"id":"1-0","order":${body},${tail}`
      const { hint, ...rest } = JSON.parse(withNotes(json, plainNotes))
      expect(JSON.stringify(rest)).toBe(JSON.stringify(JSON.parse(json)))
      expect(hint).toBe('code' in verdict ? hintOf({ ...verdict, body }, plainFormat) : undefined)
    }),
  )
})

test.each([
  ['a megabyte of brackets', '['.repeat(1_000_000), 'malformed-json'],
  ['a megabyte of quotes', '"'.repeat(1_000_000), 'malformed-json'],
  ['a megabyte of line breaks before a fault', `${'\n'.repeat(1_000_000)}{`, 'malformed-json'],
  ['a megabyte of no-break spaces', '\u00a0'.repeat(1_000_000), 'malformed-json'],
  ['a hundred thousand values', '1 '.repeat(100_000), 'malformed-json'],
  ['JSON in JSON in JSON', JSON.stringify(JSON.stringify(JSON.stringify('{"a":'.repeat(10_000)))), 'not-an-object'],
  [
    '10,000 items',
    `{"order_value":1,"items":[${Array.from({ length: 10_000 }, (_, at) => `{"quantity":1,"price_per_unit":${at}}`)}]}`,
    'total-mismatch',
  ],
])('a hostile body is read to its end: %s', (_, body, code) => {
  expect(hintOf({ code, reason: '', body }, plainFormat)?.length).toBeLessThanOrEqual(240)
})

test.each([131_072, 262_144, 1_048_576])('a message cut after %d bytes names that size', (size) => {
  const body = '{"note":"'.padEnd(size, 'x')
  expect(hintOf({ code: 'malformed-json', reason: 'Malformed JSON', body }, plainFormat)).toContain(
    `has exactly ${size} bytes, or`,
  )
})

test('of a page of large bodies the first are hinted, and all are there', async () => {
  const entry = `{"id":"1-0","order":{"a":"${'x'.repeat(600_000)}"},"code":"missing-field","reason":"Missing required field: user_id"}`
  const page = await withAllNotes(Array(5).fill(entry), plainNotes)
  expect(page.map((json) => 'hint' in JSON.parse(json))).toEqual([true, true, true, false, false])
})
