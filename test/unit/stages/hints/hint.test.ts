import { describe, expect, test } from 'vitest'
import { withAllNotes, withNotes } from '../../../../src/stages/hints/entry.ts'
import { hintOf } from '../../../../src/stages/hints/hint.ts'
import { invalidRecord } from '../../../../src/stages/invalid/record.ts'
import { readCases } from '../../../support/cases.ts'
import { checkOrder } from '../../../support/order-bodies.ts'
import { plainFormat, plainNotes } from '../../../support/plain-format.ts'

describe.each(['bodies', 'hints'] as const)('test/cases/%s.ndjson', (file) => {
  const rejected = readCases(file).filter(({ code }) => code !== 'accepted')

  test.each(rejected.map(({ name, ...one }) => [name, one] as const))('%s', (_, { body, code, hint }) => {
    const verdict = checkOrder(body, plainFormat)
    expect(verdict).toMatchObject({ code })
    expect('code' in verdict && hintOf({ ...verdict, body }, plainFormat)).toBe(hint)
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
    'Infinity alone, in an entry of an earlier release',
    { code: 'malformed-json', reason: 'Malformed JSON', body: 'Infinity' },
    'The only fault is Infinity at character 1, which is no JSON: the rules now read it as null, so a replay may accept the order.',
  ],
  [
    'more values than are counted',
    { code: 'malformed-json', reason: 'Malformed JSON', body: '{}\n'.repeat(1_001) },
    'The body holds 1000 or more JSON values, one a line (NDJSON), the second at line 2, column 1: send each order as a message of its own, or set ORDERS_PER_BODY=many.',
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
    'This one has order_value 12 instead of 10.5: send order.amended to change an accepted order, or a new one under an order_id of its own.',
  ],
  [
    'a conflict of the same amount',
    {
      code: 'conflict',
      reason: 'Order o1 of user u1 was already accepted with order_value 10.5',
      body: '{"user_id":"u1","order_id":"o1","order_value":10.5,"items":[]}',
    },
    'The order_value is the same to the cent, so its items may differ from those accepted first: send order.amended to change an accepted order, or a new one under an order_id of its own.',
  ],
  [
    'a correction of an order that is not known',
    {
      code: 'unknown-order',
      reason: 'Order o1 of user u1 is not known',
      body: '{"event":"order.cancelled","user_id":"u1","order_id":"o1"}',
    },
    'No order of this user_id and order_id was accepted within LEDGER_DAYS: it may still come, or be invalid itself.',
  ],
  [
    'an amendment of a cancelled order',
    {
      code: 'cancelled-order',
      reason: 'Order o1 of user u1 is cancelled',
      body: '{"event":"order.amended","user_id":"u1","order_id":"o1","order_value":1}',
    },
    'A cancelled order cannot be amended: send a new order under an order_id of its own.',
  ],
  [
    'a refund of more than is left',
    {
      code: 'refund-exceeds',
      reason: 'The refund of 12 exceeds the 10.5 that are left of order o1 of user u1',
      body: '{"event":"order.refunded","user_id":"u1","order_id":"o1","amount":12}',
    },
    'At most 10.5 can be taken back: send that, or order.cancelled to take back the whole order.',
  ],
  [
    'a refund where nothing is left',
    {
      code: 'refund-exceeds',
      reason: 'The refund of 12 exceeds the 0 that are left of order o1 of user u1',
      body: '{"event":"order.refunded","user_id":"u1","order_id":"o1","amount":12}',
    },
    'Nothing is left of this order: it was cancelled, or taken back as a whole.',
  ],
  [
    'another correction with the same event_id',
    {
      code: 'conflict',
      reason: 'Event r1 of order o1 of user u1 was already accepted with another payload',
      body: '{"event":"order.refunded","user_id":"u1","order_id":"o1","amount":12,"event_id":"r1"}',
    },
    'The event_id "r1" of this order was used for another correction: send an event_id of its own.',
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
  expect(hintOf(rejected, plainFormat)).toBe(hint)
})

// The lists are repeated here, so that no name or size leaves the code unnoticed.
test.each(
  (
    'price unit_price unitPrice pricePerUnit PricePerUnit price_per_item item_price itemPrice unit_cost unitCost ' +
    'price_each priceEach cost amount unit_amount unitAmount unit_value value rate Price UnitPrice priceperunit price-per-unit'
  ).split(' '),
)('the price of an item is found under the name %s', (name) => {
  expect(hintOfItem({ quantity: 1, [name]: 10 })).toBe(
    `\`${name}\` was found in item 1 where \`price_per_unit\` is read: rename it, and the total matches.`,
  )
})

test.each(
  (
    'qty count amount quantities units number num Quantity Qty item_count itemCount pieces pcs quantity_ordered ' +
    'qty_ordered quantityOrdered QUANTITY quantiy quanity quantitiy ordered n'
  ).split(' '),
)('the quantity of an item is found under the name %s', (name) => {
  expect(hintOfItem({ price_per_unit: 10, [name]: 1 })).toBe(
    `\`${name}\` was found in item 1 where \`quantity\` is read: rename it, and the total matches.`,
  )
})

test.each(
  (
    'amount value total price net gross $numberDecimal $numberDouble $numberInt $numberLong N S double string float ' +
    'long int decimal order_value'
  ).split(' '),
)('the amount in an object is found under the name %s', (name) => {
  expect(hintOfValue({ [name]: '10.50' })).toBe(
    `\`order_value\` is an object (with \`${name}\`): send the amount (\`${name}\`) alone as a number, as 10.50.`,
  )
})

test.each('cents minor minor_units minorUnits centAmount amount_cents pence amount_minor unscaled'.split(' '))(
  'cents in an object are found under the name %s',
  (name) => {
    expect(hintOfValue({ [name]: 1_050 })).toContain(
      `send the amount in currency units as a number (\`${name}\` / 100)`,
    )
  },
)

test.each('scale exponent precision decimals fractionDigits'.split(' '))(
  'an amount with its %s must be sent as one number',
  (name) => {
    expect(hintOfValue({ amount: 1_050, [name]: 2 })).toContain('send the amount in currency units as one number')
  },
)

function hintOfValue(value: object): string | undefined {
  const body = JSON.stringify({ user_id: 'u1', order_id: 'o1', order_value: value })
  return hintOf({ code: 'bad-value', reason: '', body }, plainFormat)
}

function hintOfItem(item: object): string | undefined {
  const body = JSON.stringify({ user_id: 'u1', order_id: 'o1', order_value: 10, items: [item] })
  return hintOf({ code: 'total-mismatch', reason: '', body }, plainFormat)
}

/** Larger ones: hint.property.test.ts. */
test.each([255, 256, 512, 1_000, 1_024, 2_048, 4_000, 4_096, 8_192, 10_000, 16_384, 32_768, 65_535, 65_536])(
  'a message cut after %d bytes names that size',
  (size) => {
    const begin = '{"note":"'
    const body = begin + 'x'.repeat(size - begin.length)
    const hint = hintOf({ code: 'malformed-json', reason: 'Malformed JSON', body }, plainFormat)
    expect(hint).toContain(`as it has exactly ${size} bytes, or`)
    expect(hintOf({ code: 'malformed-json', reason: 'Malformed JSON', body: `${body}xxx` }, plainFormat)).not.toContain(
      'exactly',
    )
  },
)

test.each([
  ['in one line', '{"a":"😀",}', 'A trailing comma stands at character 9 before the closing }: remove it.'],
  [
    'in several',
    '{\r\n  "a": "😀",\r\n}',
    'A trailing comma stands at line 2, column 11 before the closing }: remove it.',
  ],
  ['before a last line break', '{"a":1,}\n', 'A trailing comma stands at character 7 before the closing }: remove it.'],
])('a place is counted from 1 in characters: %s', (_, body, hint) => {
  expect(hintOf({ code: 'malformed-json', reason: 'Malformed JSON', body }, plainFormat)).toBe(hint)
})

test('what is quoted controls no terminal and no line, and is cut', () => {
  const body = JSON.stringify({
    user_id: 'u1',
    order_id: 'o1',
    order_value: `\u001b[31m\u202e\r\n${'x'.repeat(1_000)}`,
  })
  expect(hintOf({ code: 'bad-value', reason: 'order_value must be a number', body }, plainFormat)).toBe(
    '`order_value` is the text "\\u{1b}[31m\\u{202e}\\u{d}\\u{a}xxxxxxxxxxxxxxxxxxxxxxxx…": send a number without quotes.',
  )
})

test.each([
  ['brackets', '['.repeat(1_000), 'malformed-json'],
  ['quotes', '"'.repeat(1_000), 'malformed-json'],
  ['line breaks before a fault', `${'\n'.repeat(1_000)}{`, 'malformed-json'],
  ['values', '1 '.repeat(1_000), 'malformed-json'],
  ['depth 1,000', `{"a":${'['.repeat(1_000)}${']'.repeat(1_000)}}`, 'missing-field'],
  ['JSON in JSON in JSON', JSON.stringify(JSON.stringify(JSON.stringify('{"a":'.repeat(100)))), 'not-an-object'],
])('the hint on a hostile body is short: %s', (_, body, code) => {
  expect(hintOf({ code, reason: '', body }, plainFormat)?.length).toBeLessThanOrEqual(240)
})

const now = new Date('2026-11-23T10:00:00.000Z')
const entryOf = (body: string): string => {
  const verdict = checkOrder(body, plainFormat)
  if (!('code' in verdict)) throw new Error('The order is valid.')
  return `{"id":"1-0",${invalidRecord({ text: body }, verdict, { now })}`
}

test('an entry has its hint next to the reason, and the order stays as it was sent', () => {
  const body = '{"reason":"x\\"reason\\":", "user_id" : "u1","order_id":"o1","order_value":"10.50" , "code":"y"}'
  expect(withNotes(entryOf(body), plainNotes)).toBe(
    `{"id":"1-0","order":${body},"code":"bad-value","reason":"order_value must be a number",` +
      '"hint":"`order_value` is the text \\"10.50\\": send 10.50 as a number, without quotes.",' +
      '"ts":"2026-11-23T10:00:00.000Z","attempts":1}',
  )
})

test('an entry whose body is no object has the hint on its raw text, with and without an id', () => {
  const entry = entryOf('[]')
  expect(JSON.parse(withNotes(entry, plainNotes))).toMatchObject({
    hint: 'The body is an empty list: send one order as a JSON object.',
  })
  expect(JSON.parse(withNotes(`{${entry.slice('{"id":"1-0",'.length)}`, plainNotes))).toHaveProperty('hint')
})

test.each([
  ['what another program wrote', '{"id":"1-0"}'],
  ['what is no JSON', '{"id":"1-0","order":'],
  [
    'an order that a later stage rejected',
    '{"id":"1-0","order":{},"code":"missing-field","reason":"x","stage":"aggregate"}',
  ],
])('%s stays as it is', (_, json) => {
  expect(withNotes(json, plainNotes)).toBe(json)
})

test('between large entries other work of the process runs, between small ones none', async () => {
  const entry = (characters: number): string => entryOf(JSON.stringify({ note: 'x'.repeat(characters) }))
  for (const [characters, runs] of [
    [10, false],
    [300_000, true],
  ] as const) {
    let ran = false
    const other = setImmediate(() => {
      ran = true
    })
    const hinted = await withAllNotes([entry(characters), entry(characters)], plainNotes)
    clearImmediate(other)
    expect(ran).toBe(runs)
    for (const json of hinted) expect(JSON.parse(json).hint).toContain('but none named `user_id`')
  }
})

test('bytes that are no text have a hint of their own', () => {
  const record = invalidRecord({ base64: '/w==' }, { code: 'malformed-json', reason: 'Malformed JSON' }, { now })
  expect(JSON.parse(withNotes(`{${record}`, plainNotes)).hint).toBe(
    'The stream entry holds bytes that are not UTF-8 text: look for what writes to the stream other than this pipeline.',
  )
})

test.each([
  ['multiplatform', 'The field may be the cause', { multiplatform: 5 }],
  ['fee_id', undefined, { fee_id: 5 }],
  ['shippingCost', 'is exactly the field `shippingCost`', { shippingCost: 5 }],
])('a field is named as the cause by whole words of its name: %s', (_, says, field) => {
  const items = [{ product_id: 'P', quantity: 1, price_per_unit: 10 }]
  const body = JSON.stringify({ user_id: 'u', order_id: 'o', order_value: 15, items, ...field })
  const reason = 'Calculated total (10) does not match order_value (15)'
  const hint = hintOf({ code: 'total-mismatch', reason, body }, plainFormat)
  if (says?.startsWith('is exactly')) expect(hint).toContain(says)
  else expect(hint).not.toContain('list it as an item')
})

test.each([
  [10.01, 'This one has order_value 10.01 instead of 10'],
  [10.004, 'The order_value is the same to the cent'],
])('a conflict of %s with 10 says what differs', (value, says) => {
  const body = JSON.stringify({ user_id: 'u', order_id: 'o', order_value: value })
  const reason = 'Order o of user u was already accepted with order_value 10'
  expect(hintOf({ code: 'conflict', reason, body }, plainFormat)).toContain(says)
})
