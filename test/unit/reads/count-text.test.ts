import fc from 'fast-check'
import { expect, test } from 'vitest'
import { countText } from '../../../src/reads/count-text.ts'

test('a count has a comma at each thousand', () => {
  expect([0, 7, 999, 1_000, 1_234_567, -12_345, 1_234.5, 12n ** 20n].map(countText)).toEqual([
    '0',
    '7',
    '999',
    '1,000',
    '1,234,567',
    '-12,345',
    '1,234.5',
    (12n ** 20n).toLocaleString('en'),
  ])
})

test('it reads as Intl writes it', () => {
  const count = new Intl.NumberFormat('en')
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 45), max: 2 ** 45 }), (value) => {
      expect(countText(value)).toBe(count.format(value))
    }),
  )
})
