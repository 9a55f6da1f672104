import fc from 'fast-check'
import { expect, test } from 'vitest'
import { money, ordersText, receivedText } from '../../../../src/ops/terminal/numbers.ts'

test('a number of orders: one is an order', () => {
  expect([0, 1, 2, 1_000, 1n, null].map((count) => ordersText(count, '?'))).toEqual([
    '0 orders',
    '1 order',
    '2 orders',
    '1,000 orders',
    '1 order',
    '? orders',
  ])
})

test('orders that were replayed are not among the new ones', () => {
  expect(
    (
      [
        [70, 0],
        [70, 10],
        [1_070, 1_000],
        [70, null],
        [null, 10],
      ] as const
    ).map(([received, replayed]) => receivedText(received, replayed, '?')),
  ).toEqual([
    'received 70',
    'received 70 (60 new, 10 replayed)',
    'received 1,070 (70 new, 1,000 replayed)',
    'received 70',
    'received ?',
  ])
})

test('an amount has two decimals', () => {
  expect([0, 5, 50, 15_075, -1, -123_456_789].map(money)).toEqual([
    '0.00',
    '0.05',
    '0.50',
    '150.75',
    '-0.01',
    '-1,234,567.89',
  ])
  expect(money(Number.POSITIVE_INFINITY)).toBe('Infinity')
})

test('it reads as Intl writes it', () => {
  const amount = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 45), max: 2 ** 45 }), (value) => {
      expect(money(value)).toBe(amount.format(value / 100))
    }),
  )
})
