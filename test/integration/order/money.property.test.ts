import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { maxExactMinor, toAmount, toMinor } from '../../../src/order/money.ts'

/* Many random amounts; money.test.ts has the examples. */
const seed = process.env['SEED']
const parameters = { ...(seed !== undefined && { seed: Number(seed) }), numRuns: 5_000 }

test('the total of any orders is the total of their cents, to the cent, in whatever order they come', () => {
  const value = fc.oneof(
    fc.double({ min: 0, max: 1e9, noNaN: true }),
    fc.nat(100_000).map((mills) => mills / 1000),
    fc.constantFrom(0.1, 1.005, 0.005, 999_999_999.995, 1e9, 5e-324),
  )
  const property = fc.property(fc.array(value, { maxLength: 60 }), (values) => {
    const exact = values.reduce((sum, value) => sum + centsOf(value), 0n)
    for (const order of [values, values.toReversed(), values.toSorted((a, b) => a - b)]) {
      const total = order.reduce((sum, value) => sum + toMinor(value), 0)
      assert.equal(centsOfText(JSON.stringify(toAmount(total))), exact)
    }
  })
  fc.assert(property, parameters)
})

test('a value of any digits is rounded half up on them', () => {
  const digits = fc.string({ unit: fc.constantFrom(...'0123456789', '4', '5', '9'), minLength: 1, maxLength: 6 })
  const property = fc.property(fc.integer({ min: 0, max: 999_999_999 }), digits, (whole, fraction) => {
    const cents = BigInt(whole) * 100n + BigInt(fraction.slice(0, 2).padEnd(2, '0'))
    const up = fraction.length > 2 && Number(fraction[2]) >= 5 ? 1n : 0n
    assert.equal(toMinor(Number(`${whole}.${fraction}`)), Number(cents + up))
  })
  fc.assert(property, parameters)
})

test('an amount written and read again is the same cents, up to 2^53 of them', () => {
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
    assert.equal(centsOfText(text), BigInt(minor))
    // The shortest form: what a JSON reader with doubles makes of it is the nearest there is.
    assert.match(text, /^(0|[1-9]\d*)(\.\d?[1-9])?$/)
  })
  fc.assert(property, parameters)
})

/** Cents of a decimal text of at most two places, digit by digit. */
function centsOfText(text: string): bigint {
  const [whole = '', fraction = ''] = text.split('.')
  assert(fraction.length <= 2)
  return BigInt(whole + fraction.padEnd(2, '0'))
}

/** Half up on the shortest decimal form, in BigInt: the 400 places hold the smallest double. */
function centsOf(value: number): bigint {
  const [mantissa = '', exponent = '0'] = String(value).split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const scale = 10n ** 400n
  const shift = 400 - fraction.length + Number(exponent)
  const scaled = BigInt(whole + fraction) * 10n ** BigInt(shift) * 100n
  return (scaled + scale / 2n) / scale
}
