import { expect, test } from 'vitest'
import { readConfig } from '../../../src/config/config.ts'
import type { CorrectionKind } from '../../../src/corrections.ts'
import { formatOf } from '../../../src/order/format.ts'
import { correctionOf } from '../../../src/stages/correction.ts'
import { checkMessage, sentEventId } from '../../../src/stages/rules.ts'
import { correctedValue, correctionIdentityOf, eventName, standingIn } from '../../../src/stages/runner/ledger.ts'
import { plainFormat } from '../../support/plain-format.ts'

const formatIn = (CURRENCY: string) => formatOf(readConfig({ CURRENCY }))
const [yen, dinars] = [formatIn('JPY'), formatIn('KWD')]

const bodyOf = (kind: CorrectionKind | string, fields: object = {}): string =>
  JSON.stringify({ event: `order.${kind}`, user_id: 'ann', order_id: 'o1', event_id: 'e', ...fields })

function correctionIn(body: string, format = plainFormat) {
  const message = checkMessage(body, format)
  if (!('kind' in message)) throw new Error(JSON.stringify(message))
  return message
}

/** Returns the value of an order after a correction, by its value in the ledger before; or why it is rejected. */
function left(known: string, kind: CorrectionKind, fields: object = {}, format = plainFormat): string {
  const found = correctionOf(correctionIn(bodyOf(kind, fields), format), standingIn(`finger${known}`), format)
  if (found === 'done') return found
  return 'code' in found ? found.reason : correctedValue(`finger${known}`, found).slice('finger'.length)
}

test.each([
  ['refunded', { amount: 2.5 }, '1000', '1000 750'],
  ['refunded', { amount: 7.5 }, '1000 750', '1000 0'],
  ['refunded', { amount: 0 }, '1000 750', '1000 750'],
  ['refunded', { amount: 0.004 }, '1000', '1000 1000'],
  ['refunded', { amount: 7.504 }, '1000 750', '1000 0'],
  [
    'refunded',
    { amount: 7.505 },
    '1000 750',
    'The refund of 7.51 exceeds the 7.5 that are left of order o1 of user ann',
  ],
  ['refunded', { amount: 0.01 }, '1000 0', 'The refund of 0.01 exceeds the 0 that are left of order o1 of user ann'],
  ['refunded', { amount: 0.01 }, '1000 x', 'The refund of 0.01 exceeds the 0 that are left of order o1 of user ann'],
  ['amended', { order_value: 0 }, '1000', '1000 0'],
  ['amended', { order_value: 1e9 }, '1000 0', '1000 100000000000'],
  ['amended', { order_value: 5 }, '1000 x', 'Order o1 of user ann is cancelled'],
  ['cancelled', {}, '1000', '1000 x'],
  ['cancelled', {}, '1000 0', '1000 x'],
  ['cancelled', {}, '0', '0 x'],
  ['cancelled', {}, '1000 x', 'done'],
] as const)('%s with %j: an order of %s is %s', (kind, fields, known, expected) => {
  expect(left(known, kind, fields)).toBe(expected)
})

test('amounts have the decimals of the currency', () => {
  expect(left('1500', 'refunded', { amount: 1_499.5 }, yen)).toBe('1500 0')
  expect(left('1500', 'refunded', { amount: 1_500.5 }, yen)).toMatch('refund of 1501 exceeds the 1500 that')
  expect(left('1500', 'refunded', { amount: 1.4995 }, dinars)).toBe('1500 0')
  expect(left('1500', 'refunded', { amount: 1.5005 }, dinars)).toMatch('refund of 1.501 exceeds the 1.5 that')
})

test.each([
  ['returned', {}, 'unknown-event', 'event must be one of order.placed, order.created, order.cancelled,'],
  ['constructor', {}, 'unknown-event', 'event must be one of'],
  ['', {}, 'unknown-event', 'event must be one of'],
  ['refunded', {}, 'missing-field', 'Missing required field: amount'],
  ['amended', { amount: 1 }, 'missing-field', 'Missing required field: order_value'],
  ['cancelled', { order_id: '' }, 'bad-identity', 'order_id must be a non-empty string'],
  ['cancelled', { event_id: '' }, 'bad-identity', 'event_id must be a non-empty string'],
  ['cancelled', { event_id: 1.5 }, 'bad-identity', 'event_id must be a non-empty string'],
  ['cancelled', { event_id: '\ud800' }, 'bad-identity', 'event_id must be a non-empty string'],
  ['cancelled', { event_id: 'x'.repeat(257) }, 'bad-identity', 'event_id must be a non-empty string'],
  ['refunded', { amount: '1' }, 'bad-value', 'amount must be a number'],
  ['refunded', { amount: -0.01 }, 'bad-value', 'amount must be between 0 and 1000000000'],
  ['refunded', { amount: 1e9 + 1 }, 'bad-value', 'amount must be between 0 and 1000000000'],
  ['amended', { order_value: 5, items: {} }, 'bad-items', "Invalid structure in 'items' list"],
  ['amended', { order_value: 5, items: [] }, 'total-mismatch', 'Calculated total (0) does not match order_value (5)'],
] as const)('order.%s with %j is rejected as %s', (kind, fields, code, reason) => {
  expect(checkMessage(bodyOf(kind, fields), plainFormat)).toEqual({ code, reason: expect.stringContaining(reason) })
})

test.each([['shipped'], ['Order.cancelled'], [7], [null], [['order.cancelled']], ['order.placed'], ['order.created']])(
  'a message with event %j is an order',
  (event) => {
    const body = JSON.stringify({ event, user_id: 'ann', order_id: 'o1', order_value: 5, event_id: '' })
    expect(checkMessage(body, plainFormat)).toEqual({ userId: 'ann', orderId: 'o1', minor: 500, value: 5 })
  },
)

test('an event is named by its event_id, and by its body where that is absent', () => {
  const nameOf = (body: string): string => eventName(correctionIdentityOf(correctionIn(body), plainFormat))
  const names = [
    bodyOf('cancelled', { event_id: '7' }),
    bodyOf('cancelled', { event_id: 'body 7' }),
    bodyOf('cancelled', { event_id: null }),
    bodyOf('cancelled', { event_id: undefined }),
    `${bodyOf('cancelled', { event_id: undefined })} `,
    bodyOf('cancelled', { user_id: 'ann1', order_id: 'o', event_id: '7' }),
    bodyOf('cancelled', { order_id: 'o1i', event_id: 'd 7' }),
    `{"event":"order.cancelled","user_id":"ann","order_id":"o1","event_id":${'9'.repeat(30)}}`,
    `{"event":"order.cancelled","user_id":"ann","order_id":"o1","event_id":${'9'.repeat(29)}8}`,
  ].map(nameOf)
  expect(new Set(names).size).toBe(names.length)
  expect(nameOf(bodyOf('cancelled', { event_id: 7, note: 'another body' }))).toBe(names[0])
  expect(sentEventId(correctionIn(bodyOf('cancelled', { event_id: 'body 7' })))).toBe('body 7')
  expect(sentEventId(correctionIn(bodyOf('cancelled', { event_id: null })))).toBeUndefined()
})

test('an event is the same one by its kind, money and items, whatever else differs', () => {
  const printOf = (kind: CorrectionKind, fields: object): string =>
    correctionIdentityOf(correctionIn(bodyOf(kind, fields)), plainFormat).fingerprint
  const items = [{ product_id: 'P', quantity: 1, price_per_unit: 5 }]
  const prints = [
    printOf('refunded', { amount: 5 }),
    printOf('refunded', { amount: 5.01 }),
    printOf('amended', { order_value: 5 }),
    printOf('amended', { order_value: 5, items }),
    printOf('cancelled', {}),
  ]
  expect(new Set(prints).size).toBe(prints.length)
  expect(printOf('refunded', { amount: 5.001, order_timestamp: '2026-11-30', reason: 'x' })).toBe(prints[0])
  expect(printOf('amended', { order_value: 5, items: null })).toBe(prints[2])
})
