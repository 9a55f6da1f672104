import { describe, expect, test } from 'vitest'
import { makeKeys } from '../../../src/keys.ts'
import type { Rejection } from '../../../src/reject-codes.ts'
import { conflictWith, identityOf, ledgerRecord, orderLine } from '../../../src/stages/runner/ledger.ts'
import {
  accepted,
  badIdentity,
  badItems,
  checkOrder,
  codeOf,
  type Fields,
  malformed,
  mismatch,
  missing,
  notANumber,
  notAnObject,
  order,
  outOfRange,
  priced,
} from '../../support/order-bodies.ts'
import { plainFormat } from '../../support/plain-format.ts'

describe('the example of the contract', () => {
  const example =
    '{"user_id":"user_7","order_id":"6f1c","order_value":150.75,"order_timestamp":"2026-11-23T10:00:00Z",' +
    '"items":[{"product_id":"P001","quantity":3,"price_per_unit":50.25}],"shipping_address":"12 Main St","payment_method":"PayPal"}'

  test('is valid, its value in cents', () => {
    expect(checkOrder(example, plainFormat)).toEqual({
      userId: 'user_7',
      orderId: '6f1c',
      minor: 15_075,
      value: 150.75,
      items: [['P001', 3, 50.25]],
      orderTimestamp: '2026-11-23T10:00:00Z',
    })
  })

  test('cut anywhere is malformed', () => {
    for (let length = 0; length < example.length; length++) {
      expect(checkOrder(example.slice(0, length), plainFormat), example.slice(0, length)).toEqual(malformed)
    }
  })
})

describe('a body that is not JSON', () => {
  test.each([
    ['empty', ''],
    ['white space', ' \t\r\n'],
    ['a bare word', 'order'],
    ['single quotes', order().replaceAll('"', "'")],
    ['a comma too many', order().replace('}', ',}')],
    ['two orders', order() + order()],
    ['a raw NUL in a string', '{"user_id":"a\u0000b","order_id":"o","order_value":1}'],
    ['a raw newline in a string', '{"user_id":"a\nb","order_id":"o","order_value":1}'],
    ['a replacement character where bytes were no UTF-8', '\ufffd\ufffd'],
    ['a byte order mark before the order', `\ufeff${order()}`],
    ['a byte order mark alone', '\ufeff'],
    ['undefined', 'undefined'],
    ['a hexadecimal number', order({ order_value: '0x10' })],
    ['a number with a plus', order({ order_value: '+1' })],
  ])('%s: malformed', (_, body) => {
    expect(checkOrder(body, plainFormat)).toEqual(malformed)
  })
})

describe('JSON that is not an object', () => {
  test.each(['null', 'true', 'false', '0', '1e999', '"order"', '[]', `[${order()}]`, ' [] '])('%s', (body) => {
    expect(checkOrder(body, plainFormat)).toEqual(notAnObject)
  })
})

describe('required fields', () => {
  test.each(['user_id', 'order_id', 'order_value'])('%s absent is named', (field) => {
    expect(checkOrder(order({ [field]: undefined }), plainFormat)).toEqual(missing(field))
  })

  test('the empty object lacks user_id first', () => {
    expect(checkOrder('{}', plainFormat)).toEqual(missing('user_id'))
  })

  test('a field in __proto__ or of Object.prototype does not count as given', () => {
    expect(checkOrder(`{"__proto__":${order()}}`, plainFormat)).toEqual(missing('user_id'))
    expect(checkOrder('{"constructor":1,"toString":2}', plainFormat)).toEqual(missing('user_id'))
  })

  test('null is given, not absent', () => {
    expect(checkOrder(order({ user_id: 'null' }), plainFormat)).toEqual(badIdentity('user_id'))
    expect(checkOrder(order({ order_value: 'null' }), plainFormat)).toEqual(notANumber)
  })
})

describe.each(['user_id', 'order_id'])('the identity %s', (field) => {
  const textOf = (body: string): string => accepted(body)[field === 'user_id' ? 'userId' : 'orderId']

  test.each([
    ['the empty string', '""'],
    ['null', 'null'],
    ['true', 'true'],
    ['a list', '["a"]'],
    ['an object', '{"id":"a"}'],
    ['a fraction', '1.5'],
    ['an integer of 257 digits', '1'.repeat(257)],
    ['a negative integer of 257 digits', `-${'1'.repeat(257)}`],
    ['an integer beyond what a double holds', '1'.repeat(400)],
    ['a large integer with a fraction', '9007199254740993.0'],
    ['a large integer in exponent form', '9007199254740993e0'],
    ['a large power of ten', '1E20'],
    ['an overflow', '1e999'],
    ['minus Infinity', '-Infinity'],
    ['a list of a large integer', '[9007199254740993]'],
    ['NaN', 'NaN'],
    ['257 characters', JSON.stringify('x'.repeat(257))],
    ['257 emoji', JSON.stringify('😀'.repeat(257))],
    ['200 KB', JSON.stringify('x'.repeat(200_000))],
    ['half a surrogate pair, high', '"a\\ud83d"'],
    ['half a surrogate pair, low', '"\\ude00a"'],
    ['a surrogate pair the wrong way round', '"\\ude00\\ud83d"'],
  ])('%s is refused', (_, json) => {
    expect(checkOrder(order({ [field]: json }), plainFormat)).toEqual(badIdentity(field))
  })

  test.each([
    ['one character', '"a"', 'a'],
    ['white space', '" "', ' '],
    ['256 characters', JSON.stringify('x'.repeat(256)), 'x'.repeat(256)],
    ['256 emoji, 512 UTF-16 units', JSON.stringify('😀'.repeat(256)), '😀'.repeat(256)],
    ['an emoji as escapes', '"\\ud83d\\ude00"', '😀'],
    ['right-to-left text', '"مستخدم"', 'مستخدم'],
    ['a NUL escape', '"a\\u0000b"', 'a\0b'],
    ['__proto__', '"__proto__"', '__proto__'],
    ['constructor', '"constructor"', 'constructor'],
    ['braces', '"{p1}"', '{p1}'],
    ['zero', '0', '0'],
    ['minus zero', '-0', '0'],
    ['a negative integer', '-12', '-12'],
    ['an integer in exponent form', '1e3', '1000'],
    ['an integer with a fraction of zeros', '12.00', '12'],
    ['the greatest safe integer', '9007199254740991', '9007199254740991'],
    ['the least safe integer', '-9007199254740991', '-9007199254740991'],
    ['an integer beyond the safe ones', '9007199254740993', '9007199254740993'],
    ['a negative integer beyond the safe ones', '-9007199254740993', '-9007199254740993'],
    ['an integer of 21 digits', '123456789012345678901', '123456789012345678901'],
    ['an integer of 256 digits', '9'.repeat(256), '9'.repeat(256)],
    ['a negative integer of 256 digits', `-${'9'.repeat(256)}`, `-${'9'.repeat(256)}`],
  ])('%s is taken as its text', (_, json, text) => {
    expect(textOf(order({ [field]: json }))).toBe(text)
  })

  test('a large integer is taken as its digits with white space around it and NaN in another field', () => {
    const body = order({ note: '"\\"x"', [field]: '\n -9007199254740993\t', discount: 'NaN' })
    expect(textOf(body)).toBe('-9007199254740993')
  })

  test('a large integer is taken from the last of its keys at the top level, however they are written', () => {
    const escaped = field.replace('_', '\\u005f')
    const nested = `{"${field}":8007199254740993,"order":[{"${field}":7007199254740993}]}`
    const twice = order({ [field]: '9107199254740993' }).replace(
      '}',
      `,"${escaped}":9007199254740993,"more":${nested}}`,
    )
    expect(textOf(twice)).toBe('9007199254740993')
    expect(textOf(order({ [field]: '9007199254740993' }).replace('}', `,"${escaped}":"last"}`))).toBe('last')
    expect(textOf(order({ [field]: '"9007199254740993"', note: '8007199254740993' }))).toBe('9007199254740993')
  })

  test('digits within a string are text, next to a large integer too', () => {
    const body = order({ [field]: '9007199254740993', note: '": 8007199254740993,\\""', '" 1234567890123456 ': '1' })
    expect(textOf(body)).toBe('9007199254740993')
  })
})

describe('order_value', () => {
  test.each(['true', 'false', '"10"', 'null', '[]', '{}', '1e999', '-1e999', 'NaN', 'Infinity', '-Infinity'])(
    '%s is not a number',
    (json) => {
      expect(checkOrder(order({ order_value: json }), plainFormat)).toEqual(notANumber)
    },
  )

  test.each(['-0.01', '-1e-9', '-1e300', '1000000000.01', '1000000001', '1e300'])('%s is out of range', (json) => {
    expect(checkOrder(order({ order_value: json }), plainFormat)).toEqual(outOfRange)
  })

  test.each([
    ['0', 0],
    ['-0', 0],
    ['-0.0', 0],
    ['0.004', 0],
    ['0.005', 1],
    ['1.005', 101],
    ['1e-7', 0],
    ['1e-400', 0],
    ['1.5e2', 15_000],
    ['1000000000', 100_000_000_000],
  ])('%s is rounded to %d cents', (json, minor) => {
    expect(accepted(order({ order_value: json })).minor).toBe(minor)
  })
})

describe('NaN and Infinity', () => {
  const impostors = ['1.NaN', '1-NaN', '-NaN', '1.Infinity', '1-Infinity', '+Infinity', 'NaN1', 'nan', '$NaN']

  test.each(impostors)('what only resembles them is malformed: %s as order_value', (json) => {
    expect(checkOrder(order({ order_value: json }), plainFormat)).toEqual(malformed)
  })

  test.each(impostors)('what only resembles them is malformed: %s in a further field', (json) => {
    expect(checkOrder(order({ note: json }), plainFormat)).toEqual(malformed)
  })

  test('a token in a further field is read as Python writes it: the order is valid', () => {
    for (const token of ['NaN', 'Infinity', '-Infinity']) {
      const items = `[{"product_id":${token},"quantity":1,"price_per_unit":50,"tax":[${token}]}]`
      const body = order({ items, order_timestamp: token, discount: token, more: `{"a":[${token},1]}` })
      expect(accepted(body)).toEqual({
        ...{ userId: 'user_7', orderId: 'o-1', minor: 5_000, value: 50 },
        items: [[null, 1, 50]],
      })
    }
  })

  test.each([
    ['user_id', 'NaN', badIdentity('user_id')],
    ['order_id', '-Infinity', badIdentity('order_id')],
    ['order_value', 'NaN', notANumber],
    ['items', 'NaN', badItems],
    ['items', '[NaN]', badItems],
    ['items', '[{"quantity":NaN,"price_per_unit":50}]', badItems],
    ['items', '[{"quantity":1,"price_per_unit":-Infinity}]', badItems],
  ])('where a rule looks they are refused by it: %s of %s', (field, json, verdict) => {
    expect(checkOrder(order({ [field]: json }), plainFormat)).toEqual(verdict)
  })

  test('their names within strings are text', () => {
    const body = order({ user_id: '"NaN"', order_id: '"\\"-Infinity\\\\"', 'NaN "Infinity"': '"a\\\\\\"NaN"' })
    expect(accepted(body)).toMatchObject({ userId: 'NaN', orderId: '"-Infinity\\' })
    expect(checkOrder(body.replace('50', 'NaN'), plainFormat)).toEqual(notANumber)
  })
})

describe('items', () => {
  test.each([
    ['a string', '"two of each"'],
    ['the empty string', '""'],
    ['a number', '0'],
    ['false', 'false'],
    ['an object', '{}'],
    ['a list of a number', '[1]'],
    ['a list of null', '[null]'],
    ['a list of a list', '[[]]'],
    ['a good item and a string', '[{"quantity":1,"price_per_unit":50},"x"]'],
    ['a quantity in quotes', '[{"quantity":"1","price_per_unit":50}]'],
    ['a quantity of null', '[{"quantity":null,"price_per_unit":50}]'],
    ['a quantity of true', '[{"quantity":true,"price_per_unit":50}]'],
    ['a negative quantity', '[{"quantity":-1,"price_per_unit":50}]'],
    ['an infinite quantity', '[{"quantity":1e999,"price_per_unit":50}]'],
    ['a quantity of NaN', '[{"quantity":NaN,"price_per_unit":50}]'],
    ['a price in quotes', '[{"quantity":1,"price_per_unit":"50"}]'],
    ['a negative price', '[{"quantity":1,"price_per_unit":-0.01}]'],
    ['two negatives that make 50', '[{"quantity":-1,"price_per_unit":-50}]'],
    ['an infinite price', '[{"quantity":1,"price_per_unit":Infinity}]'],
  ])('%s: bad structure', (_, json) => {
    expect(checkOrder(order({ items: json }), plainFormat)).toEqual(badItems)
  })

  test('absent or null is valid, and not a list', () => {
    expect(accepted(order())).not.toHaveProperty('items')
    expect(accepted(order({ items: 'null' }))).not.toHaveProperty('items')
  })

  test('an absent quantity or price counts as 0, and so does a minus zero', () => {
    expect(checkOrder(order({ items: '[{"price_per_unit":50}]' }), plainFormat)).toEqual(mismatch('0', '50'))
    expect(checkOrder(order({ items: '[{"quantity":50}]' }), plainFormat)).toEqual(mismatch('0', '50'))
    expect(checkOrder(order({ items: '[{}]' }), plainFormat)).toEqual(mismatch('0', '50'))
    expect(checkOrder(order({ items: '[{"quantity":-0,"price_per_unit":50}]' }), plainFormat)).toEqual(
      mismatch('0', '50'),
    )
    expect(codeOf(checkOrder(order({ order_value: '0', items: '[{}]' }), plainFormat))).toBe('valid')
  })

  test('an empty list totals 0', () => {
    expect(checkOrder(order({ items: '[]' }), plainFormat)).toEqual(mismatch('0', '50'))
    expect(codeOf(checkOrder(order({ order_value: '0', items: '[]' }), plainFormat))).toBe('valid')
  })

  test('a quantity in __proto__ of an item does not count', () => {
    const items = '[{"__proto__":{"quantity":1,"price_per_unit":50},"constructor":1}]'
    expect(checkOrder(order({ items }), plainFormat)).toEqual(mismatch('0', '50'))
  })

  test('further fields of an item are of no account', () => {
    const items = '[{"quantity":1,"price_per_unit":50,"product_id":{"deep":[1]},"note":"x"}]'
    expect(codeOf(checkOrder(order({ items }), plainFormat))).toBe('valid')
  })
})

describe('the total', () => {
  const lines = (...each: readonly (readonly [string, string])[]): string =>
    `[${each.map(([quantity, price]) => `{"quantity":${quantity},"price_per_unit":${price}}`).join(',')}]`

  test.each([
    ['the example of the contract', '55', lines(['2', '25']), '50', '55'],
    ['0.1 + 0.2', '1', lines(['1', '0.1'], ['1', '0.2']), '0.3', '1'],
    ['3 × 1.1', '4', lines(['3', '1.1']), '3.3', '4'],
    ['a third', '1', lines(['1', '0.3333333333333333']), '0.3333333333', '1'],
    ['twelve digits', '1', lines(['1', '123456789.123']), '123456789.1', '1'],
    ['digits that round up', '1', lines(['1', '12345.678987654']), '12345.67899', '1'],
    ['10,000 × 0.1', '2000', lines(...Array.from({ length: 10_000 }, () => ['1', '0.1'] as const)), '1000', '2000'],
    ['trailing zeros', '5.50', lines(['2.0', '3.10']), '6.2', '5.5'],
    ['an exponent', '5.5e1', lines(['1e1', '1E1']), '100', '55'],
    ['minus zero', '-0', lines(['1', '1']), '1', '0'],
    ['a value with many digits', '0.123456789012345', lines(['1', '1']), '1', '0.123456789012345'],
    ['the greatest value', '1e9', lines(['1', '1']), '1', '1000000000'],
  ])('%s is shown in shortest decimal form', (_, value, items, total, reported) => {
    expect(checkOrder(order({ order_value: value, items }), plainFormat)).toEqual(mismatch(total, reported))
  })

  test('beyond what a number holds is a mismatch, whatever the value', () => {
    const items = lines(['1e308', '1e308'])
    expect(codeOf(checkOrder(order({ items, order_value: '1000000000' }), plainFormat))).toBe('total-mismatch')
    expect(codeOf(checkOrder(order({ items, order_value: '0' }), plainFormat))).toBe('total-mismatch')
  })

  test.each([
    ['100', '99'],
    ['99', '100'],
    ['10.1', '9.999'],
    ['9.999', '10.1'],
    ['0.1', '0.099'],
    ['0.7', '0.693'],
    ['1.1', '1.089'],
    ['33.3', '32.967'],
    ['4.35', '4.3065'],
    ['1000000000', '990000000'],
    ['0', '0'],
  ])('order_value %s is within 1 %% of %s', (value, total) => {
    expect(codeOf(checkOrder(priced(value, total), plainFormat))).toBe('valid')
  })

  test.each([
    ['100', '98.9999999'],
    ['98.9999999', '100'],
    ['10.1', '9.998999999'],
    ['9.998999999', '10.1'],
    ['0.1', '0.098999999'],
    ['1000000000', '989999999'],
    ['0.01', '0'],
    ['0', '0.01'],
    ['1e-7', '0'],
  ])('order_value %s is more than 1 %% off %s', (value, total) => {
    expect(codeOf(checkOrder(priced(value, total), plainFormat))).toBe('total-mismatch')
  })
})

describe('an order that breaks two rules', () => {
  /** In the order of the contract. */
  const breaks: readonly (readonly [name: string, fields: Fields, verdict: Rejection | object])[] = [
    ['no user_id', { user_id: undefined }, missing('user_id')],
    ['no order_id', { order_id: undefined }, missing('order_id')],
    ['no order_value', { order_value: undefined }, missing('order_value')],
    ['a bad user_id', { user_id: '""' }, badIdentity('user_id')],
    ['a bad order_id', { order_id: '[]' }, badIdentity('order_id')],
    ['no number', { order_value: '"50"' }, notANumber],
    ['out of range', { order_value: '-1' }, outOfRange],
    ['bad items', { items: '[1]' }, badItems],
    ['another total', { items: '[]' }, mismatch('0', '50')],
  ]
  const pairs = breaks.flatMap(([first, fields, verdict], at) =>
    breaks
      .slice(at + 1)
      .filter(([, others]) => Object.keys(others).every((field) => !(field in fields)))
      .map(([second, others]) => [first, second, { ...fields, ...others }, verdict] as const),
  )

  test.each(pairs)('%s and %s: the first is the reason', (_first, _second, fields, verdict) => {
    expect(checkOrder(order(fields), plainFormat)).toEqual(verdict)
  })

  test('a list of two broken orders is no object before all', () => {
    expect(checkOrder(`[${order({ user_id: undefined })},{}]`, plainFormat)).toEqual(notAnObject)
  })

  test('a bad item after ones that do not add up is a bad structure', () => {
    expect(checkOrder(order({ items: '[{"quantity":9,"price_per_unit":9},{"quantity":-1}]' }), plainFormat)).toEqual(
      badItems,
    )
  })
})

describe('a repeated identity', () => {
  const place = { keys: makeKeys(), buckets: 16, generation: 7 }
  const line = (body: string) => ledgerRecord(orderLine(identityOf(accepted(body), plainFormat)), place)
  const item = (price: string): string => `[{"product_id":"P1","quantity":1,"price_per_unit":${price}}]`

  test('with the same payload has the same line in the ledger, whatever the order of fields, spelling and extras', () => {
    const again = '{"note":1,"order_value":5e1,"items":null,"order_id":"o-1","user_id":"user_7"}'
    expect(line(again)).toEqual(line(order()))
    expect(line(order({ items: item('50.0') }))).toEqual(line(order({ items: item('50') })))
  })

  test('as an integer is the same as its text', () => {
    expect(line(order({ user_id: '12' }))).toEqual(line(order({ user_id: '"12"' })))
    expect(line(order({ user_id: '9007199254740993' }))).toEqual(line(order({ user_id: '"9007199254740993"' })))
  })

  test('as an integer beyond 2^53 is another than its neighbors, which are the same double', () => {
    const ids = ['9007199254740992', '9007199254740993', '9007199254740994']
    expect(new Set(ids.map((id) => line(order({ order_id: id })).field)).size).toBe(3)
  })

  const two = (quantity: string, price: string): string =>
    `[{"product_id":"P1","quantity":${quantity},"price_per_unit":${price}}]`

  test.each([
    ['a value a hair below', { order_value: '0.7999999999999999' }, { order_value: '0.8' }],
    ['a tenth of a cent', { order_value: '5.001', items: item('5') }, { order_value: '5', items: item('5') }],
    ['a sum of doubles', { order_value: '0.30000000000000004' }, { order_value: '0.3' }],
    ['half a cent, which is rounded up', { order_value: '1.005' }, { order_value: '1.01' }],
    ['a price a hair above', { items: two('10', '5.000000000000001') }, { items: two('10', '5') }],
    ['a price and a value', { order_value: '49.996', items: two('10', '4.9996') }, { items: two('10', '5') }],
    ['a large price', { items: two('0.001', '50000.001') }, { items: two('0.001', '50000') }],
  ])('of the same money in other digits has the same line: %s', (_, fields, others) => {
    expect(line(order(fields))).toEqual(line(order(others)))
  })

  test.each([
    ['a cent', { order_value: '50.01' }, { order_value: '50' }],
    ['a cent of a price', { items: two('10', '5.01') }, { items: two('10', '5') }],
    ['a quantity', { items: two('10.001', '5') }, { items: two('10', '5') }],
    [
      'a product beyond 2^53',
      { items: two('10', '5').replace('"P1"', '9007199254740993') },
      { items: two('10', '5').replace('"P1"', '9007199254740992') },
    ],
  ])('that differs in %s has another value in its line', (_, fields, others) => {
    const [one, other] = [line(order(fields)), line(order(others))]
    expect(one.field).toBe(other.field)
    expect(one.value).not.toBe(other.value)
  })

  /** As an earlier release wrote them: orders admitted before an upgrade are known after it. */
  test.each([
    ['Z9r-7V', '50', undefined],
    ['66ATnX', '-0', undefined],
    ['6oAHVS', '150.75', undefined],
    ['wfwndN', '0.1', undefined],
    ['nEYOHa', '999999999.99', undefined],
    ['rJk_rT', '1000000000', undefined],
    ['-2aw_G', '0', '[]'],
    ['zK6YiX', '150.75', '[{"product_id":"P001","quantity":3,"price_per_unit":50.25}]'],
    ['G5eGss', '0.3', '[{"product_id":7,"quantity":1,"price_per_unit":0.1},{"quantity":0.5,"price_per_unit":0.4}]'],
    [
      'UQnyy4',
      '0',
      '[{"product_id":null,"price_per_unit":1e300},{"product_id":"P","quantity":-0,"price_per_unit":70368744177663.99},{}]',
    ],
  ])('of whole cents has the fingerprint %s that it always had', (fingerprint, order_value, items) => {
    expect(identityOf(accepted(order({ order_value, items })), plainFormat).fingerprint).toBe(fingerprint)
  })

  test('with another value or other items has the same field and another value', () => {
    const [first, ...others] = [
      order(),
      order({ order_value: '50.01' }),
      order({ items: item('50') }),
      order({ items: item('49.99') }),
      order({ items: item('50').replace('P1', 'P2') }),
    ].map(line)
    for (const other of others) expect(other).toMatchObject({ field: first?.field, current: first?.current })
    expect(new Set([first, ...others].map((each) => each?.value)).size).toBe(5)
  })

  test('with another payload names the order that was there first', () => {
    const { value } = line(order({ order_value: '150.755' }))
    expect(conflictWith(identityOf(accepted(order()), plainFormat), value, plainFormat)).toEqual({
      code: 'conflict',
      reason: 'Order o-1 of user user_7 was already accepted with order_value 150.76',
    })
  })

  test('is not taken for one that only reads the same when joined', () => {
    const ids = [
      ['a', 'bc'],
      ['ab', 'c'],
      ['1 a', 'bc'],
      ['1', ' abc'],
      ['__proto__', 'a'],
      ['__proto_', '_a'],
    ]
    const fields = ids.map(
      ([user, id]) => line(order({ user_id: JSON.stringify(user), order_id: JSON.stringify(id) })).field,
    )
    expect(new Set(fields).size).toBe(ids.length)
  })
})

test('an order_timestamp of up to 64 characters is passed on', () => {
  const timestampOf = (length: number): string | undefined =>
    accepted(order({ order_timestamp: JSON.stringify('2'.repeat(length)) })).orderTimestamp
  expect(timestampOf(64)).toBe('2'.repeat(64))
  expect(timestampOf(65)).toBeUndefined()
})
