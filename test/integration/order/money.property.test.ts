import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { maxExactMinor, moneyOf } from '../../../src/order/money.ts'

/* Many random amounts; money.test.ts has the examples. */
const seed = process.env['SEED']
const parameters = { ...(seed !== undefined && { seed: Number(seed) }), numRuns: 5_000 }

/** Every number of decimals of ISO 4217; JPY, USD, KWD and CLF have them. */
describe.each([0, 2, 3, 4])('with %d decimals', (decimals) => {
  const { toMinor, toAmount, minorText, minorIn, round } = moneyOf({ code: 'XTS', decimals })

  test('the total of any orders is exact, in whatever order they come', () => {
    const value = fc.oneof(
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.nat(100_000).map((parts) => parts / 10 ** (decimals + 1)),
      fc.nat(1_000_000_000).map((parts) => parts / 10 ** decimals),
      fc.constantFrom(0.1, 0.5, 1.005, 0.005, 1.00005, 999_999_999.5, 999_999_999.995, 999_999_999.9995, 1e9, 5e-324),
    )
    const property = fc.property(fc.array(value, { maxLength: 60 }), (values) => {
      const exact = values.reduce((sum, value) => sum + minorOf(value, decimals), 0n)
      for (const order of [values, values.toReversed(), values.toSorted((a, b) => a - b)]) {
        const total = order.reduce((sum, value) => sum + toMinor(value), 0)
        assert.equal(minorOfText(JSON.stringify(toAmount(total)), decimals), exact)
      }
    })
    fc.assert(property, parameters)
  })

  test('a value of any digits is rounded half up on them', () => {
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789', '4', '5', '9'), minLength: 1, maxLength: 6 })
    const property = fc.property(fc.integer({ min: 0, max: 999_999_999 }), digits, (whole, fraction) => {
      const below = BigInt(whole + fraction.slice(0, decimals).padEnd(decimals, '0'))
      const minor = below + (Number(fraction[decimals] ?? 0) >= 5 ? 1n : 0n)
      assert.equal(toMinor(Number(`${whole}.${fraction}`)), Number(minor))
      assert.equal(minorIn(`${whole}.${fraction}`), minor)
    })
    fc.assert(property, parameters)
  })

  test('an amount written and read again is the same, up to 2^53 minor units', () => {
    const minor = fc.oneof(
      fc.nat(10_000),
      fc.integer({ min: 0, max: maxExactMinor }),
      fc.nat(1_000_000).map((less) => maxExactMinor - less),
      fc.tuple(fc.integer({ min: 0, max: 53 }), fc.integer({ min: -3, max: 3 })).map(([power, off]) => {
        return Math.min(Math.max(2 ** power + off, 0), 2 ** 53)
      }),
    )
    const property = fc.property(minor, (minor) => {
      const text = JSON.stringify(toAmount(minor))
      assert.equal(text, minorText(minor))
      assert.equal(minorOfText(text, decimals), BigInt(minor))
      assert.equal(minorIn(text), BigInt(minor))
      // The shortest form: what a JSON reader with doubles makes of it is the nearest there is.
      assert.match(text, /^(0|[1-9]\d*)(\.\d*[1-9])?$/)
    })
    fc.assert(property, parameters)
  })

  test('a price is rounded to the nearest double of whole minor units, and a huge one stays', () => {
    const price = fc.oneof(
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.double({ min: 0, max: Number.MAX_VALUE, noNaN: true }),
      fc
        .integer({ min: 38, max: 54 })
        .chain((power) => fc.double({ min: 2 ** power, max: 2 ** (power + 1), noNaN: true })),
    )
    const property = fc.property(price, (price) => {
      const minor = minorOf(price, decimals)
      const digits = String(minor).padStart(decimals + 1, '0')
      const point = digits.length - decimals
      assert.equal(round(price), Number(`${digits.slice(0, point)}.${digits.slice(point)}`))
      assert.equal(round(round(price)), round(price))
    })
    fc.assert(property, parameters)
  })
})

/** Minor units of a decimal text, digit by digit. */
function minorOfText(text: string, decimals: number): bigint {
  const [whole = '', fraction = ''] = text.split('.')
  assert(fraction.length <= decimals)
  return BigInt(whole + fraction.padEnd(decimals, '0'))
}

/** Half up on the shortest decimal form, in BigInt: the 400 places hold the smallest double. */
function minorOf(value: number, decimals: number): bigint {
  const [mantissa = '', exponent = '0'] = String(value).split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const scale = 10n ** 400n
  const shift = 400 - fraction.length + Number(exponent)
  const scaled = BigInt(whole + fraction) * 10n ** BigInt(shift) * 10n ** BigInt(decimals)
  return (scaled + scale / 2n) / scale
}
