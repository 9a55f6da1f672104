import fc from 'fast-check'
import { expect, test } from 'vitest'
import { amountText, ordersText, receivedText } from '../../../../src/ops/terminal/numbers.ts'

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

test('orders that were replayed are not among the new ones; where orders were corrected, records are counted, and none is called new', () => {
  expect(
    (
      [
        [70, 0, 0],
        [70, 10, 0],
        [1_070, 1_000, null],
        [70, null, 0],
        [null, 10, 0],
        [882, 1, 347],
        [882, 0, 347],
      ] as const
    ).map(([received, replayed, corrected]) => receivedText({ received, replayed, corrected }, '?')),
  ).toEqual([
    'received 70',
    'received 70 (60 new, 10 replayed)',
    'received 1,070 (70 new, 1,000 replayed)',
    'received 70',
    'received ?',
    'received 882 records (1 replayed)',
    'received 882 records',
  ])
})

/** Reads with so many decimals. */
const money = (minor: number, decimals = 2): string => amountText(minor, { decimals })

test('an amount has two decimals', () => {
  expect([0, 5, 50, 15_075, -1, -123_456_789].map((minor) => money(minor))).toEqual([
    '0.00',
    '0.05',
    '0.50',
    '150.75',
    '-0.01',
    '-1,234,567.89',
  ])
  expect(money(Number.POSITIVE_INFINITY)).toBe('Infinity')
})

test('it has the decimals of its currency', () => {
  expect([0, 5, 1_234_567, -1_000].map((minor) => money(minor, 0))).toEqual(['0', '5', '1,234,567', '-1,000'])
  expect([0, 5, 1_234_567, -1_000].map((minor) => money(minor, 3))).toEqual(['0.000', '0.005', '1,234.567', '-1.000'])
})

test.each([0, 2, 3, 4])('with %d decimals it reads as Intl writes it', (decimals) => {
  const amount = new Intl.NumberFormat('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 45), max: 2 ** 45 }), (value) => {
      expect(money(value, decimals)).toBe(amount.format(value / 10 ** decimals))
    }),
  )
})
