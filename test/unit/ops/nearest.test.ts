import { expect, test } from 'vitest'
import { nearest } from '../../../src/ops/nearest.ts'

const names = ['start', 'status', 'tail', 'top', 'trace', 'repartition', 'replay', 'resume']

test.each([
  ['statu', 'status'],
  ['sttaus', 'status'],
  ['stats', 'status'],
  ['tial', 'tail'],
  ['repart', 'repartition'],
  ['replya', 'replay'],
  ['toop', 'top'],
])('%s is nearest to %s', (typed, name) => {
  expect(nearest(typed, names)).toBe(name)
})

test.each(['dance', 'x', '', 'invalid', 'constructor'])('"%s" is near to none', (typed) => {
  expect(nearest(typed, names)).toBeUndefined()
})
