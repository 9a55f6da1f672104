import { describe, expect, test } from 'vitest'
import { withHint, withHints } from '../../../../src/stages/hints/entry.ts'
import { hintOf } from '../../../../src/stages/hints/hint.ts'
import { invalidRecord } from '../../../../src/stages/invalid/record.ts'
import { checkOrder } from '../../../../src/stages/rules.ts'
import { readCases } from '../../../support/cases.ts'

describe.each(['bodies', 'hints'] as const)('test/cases/%s.ndjson', (file) => {
  const rejected = readCases(file).filter(({ code }) => code !== 'accepted')

  test.each(rejected.map(({ name, ...one }) => [name, one] as const))('%s', (_, { body, code, hint }) => {
    const verdict = checkOrder(body)
    expect(verdict).toMatchObject({ code })
    expect('code' in verdict && hintOf({ ...verdict, body })).toBe(hint)
  })
})

const identity = (field: string): string => `${field} must be a non-empty string`

test.each([
  [
    'NaN where no rule looks, in an entry of an earlier release',
    {
      code: 'malformed-json',
      reason: 'Malformed JSON',
      body: '{"user_id":"u1","order_id":"o1","order_value":1,"x":NaN}',
    },
    'The only fault is NaN at character 53, which is no JSON: the rules now read it as null, so a replay may accept the order.',
  ],
  [
    'an integer beyond 2^53, in an entry of an earlier release',
    {
      code: 'bad-identity',
      reason: identity('order_id'),
      body: '{"user_id":"u1","order_id":9007199254740993,"order_value":1}',
    },
    '`order_id` is the whole number 9007199254740993: such numbers are taken by their digits now, so a replay may accept the order.',
  ],
  [
    'an integer with too many digits',
    { code: 'bad-identity', reason: identity('user_id'), body: `{"user_id":${'9'.repeat(300)},"order_id":"o1"}` },
    '`user_id` is a number of 300 digits: at most 256 digits are taken.',
  ],
  [
    'an exponent in an id',
    { code: 'bad-identity', reason: identity('user_id'), body: '{"user_id":1e30,"order_id":"o1","order_value":1}' },
    '`user_id` is the number 1e30, with an exponent: send its digits alone, or a text.',
  ],
  [
    'a message cut at a limit of SQS',
    { code: 'malformed-json', reason: 'Malformed JSON', body: `{"note":"${'x'.repeat(262_135)}` },
    'The JSON ends in the text of `note` before its closing quote, after character 262144: the message may have been cut off, as it has exactly 262144 bytes, or a quote is missing.',
  ],
  [
    'a conflict of another amount',
    {
      code: 'conflict',
      reason: 'Order o1 of user u1 was already accepted with order_value 10.5',
      body: '{"user_id":"u1","order_id":"o1","order_value":12}',
    },
    'This one has order_value 12 instead of 10.5: an accepted order cannot be changed, so send a new one under an order_id of its own.',
  ],
  [
    'a conflict of the same amount',
    {
      code: 'conflict',
      reason: 'Order o1 of user u1 was already accepted with order_value 10.5',
      body: '{"user_id":"u1","order_id":"o1","order_value":10.5,"items":[]}',
    },
    'The order_value is the same to the cent, so its items may differ from those accepted first: an accepted order cannot be changed, so send a new one under an order_id of its own.',
  ],
  [
    'an order that a stage failed on',
    { code: 'internal-error', reason: 'Stage x failed on this order', body: '{}' },
    undefined,
  ],
  ['a code of a later release', { code: 'new', reason: 'x', body: '{"user_id":1}' }, undefined],
  [
    'valid JSON that was judged malformed',
    { code: 'malformed-json', reason: 'Malformed JSON', body: '["r","x"]' },
    undefined,
  ],
])('%s', (_, rejected, hint) => {
  expect(hintOf(rejected)).toBe(hint)
})

test.each([
  ['in one line', '{"a":"😀",}', 'A trailing comma stands at character 9 before the closing }: remove it.'],
  [
    'in several',
    '{\r\n  "a": "😀",\r\n}',
    'A trailing comma stands at line 2, column 11 before the closing }: remove it.',
  ],
  ['before a last line break', '{"a":1,}\n', 'A trailing comma stands at character 7 before the closing }: remove it.'],
])('a place is counted from 1 in characters: %s', (_, body, hint) => {
  expect(hintOf({ code: 'malformed-json', reason: 'Malformed JSON', body })).toBe(hint)
})

test('what is quoted steers no terminal and no line, and is cut', () => {
  const body = JSON.stringify({
    user_id: 'u1',
    order_id: 'o1',
    order_value: `\u001b[31m\u202e\r\n${'x'.repeat(1_000)}`,
  })
  expect(hintOf({ code: 'bad-value', reason: 'order_value must be a number', body })).toBe(
    '`order_value` is the text "\\u{1b}[31m\\u{202e}\\u{d}\\u{a}xxxxxxxxxxxxxxxxxxxxxxxx…": send a number without quotes.',
  )
})

test.each([
  ['a megabyte of brackets', '['.repeat(1_000_000), 'malformed-json'],
  ['a megabyte of quotes', '"'.repeat(1_000_000), 'malformed-json'],
  ['a megabyte of line breaks before a fault', `${'\n'.repeat(1_000_000)}{`, 'malformed-json'],
  ['a megabyte of no-break spaces', '\u00a0'.repeat(1_000_000), 'malformed-json'],
  ['a hundred thousand values', '1 '.repeat(100_000), 'malformed-json'],
  ['depth 1,000', `{"a":${'['.repeat(1_000)}${']'.repeat(1_000)}}`, 'missing-field'],
  ['JSON in JSON in JSON', JSON.stringify(JSON.stringify(JSON.stringify('{"a":'.repeat(10_000)))), 'not-an-object'],
  [
    '10,000 items',
    `{"order_value":1,"items":[${Array.from({ length: 10_000 }, (_, at) => `{"quantity":1,"price_per_unit":${at}}`)}]}`,
    'total-mismatch',
  ],
])('a hostile body is read to its end: %s', (_, body, code) => {
  expect(hintOf({ code, reason: '', body })?.length).toBeLessThanOrEqual(240)
})

const now = new Date('2026-11-23T10:00:00.000Z')
const entryOf = (body: string): string => {
  const verdict = checkOrder(body)
  if (!('code' in verdict)) throw new Error('The order is valid.')
  return `{"id":"1-0",${invalidRecord({ text: body }, verdict, { now })}`
}

test('an entry has its hint beside the reason, and the order stays as it was sent', () => {
  const body = '{"reason":"x\\"reason\\":", "user_id" : "u1","order_id":"o1","order_value":"10.50" , "code":"y"}'
  expect(withHint(entryOf(body))).toBe(
    `{"id":"1-0","order":${body},"code":"bad-value","reason":"order_value must be a number",` +
      '"hint":"`order_value` is the text \\"10.50\\": send 10.50 as a number, without quotes.",' +
      '"ts":"2026-11-23T10:00:00.000Z","attempts":1}',
  )
})

test('an entry whose body is no object has the hint on its raw text, with and without an id', () => {
  const entry = entryOf('[]')
  expect(JSON.parse(withHint(entry))).toMatchObject({
    hint: 'The body is an empty list: send one order as a JSON object.',
  })
  expect(JSON.parse(withHint(`{${entry.slice('{"id":"1-0",'.length)}`))).toHaveProperty('hint')
})

test.each([
  ['what somebody else wrote', '{"id":"1-0"}'],
  ['what is no JSON', '{"id":"1-0","order":'],
  [
    'an order that a later stage rejected',
    '{"id":"1-0","order":{},"code":"missing-field","reason":"x","stage":"aggregate"}',
  ],
])('%s stays as it is', (_, json) => {
  expect(withHint(json)).toBe(json)
})

test('bytes that are no text have a hint of their own', () => {
  const record = invalidRecord({ base64: '/w==' }, { code: 'malformed-json', reason: 'Malformed JSON' }, { now })
  expect(JSON.parse(withHint(`{${record}`)).hint).toBe(
    'The stream entry holds bytes that are not UTF-8 text: look for what writes to the stream other than this pipeline.',
  )
})

test('of a page of large bodies the first are hinted, and all are there', async () => {
  const entry = entryOf(`{"a":"${'x'.repeat(600_000)}"}`)
  const page = await withHints(Array(5).fill(entry))
  expect(page.map((json) => 'hint' in JSON.parse(json))).toEqual([true, true, true, false, false])
})

test.each([
  ['multiplatform', 'The field may be the cause', { multiplatform: 5 }],
  ['fee_id', undefined, { fee_id: 5 }],
  ['shippingCost', 'is exactly the field `shippingCost`', { shippingCost: 5 }],
])('a field is named as the cause by whole words of its name: %s', (_, says, field) => {
  const items = [{ product_id: 'P', quantity: 1, price_per_unit: 10 }]
  const body = JSON.stringify({ user_id: 'u', order_id: 'o', order_value: 15, items, ...field })
  const reason = 'Calculated total (10) does not match order_value (15)'
  const hint = hintOf({ code: 'total-mismatch', reason, body })
  if (says?.startsWith('is exactly')) expect(hint).toContain(says)
  else expect(hint).not.toContain('list it as an item')
})

test.each([
  [10.01, 'This one has order_value 10.01 instead of 10'],
  [10.004, 'The order_value is the same to the cent'],
])('a conflict of %s with 10 says what differs', (value, says) => {
  const body = JSON.stringify({ user_id: 'u', order_id: 'o', order_value: value })
  const reason = 'Order o of user u was already accepted with order_value 10'
  expect(hintOf({ code: 'conflict', reason, body })).toContain(says)
})
