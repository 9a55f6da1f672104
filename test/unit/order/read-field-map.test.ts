import { expect, test } from 'vitest'
import { readConfig } from '../../../src/config/config.ts'
import { readFieldMap } from '../../../src/order/read-field-map.ts'
import { placesIn, shopFields } from '../../support/shops.ts'

test('a list places fields by paths, and says which amounts may be text', () => {
  expect(placesIn(readFieldMap(shopFields.shopify))).toEqual({
    user_id: ['customer', 'id'],
    order_id: ['id'],
    order_value: [['total_price'], 'decimal'],
    items: ['line_items'],
    order_timestamp: ['created_at'],
    product_id: ['sku'],
    price_per_unit: [['price'], 'decimal'],
  })
})

test('a backslash makes a mark part of a name', () => {
  expect(placesIn(readFieldMap(String.raw`user_id:a\.b.c\,d\:e\\, order_id:x`))).toEqual({
    user_id: ['a.b', 'c,d:e\\'],
    order_id: ['x'],
  })
})

test.each([
  ['user:a', 'fields from user_id, order_id, '],
  ['__proto__:a', 'not "__proto__"'],
  ['user_id:', 'a path without empty names for user_id'],
  ['user_id:a..b', 'a path without empty names for user_id'],
  ['user_id:.a', 'a path without empty names for user_id'],
  ['user_id:a,user_id:b', 'each field once: user_id is there twice'],
  ['user_id:a,', 'not ""'],
  ['user_id:a:number', 'not "user_id:a:number"'],
  ['order_value:a:decimal:b', 'not "order_value:a:decimal:b"'],
  ['user_id:a:decimal', 'decimal for order_value, amount, items.quantity, items.price_per_unit only, not for user_id'],
  ['user_id:a,order_id:a', 'a is that of user_id and order_id'],
  ['user_id:order_id', 'order_id is that of user_id and order_id'],
  ['items:a,order_value:a.b', 'a.b is that of order_value and items'],
  ['items.quantity:price_per_unit', 'price_per_unit is that of quantity and price_per_unit'],
])('%s is refused in one line', (given, expected) => {
  expect(readFieldMap(given)).toContain(expected)
  const line = new RegExp(
    `^ORDER_FIELDS is ${JSON.stringify(given).replaceAll(/[.*+?^$]/g, '\\$&')}: expected [^\\n]*\\.$`,
  )
  expect(() => readConfig({ ORDER_FIELDS: given })).toThrow(line)
})

test.each([
  ['1', 1],
  ['0.5%', 0.5],
  ['0', 0],
  ['100', 100],
])('VALUE_TOLERANCE=%s is %d percent', (given, percent) => {
  expect(readConfig({ VALUE_TOLERANCE: given }).valueTolerance).toBe(percent)
})

test.each(['101', '-1', '1e1', '.5', 'one', '1 %'])('VALUE_TOLERANCE=%s is refused', (given) => {
  expect(() => readConfig({ VALUE_TOLERANCE: given })).toThrow('expected a percentage from 0 to 100, such as 0.5.')
})
