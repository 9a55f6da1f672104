import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type FieldMap, itemFields, orderFields, pathText } from '../../../src/order/field-map.ts'
import type { OrderFormat } from '../../../src/order/format.ts'
import { identityIn, identityInRecord } from '../../../src/order/identity.ts'
import { hasOrderField } from '../../../src/order/mapped.ts'
import { readFieldMap } from '../../../src/order/read-field-map.ts'
import { readOrder } from '../../../src/order/read-order.ts'
import { writeOrder } from '../../../src/order/write-order.ts'
import { checkMessage } from '../../../src/stages/rules.ts'
import { checkOrder } from '../../support/order-bodies.ts'
import { plainFormat } from '../../support/plain-format.ts'
import { formatOfShop, formatWith, ownOrder, type Shop, shopOrders } from '../../support/shops.ts'

const sample = {
  user: 7_310_000_000_001,
  id: 5_820_000_000_123,
  lines: [
    { sku: 'A-1', quantity: 3, cents: 1_990 },
    { sku: 'B-2', quantity: 1, cents: 5 },
  ],
}

test('a refund of a shop is read as one under our own names, with its event, its id and decimal text', () => {
  const fields = 'event:topic,event_id:refund.id,amount:refund.total:decimal,user_id:customer.id,order_id:id'
  const sent = (topic: string): string =>
    `{"topic":"${topic}","id":5820000000123,"customer":{"id":7},"refund":{"id":9007199254740993,"total":"19.90"}}`
  const format = formatWith({ ORDER_FIELDS: fields })
  expect(checkMessage(sent('order.refunded'), format)).toEqual({
    ...{ kind: 'refunded', userId: '7', orderId: '5820000000123' },
    ...{ eventId: 'id 9007199254740993', value: 19.9, minor: 1_990 },
  })
  expect(checkMessage(sent('order.cancelled'), format)).toMatchObject({ kind: 'cancelled' })
  expect(checkMessage(sent('order.refund'), format)).toMatchObject({ code: 'unknown-event' })
  const textual = fields.replace(':decimal', '')
  expect(checkMessage(sent('order.refunded'), formatWith({ ORDER_FIELDS: textual }))).toMatchObject({
    code: 'bad-value',
    reason: 'amount must be a number',
  })
})

describe.each(['shopify', 'wooCommerce'] as const)('an order of %s', (shop: Shop) => {
  const format = formatOfShop(shop)
  const body = JSON.stringify(shopOrders[shop](sample))

  test('is read as the same order under our own names', () => {
    const { orderTimestamp, ...order } = checkOrder(body, format) as { orderTimestamp?: string }
    expect(order).toEqual(checkOrder(JSON.stringify(ownOrder(sample)), plainFormat))
    expect(orderTimestamp).toMatch(/^2026-11-28T/)
    expect(identityIn(body, format)).toEqual({ userId: '7310000000001', orderId: '5820000000123' })
    expect(identityInRecord(`{"id":"1-0","order":${body}}`, format)).toEqual(identityIn(body, format))
  })

  test('under our own names is read by them', () => {
    const own = JSON.stringify(ownOrder(sample))
    expect(checkOrder(own, format)).toEqual(checkOrder(own, plainFormat))
  })

  test('keeps integers beyond 2^53 exact in its ids', () => {
    const long = body.replaceAll('7310000000001', '90071992547409931').replaceAll('5820000000123', '90071992547409951')
    expect(identityIn(long, format)).toEqual({ userId: '90071992547409931', orderId: '90071992547409951' })
    expect(identityInRecord(`{"order":${long}}`, format)).toEqual(identityIn(long, format))
  })
})

test('an amount as text is taken where the map says so, and nowhere else', () => {
  const orders = { decimal: 'user_id:u,order_id:o,order_value:v:decimal', plain: 'user_id:u,order_id:o,order_value:v' }
  const check = (value: unknown, fields: string) =>
    checkOrder(JSON.stringify({ u: 'u', o: 'o', v: value }), formatWith({ ORDER_FIELDS: fields }))
  expect(check('19.90', orders.decimal)).toMatchObject({ minor: 1_990, value: 19.9 })
  expect(check(19.9, orders.decimal)).toMatchObject({ minor: 1_990 })
  expect(check('19.90', orders.plain)).toMatchObject({ code: 'bad-value' })
  for (const text of ['', ' 1', '1 ', '+1', '.5', '1.', '01', '1,5', '0x1', 'NaN', 'Infinity', '1e999', '1_0', '１']) {
    expect(check(text, orders.decimal)).toEqual({ code: 'bad-value', reason: 'order_value must be a number' })
  }
})

test('a decimal text is the number that JSON reads in the same digits', () => {
  const format = formatWith({ ORDER_FIELDS: 'order_value:v:decimal' })
  const read = (value: string) => checkOrder(`{"user_id":"u","order_id":"o","v":${value}}`, format)
  const digits = fc.stringMatching(/^-?(?:0|[1-9]\d{0,20})(?:\.\d{1,20})?(?:[eE][+-]?\d{1,3})?$/)
  fc.assert(
    fc.property(digits, (text) => {
      expect(read(JSON.stringify(text))).toEqual(read(text))
    }),
  )
})

/** The same as by the setting, in a hundredth of the time. */
const mappedBy = (list: string): OrderFormat => ({ ...plainFormat, fields: readFieldMap(list) as FieldMap })

/** Random maps: each field at a path of its own. The names of one level begin with another letter, so that none is in another. */
const name = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'a.b', 'toString', 'é'),
  fc.string({ minLength: 1, maxLength: 5 }).filter((text) => text.trim() === text),
)
const placesOf = <N extends string>(fields: readonly N[], prefix: string) =>
  fc.tuple(
    ...fields.map((field, at) =>
      fc.option(fc.tuple(fc.array(name, { maxLength: 2 }), fc.boolean()), { nil: undefined }).map((place) => {
        if (!place) return []
        const [rest, isDecimal] = place
        const path = pathText([`${String.fromCharCode(65 + at)}`, ...rest])
        const mayBeText = ['order_value', 'quantity', 'price_per_unit'].includes(field)
        return [`${prefix}${field}:${path}${isDecimal && mayBeText ? ':decimal' : ''}`]
      }),
    ),
  )
const maps = fc
  .tuple(placesOf(orderFields, ''), placesOf(itemFields, 'items.'))
  .map((places) => places.flat(2).join(','))
  .filter((list) => list !== '')

const anyValue = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom('19.90', '5', 12.5, 0, -3, 1e21, 'u'))
const orders = fc.record(
  {
    user_id: fc.oneof(fc.string(), fc.maxSafeInteger(), anyValue),
    order_id: fc.oneof(fc.string(), fc.maxSafeInteger()),
    order_value: fc.oneof(fc.constantFrom(10, 0.1, '10'), anyValue),
    items: fc.oneof(
      fc.array(
        fc.record(
          { product_id: anyValue, quantity: fc.constantFrom(1, 2, '2'), price_per_unit: fc.constantFrom(5, 10) },
          { requiredKeys: [] },
        ),
      ),
      anyValue,
    ),
    order_timestamp: fc.string(),
    note: anyValue,
  },
  { requiredKeys: [] },
)

test('an order written through any map reads as the same order, valid or not', () => {
  fc.assert(
    fc.property(maps, orders, (list, order) => {
      const format = mappedBy(list)
      const body = JSON.stringify(order)
      const written = writeOrder(body, format)
      expect(checkOrder(written, format)).toEqual(checkOrder(body, plainFormat))
      expect(identityIn(written, format)).toEqual(identityIn(body, plainFormat))
    }),
    { numRuns: 2_000 },
  )
})

test('hostile bodies are read without an error, and as nothing that they do not say', () => {
  const lists = ['user_id:__proto__.id', 'user_id:constructor.name', 'user_id:a.b.c', 'user_id:length', 'items:a.0']
  for (const ORDER_FIELDS of lists) {
    const format = formatWith({ ORDER_FIELDS })
    const bodies = [
      'null',
      '[]',
      '"text"',
      '1',
      '{}',
      '{"a":null}',
      '{"a":[{"b":{"c":"x"}}]}',
      '{"a":"text"}',
      '{"a":{"b":5}}',
      '',
    ]
    for (const body of bodies) {
      expect(identityIn(body, format)).toEqual({ userId: undefined, orderId: undefined })
      expect(checkOrder(body, format)).toHaveProperty('code')
    }
  }
  const format = formatWith({ ORDER_FIELDS: 'user_id:__proto__.id,items.quantity:constructor' })
  expect(identityIn('{"__proto__":{"id":"u"},"order_id":"o"}', format)).toEqual({ userId: 'u', orderId: 'o' })
  expect(Object.hasOwn({}, 'id') || 'id' in {}).toBe(false)
  const deep = `{"a":${'{"b":'.repeat(20_000)}1${'}'.repeat(20_000)}}`
  expect(identityIn(deep, formatWith({ ORDER_FIELDS: 'user_id:a.b.b.b' }))).toEqual({
    userId: undefined,
    orderId: undefined,
  })
  fc.assert(
    fc.property(maps, fc.json(), (list, body) => {
      checkOrder(body, mappedBy(list))
    }),
  )
})

test('an object that has anything at a place of the map is read by the map alone', () => {
  const format = formatOfShop('shopify')
  const order = { user_id: 'clerk', order_id: 'x', order_value: 5, customer: null, id: 1, total_price: '5.00' }
  expect(checkOrder(JSON.stringify(order), format)).toMatchObject({ reason: 'Missing required field: user_id' })
  expect(readOrder('{"user_id":"u","customer":{"id":null}}', format)).toMatchObject({ user_id: null })
})

test('an order of the shop is no envelope, and an event with an id is no order', () => {
  const { fields } = formatOfShop('shopify')
  expect(hasOrderField({ id: 1, total_price: '5.00', customer: null, detail: {}, data: {} }, fields)).toBe(true)
  expect(hasOrderField({ id: 'event', source: 'shop', detail: { id: 1 } }, fields)).toBe(false)
  expect(hasOrderField({ order_id: 1 }, fields)).toBe(true)
})
