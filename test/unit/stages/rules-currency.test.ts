import { describe, expect, test } from 'vitest'
import { readConfig } from '../../../src/config/config.ts'
import { formatOf } from '../../../src/order/format.ts'
import { hintOf } from '../../../src/stages/hints/hint.ts'
import type { Order } from '../../../src/stages/rules.ts'
import { conflictWith, identityOf } from '../../../src/stages/runner/ledger.ts'
import { checkOrder } from '../../support/order-bodies.ts'
import { plainFormat } from '../../support/plain-format.ts'

const formatIn = (currency: string) => formatOf(readConfig({ CURRENCY: currency }))
const [yen, dinars, euros] = [formatIn('JPY'), formatIn('KWD'), formatIn('EUR')]
const bodyOf = (fields: object): string =>
  JSON.stringify({ user_id: 'ann', order_id: 'o1', order_value: 1_500, ...fields })
const minorOf = (order_value: number, format = yen): unknown => {
  const order = checkOrder(bodyOf({ order_value }), format)
  return 'code' in order ? order : order.minor
}

test('an amount is rounded to the minor unit of the currency', () => {
  expect([1_500, 1_500.4, 1_500.5, 0.5, 1e9].map((value) => minorOf(value))).toEqual([1_500, 1_500, 1_501, 1, 1e9])
  expect([1.5, 1.2345, 1e9].map((value) => minorOf(value, dinars))).toEqual([1_500, 1_235, 1e12])
  expect(minorOf(1e9, formatIn('CLF'))).toBe(1e13)
})

describe('the field currency', () => {
  const rejected = { code: 'other-currency', reason: 'currency must be EUR' }

  test.each([['EUR'], ['eur'], ['Eur'], [null], [undefined]])('of %j is the currency of the system', (currency) => {
    expect(checkOrder(bodyOf({ currency }), euros)).toMatchObject({ minor: 150_000 })
  })

  test.each([['USD'], ['EURO'], ['EU'], [''], [' EUR'], ['€'], [978], [0], [false], [['EUR']], [{ code: 'EUR' }]])(
    'of %j is another one',
    (currency) => {
      expect(checkOrder(bodyOf({ currency }), euros)).toEqual(rejected)
    },
  )

  test('is compared by ASCII letters alone', () => {
    const kelvin = checkOrder(bodyOf({ currency: '\u212aWD' }), dinars)
    const longS = checkOrder(bodyOf({ currency: 'u\u017fd' }), formatIn('USD'))
    expect([kelvin, longS]).toMatchObject([{ code: 'other-currency' }, { code: 'other-currency' }])
  })

  test('is just a field where CURRENCY is not set', () => {
    const order = checkOrder(bodyOf({}), plainFormat) as Order
    for (const currency of ['JPY', 'nonsense', 978, { a: 1 }]) {
      expect(checkOrder(bodyOf({ currency }), plainFormat)).toEqual(order)
    }
  })

  test('may be elsewhere, by the field map', () => {
    const format = formatOf(
      readConfig({ CURRENCY: 'EUR', ORDER_FIELDS: 'order_value:total.amount,currency:total.code' }),
    )
    const priced = (code: unknown): unknown =>
      checkOrder(JSON.stringify({ user_id: 'u', order_id: 'o', total: { amount: 1, code } }), format)
    expect(priced('eur')).toMatchObject({ minor: 100 })
    expect(priced('USD')).toEqual(rejected)
  })

  test('is read next to fields that the map moves', () => {
    const format = formatOf(readConfig({ CURRENCY: 'EUR', ORDER_FIELDS: 'order_value:total' }))
    const priced = (currency: string): unknown =>
      checkOrder(JSON.stringify({ user_id: 'u', order_id: 'o', total: 1, currency }), format)
    expect([priced('EUR'), priced('USD')]).toMatchObject([{ minor: 100 }, rejected])
  })

  test('is judged after the identity, and before the amounts that it gives a unit', () => {
    const other = { currency: 'USD' }
    expect(checkOrder(bodyOf({ ...other, user_id: '' }), euros)).toMatchObject({ code: 'bad-identity' })
    expect(checkOrder('{"currency":"USD"}', euros)).toMatchObject({ code: 'missing-field' })
    for (const fields of [{ order_value: '1' }, { order_value: -1 }, { items: 1 }, { items: [] }]) {
      expect(checkOrder(bodyOf({ ...other, ...fields }), euros)).toEqual(rejected)
    }
  })

  test.each([
    [
      'usd',
      '`currency` is "usd", and this system counts EUR alone: convert all amounts, and send EUR or leave `currency` out.',
    ],
    [978, '`currency` is no text: send EUR as text, or leave `currency` out.'],
  ])('of %j has a hint', (currency, hint) => {
    expect(hintOf({ ...rejected, body: bodyOf({ currency }) }, euros)).toBe(hint)
    expect(hintOf({ ...rejected, body: bodyOf({ currency }) }, plainFormat)).toBe(
      'The order is valid by the present settings, so a replay may accept it.',
    )
  })
})

describe('a repeated identity', () => {
  const identity = (fields: object, format = yen) => identityOf(checkOrder(bodyOf(fields), format) as Order, format)
  const item = (price: number) => [{ product_id: 'P', quantity: 1, price_per_unit: price }]

  test('of the same yen in other digits is the same payload', () => {
    const first = identity({ items: item(1_500) })
    expect(identity({ order_value: 1_500.4, items: item(1_499.6) })).toEqual(first)
    expect(identity({ order_value: 1_501, items: item(1_500) }).fingerprint).not.toBe(first.fingerprint)
    expect(identity({ items: item(1_501) }).fingerprint).not.toBe(first.fingerprint)
  })

  test('of fils that differ is another payload', () => {
    const [first, ...others] = [1.234, 1.2344, 1.235].map(
      (order_value) => identity({ order_value }, dinars).fingerprint,
    )
    expect(others.map((other) => other === first)).toEqual([true, false])
  })

  test('has the fingerprint that it has without a currency, where that has as many decimals', () => {
    const fields = { order_value: 1_500.755, items: item(1_500.755) }
    expect(identity(fields, euros)).toEqual(identity(fields, plainFormat))
  })

  test.each([
    ['JPY', yen, '1500'],
    ['KWD', dinars, '1.5'],
    ['EUR', euros, '15'],
  ])('names the accepted amount in %s', (_, format, value) => {
    expect(conflictWith(identity({}, format), 'abcdef1500', format).reason).toBe(
      `Order o1 of user ann was already accepted with order_value ${value}`,
    )
  })
})

/** The hint on an order whose items total 1,000. */
const totalHint = (order_value: number, format: typeof yen, price_per_unit = 1_000) =>
  hintOf(
    { code: 'total-mismatch', reason: '', body: bodyOf({ order_value, items: [{ quantity: 1, price_per_unit }] }) },
    format,
  )

test.each([
  ['KWD', dinars, 1_000_000, 'is exactly 1000 times the total of the items (1000): it may be in minor units,'],
  ['KWD', dinars, 100_000, 'is exactly 100 times the total of the items (1000): it may be in hundredths,'],
  ['JPY', yen, 100_000, 'is exactly 100 times the total of the items (1000): it may be in hundredths,'],
  ['EUR', euros, 100_000, 'is exactly 100 times the total of the items (1000): it may be in cents,'],
])('a total in a smaller unit is named in %s', (_, format, value, says) => {
  expect(totalHint(value, format)).toContain(says)
})

test('no hint asks for the cents of yen', () => {
  expect(totalHint(10, plainFormat, 10.5)).toContain('send it with its cents')
  expect(totalHint(10, dinars, 10.5)).toContain('send it with its minor units')
  expect(totalHint(10, yen, 10.5)).not.toContain('send it with')
})

test.each([
  ['JPY', yen, 'it may be in hundredths or a smaller unit'],
  ['KWD', dinars, 'it may be in minor units or a smaller unit'],
  ['EUR', euros, 'it may be in cents or a smaller unit'],
])('an amount that is too large has a hint in %s', (_, format, says) => {
  const body = bodyOf({ order_value: 2e9 })
  expect(hintOf({ code: 'bad-value', reason: '', body }, format)).toContain(says)
})

test.each([
  ['JPY', yen, 'send the amount in currency units as a number.'],
  ['KWD', dinars, 'send the amount in currency units as a number (`minor` / 1000).'],
  ['EUR', euros, 'send the amount in currency units as a number (`minor` / 100).'],
])('an object with minor units has a hint in %s', (_, format, says) => {
  const body = bodyOf({ order_value: { minor: 1_500 } })
  expect(hintOf({ code: 'bad-value', reason: '', body }, format)).toContain(says)
})

test('a conflict is compared to the minor unit', () => {
  const hint = (order_value: number, format: typeof yen) =>
    hintOf(
      {
        code: 'conflict',
        reason: 'Order o1 of user ann was already accepted with order_value 10',
        body: bodyOf({ order_value }),
      },
      format,
    )
  expect(hint(10.4, yen)).toContain('is the same to the minor unit')
  expect(hint(10.004, dinars)).toContain('order_value 10.004 instead of 10')
})
