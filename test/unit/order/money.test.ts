import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { currencyOf } from '../../../src/order/currency.ts'
import { maxExactMinor, moneyOf, wholeNumberOf } from '../../../src/order/money.ts'

const { toMinor, toAmount, minorIn, minorText } = moneyOf()

describe('toMinor', () => {
  test.each([
    [0, 0],
    [-0, 0],
    [1, 100],
    [150.75, 15_075],
    [0.1, 10],
    [0.29, 29],
    [1.15, 115],
    [4.35, 435],
    [1.005, 101],
    [1.0049999, 100],
    [0.285, 29],
    [2.675, 268],
    [8.345, 835],
    [10.235, 1_024],
    [0.005, 1],
    [0.0049999999, 0],
    [0.995, 100],
    [0.994999, 99],
    [9.999, 1_000],
    [1e-7, 0],
    [5e-324, 0],
    [1e-6, 0],
    [999_999_999.995, 100_000_000_000],
    [999_999_999.99, 99_999_999_999],
    [1e9, 100_000_000_000],
  ])('%d units are %d cents', (value, minor) => {
    expect(toMinor(value)).toBe(minor)
  })
})

describe('minorText', () => {
  test.each([
    [0, '0'],
    [1, '0.01'],
    [10, '0.1'],
    [100, '1'],
    [101, '1.01'],
    [1_000, '10'],
    [1_010, '10.1'],
    [10_000, '100'],
    [15_000, '150'],
    [15_075, '150.75'],
    [100_000_000_000, '1000000000'],
    [maxExactMinor, '90071992547409.91'],
  ])('%d cents are %s', (minor, text) => {
    expect(minorText(minor)).toBe(text)
  })
})

describe('toAmount', () => {
  test('is the number itself where a double distinguishes one cent from the next', () => {
    expect([0, 1, 10, 15_000, 15_075, 100_000_000_000].map(toAmount)).toEqual([0, 0.01, 0.1, 150, 150.75, 1e9])
  })

  test.each([
    [9_007_199_254_740_991, '90071992547409.91'],
    [9_007_199_254_740_990, '90071992547409.9'],
    [9_007_199_254_740_992, '90071992547409.92'],
    [9_007_199_254_740_900, '90071992547409'],
    [7_036_874_417_766_401, '70368744177664.01'],
  ])('%d cents are written as %s', (minor, json) => {
    expect(JSON.stringify({ total: toAmount(minor) })).toBe(`{"total":${json}}`)
  })

  test('and toMinor are each other undone, up to the greatest order', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000_000_000 }), (minor) => {
        assert.equal(toMinor(toAmount(minor)), minor)
      }),
    )
  })
})

test('a negative sum, which only another program can have written, is shown as it is', () => {
  expect([-5, -50, -1_234].map(toAmount)).toEqual([-0.05, -0.5, -12.34])
})

test('100,000 orders of 0.1 are 10,000, not 9999.99999999999871', () => {
  let minor = 0
  for (let i = 0; i < 100_000; i++) minor += toMinor(0.1)
  expect(JSON.stringify(toAmount(minor))).toBe('10000')
})

describe('minorIn', () => {
  test.each([
    ['0', 0n],
    ['-0', 0n],
    ['150.75', 15_075n],
    ['9999.99999999999871', 1_000_000n],
    ['100000.00499999999999954', 10_000_001n], // a float that was 100000.005
    ['1.0049999', 100n],
    ['0.00000000000000001', 0n],
    ['-1.005', -101n],
    ['+3', 300n],
    ['70368744177664.01', 7_036_874_417_766_401n],
    ['1.0000013349200001e+9', 100_000_133_492n],
    ['-1.005e+1', -1_005n],
    ['9.999999999999999e+20', 99_999_999_999_999_990_000_000n],
    ['1e-07', 0n],
    ['123456789012345678901234567890.125', 12_345_678_901_234_567_890_123_456_789_013n],
  ])('%s is %d cents', (text, minor) => {
    expect(minorIn(text)).toBe(minor)
  })

  test.each([
    '',
    ' ',
    'inf',
    '-inf',
    'nan',
    'NaN',
    '1e+21',
    '1e+400',
    '1e',
    '1_000',
    '1,5',
    '.5',
    '5.',
    '0x10',
    '١',
    '12 ',
  ])('"%s" is no amount', (text) => {
    expect(minorIn(text)).toBeUndefined()
  })

  test('takes what a sum of floats has more or less than the cents', () => {
    const cents = fc.bigInt({ min: 0n, max: 10n ** 14n })
    const noise = fc.integer({ min: -400_000, max: 400_000 }) // 10^-10 units
    fc.assert(
      fc.property(cents, noise, fc.boolean(), (cents, noise, negative) => {
        const digits = `${cents * 10n ** 8n + BigInt(cents === 0n ? Math.abs(noise) : noise)}`.padStart(11, '0')
        const text = `${negative ? '-' : ''}${digits.slice(0, -10)}.${digits.slice(-10)}`
        expect(minorIn(text)).toBe(negative ? -cents : cents)
      }),
    )
  })
})

test.each([
  ['7', 7],
  ['7.99', 7],
  ['-7.5', -8],
  [null, 0],
  ['abc', 0],
  ['nan', 0],
  ['1e300', maxExactMinor],
  [Number.NEGATIVE_INFINITY, -maxExactMinor],
])('%s is shown as the integer %d', (value, integer) => {
  expect(wholeNumberOf(value)).toBe(integer)
})

describe('in yen, which have no decimals', () => {
  const yen = moneyOf(currencyOf('JPY'))

  test.each([
    [0, 0],
    [1, 1],
    [0.4999999999, 0],
    [0.5, 1],
    [1.5, 2],
    [2.5, 3],
    [1_500, 1_500],
    [999_999_999.5, 1_000_000_000],
  ])('%d is %d', (value, minor) => {
    expect(yen.toMinor(value)).toBe(minor)
  })

  test('are written and read without a point', () => {
    expect([0, 10, 1_500, -20].map(yen.minorText)).toEqual(['0', '10', '1500', '-20'])
    expect(JSON.stringify([0, 10, 1_500, maxExactMinor].map(yen.toAmount))).toBe('[0,10,1500,9007199254740991]')
    expect(['1500', '1500.0000000001', '1499.5', '-0.5', '1e+3'].map(yen.minorIn)).toEqual([
      1_500n,
      1_500n,
      1_500n,
      -1n,
      1_000n,
    ])
  })

  test('a price is rounded to whole yen', () => {
    expect([1.005, 0.5, 1e300].map(yen.round)).toEqual([1, 1, 1e300])
  })
})

describe('in Kuwaiti dinars, which have three decimals', () => {
  const dinars = moneyOf(currencyOf('KWD'))

  test.each([
    [1.234, 1_234],
    [0.1, 100],
    [1.0005, 1_001],
    [0.0004999999, 0],
    [999_999_999.9995, 1_000_000_000_000],
    [1e9, 1_000_000_000_000],
  ])('%d is %d fils', (value, minor) => {
    expect(dinars.toMinor(value)).toBe(minor)
  })

  test('are written and read with up to three decimals', () => {
    expect([1, 10, 1_000, 1_230, -1_234].map(dinars.minorText)).toEqual(['0.001', '0.01', '1', '1.23', '-1.234'])
    expect(JSON.stringify(dinars.toAmount(maxExactMinor))).toBe('9007199254740.991')
    expect(['1.2345', '9999.99999999999871', '1e-07'].map(dinars.minorIn)).toEqual([1_235n, 10_000_000n, 0n])
  })
})
