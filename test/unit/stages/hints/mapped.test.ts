import { expect, test } from 'vitest'
import type { OrderFormat } from '../../../../src/order/format.ts'
import { hintOf } from '../../../../src/stages/hints/hint.ts'
import { checkOrder } from '../../../support/order-bodies.ts'
import { formatOfShop, formatWith, shopifyOrder } from '../../../support/shops.ts'

const format = formatOfShop('shopify')
const order = shopifyOrder({ user: 7, id: 5, lines: [{ sku: 'A', quantity: 2, cents: 1_000 }] }) as Record<
  string,
  unknown
>

/** The hint on a body that is rejected now. */
function hintFor(body: object | string, by: OrderFormat = format): string | undefined {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const rejection = checkOrder(text, by)
  if (!('code' in rejection)) throw new Error('The order is valid.')
  return hintOf({ ...rejection, body: text }, by)
}

test.each([
  [{ ...order, customer: null }, 'ORDER_FIELDS reads user_id from `customer.id`, and `customer` is null.'],
  [{ ...order, customer: undefined }, 'ORDER_FIELDS reads user_id from `customer.id`, and the body has no `customer`.'],
  [{ ...order, customer: {} }, 'ORDER_FIELDS reads user_id from `customer.id`, and `customer` has no `id`.'],
  [{ ...order, customer: 'Ada' }, 'ORDER_FIELDS reads user_id from `customer.id`, and `customer` is a text.'],
  [{ ...order, customer: [] }, 'ORDER_FIELDS reads user_id from `customer.id`, and `customer` is a list.'],
  [
    { ...order, total_price: undefined },
    'ORDER_FIELDS reads order_value from `total_price`, and the body has no `total_price`.',
  ],
  [
    { ...order, customer: { id: null } },
    '`user_id` is null: send a text of 1 to 256 characters, or a whole number (here user_id is `customer.id`).',
  ],
  [
    { ...order, customer: { id: 1.5 } },
    '`user_id` is the number 1.5, which has a fraction: send a text of 1 to 256 characters, or a whole number (here user_id is `customer.id`).',
  ],
  [
    { ...order, total_price: '20,00' },
    '`order_value` is the text "20,00" with a decimal comma: send 20.00 as a number, without quotes (here order_value is `total_price`).',
  ],
  [
    { ...order, total_price: -3 },
    '`order_value` is negative (-3): an order has an amount from 0 on, and a refund is a message with the event order.refunded (here order_value is `total_price`).',
  ],
  [
    { ...order, line_items: 'none' },
    '`items` is a text ("none"): send a list of items in [ ] (here items is `line_items`).',
  ],
  [
    { ...order, line_items: [{ price: 'free' }] },
    'Item 1 has a `price_per_unit` that is the text "free", which is no amount: send a number without quotes (here price_per_unit is `price`).',
  ],
  [
    { ...order, total_price: '23.80', total_tax: '3.80' },
    'The difference of 3.8 is exactly the field `total_tax`: order_value must be the total of the items, so list it as an item or leave it out of order_value (here order_value is `total_price` and items is `line_items`).',
  ],
  [
    { type: 'ping' },
    'The body has nothing where ORDER_FIELDS reads user_id from `customer.id`, order_id from `id` and order_value from `total_price`.',
  ],
  [
    { user_id: 'u', order_value: 3 },
    'The body has the fields `user_id` and `order_value`, but none named `order_id`: fields are read by their exact names.',
  ],
  [
    '{"id":1,"customer":{"id":1},"total_price":NaN}',
    '`order_value` is NaN, which is no finite number: send the amount as a number (here order_value is `total_price`).',
  ],
])('hint %#: %j', (body, hint) => {
  expect(hintFor(body)).toBe(hint)
})

test('a number as text is explained by the map', () => {
  const strict = formatWith({
    ORDER_FIELDS: 'user_id:customer.id,order_id:id,order_value:total_price,items:line_items,items.price_per_unit:price',
  })
  const advice = 'is a number as text: add :decimal to it in ORDER_FIELDS, or send a number.'
  expect(hintFor(order, strict)).toBe(`\`total_price\` ${advice}`)
  expect(hintFor({ ...order, total_price: 20 }, strict)).toBe(`\`price\` ${advice}`)
})

test('an order that other settings make valid is said to be', () => {
  const body = JSON.stringify(order)
  const rejected = { code: 'missing-field', reason: 'Missing required field: user_id', body }
  const valid = 'The order is valid by the present settings, so a replay may accept it.'
  expect(hintOf(rejected, format)).toBe(valid)
  const far = '{"user_id":"u","order_id":"o","order_value":11,"items":[{"quantity":1,"price_per_unit":10}]}'
  const mismatch = {
    code: 'total-mismatch',
    reason: 'Calculated total (10) does not match order_value (11)',
    body: far,
  }
  expect(hintOf(mismatch, formatWith({}))).toMatch(/^The items \(1 × 10\) total 10/)
  expect(hintOf(mismatch, formatWith({ VALUE_TOLERANCE: '10' }))).toBe(valid)
  expect(hintOf(mismatch, formatWith({ ITEMS_TOTAL: 'off' }))).toBe(valid)
})
