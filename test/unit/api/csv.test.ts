import fc from 'fast-check'
import { expect, test } from 'vitest'
import { csvText } from '../../../src/api/csv.ts'
import { rawJson } from '../../../src/order/raw-json.ts'
import { csvRows } from '../../support/csv.ts'

const line = (...row: unknown[]): string => csvText({ columns: [], rows: [row] }).slice('\r\n'.length, -'\r\n'.length)

test('whatever is in a cell, a reader of RFC 4180 finds the cells again', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom('"', ',', '\r', '\n', 'a') }))
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text), { maxLength: 5 }), (cells) => {
      const rows = cells.map((row) => row.map((cell) => `a${cell}`)) // none looks like a formula
      expect(csvRows(csvText({ columns: ['x', 'y'], rows }))).toEqual([['x', 'y'], ...rows])
    }),
  )
})

test.each([
  '=1+1',
  '+1',
  '-1',
  '@SUM(A1)',
  '=cmd|" /C calc"!A0',
  '\t=1',
  '\r\n=1',
  ' =1',
  '\u00a0=1',
  '\u0000=1',
  '\ufeff=1',
  '\u200b=1',
  '＝1',
  '＋1',
  '－1',
  '＠x',
])('the text %j is no formula in a spreadsheet', (text) => {
  expect(csvRows(line(text))).toEqual([[`'${text}`]])
})

test('numbers stay numbers, negative and exact ones too; what is absent is empty', () => {
  expect(line(-5.5, rawJson('-90071992547409.91'), 0, null, undefined, 'a-b=c', '')).toBe(
    '-5.5,-90071992547409.91,0,,,a-b=c,',
  )
})
