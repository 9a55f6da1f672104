import { expect, test } from 'vitest'
import { currencyOf } from '../../../src/order/currency.ts'

test.each([
  ['JPY', 0],
  ['KRW', 0],
  ['UYI', 0],
  ['USD', 2],
  ['EUR', 2],
  ['XCG', 2],
  ['HUF', 2], // 0 by Intl
  ['PKR', 2], // 0 by Intl
  ['MGA', 2], // counted in fifths
  ['MRU', 2],
  ['KWD', 3],
  ['IQD', 3], // 0 by Intl
  ['CLF', 4],
  ['UYW', 4],
])('%s has %d decimals', (code, decimals) => {
  expect(currencyOf(code)).toEqual({ code, decimals })
})

test.each(['XAU', 'XXX', 'XTS', 'XDR', 'DEM', 'usd', 'US', 'default', '__proto__', ''])(
  '"%s" is no currency with minor units',
  (code) => {
    expect(currencyOf(code)).toBeUndefined()
  },
)
