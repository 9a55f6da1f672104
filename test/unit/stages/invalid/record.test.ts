import { expect, test } from 'vitest'
import { invalidRecord } from '../../../../src/stages/invalid/record.ts'

const now = new Date('2026-11-23T10:00:00.000Z')
const recordOf = (text: string): Record<string, unknown> =>
  JSON.parse(`{${invalidRecord({ text }, { code: 'bad-value', reason: 'x' }, { now })}`)

/** An object whose brackets nest so deep. */
const nested = (depth: number): string => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`

test('an order is kept as JSON to a depth of 100, and as text beyond', () => {
  expect(recordOf(nested(100))).toMatchObject({ order: { a: expect.any(Array) } })
  expect(recordOf(nested(101))).toMatchObject({ order: null, raw: nested(101) })
})

test('brackets within strings do not count, however the strings are written', () => {
  for (const inner of ['['.repeat(200), `\\"${'{'.repeat(200)}`, `x\\\\","b":[1],"c":"${'['.repeat(200)}`]) {
    const text = `{"a":"${inner}"}`
    expect(recordOf(text)).toMatchObject({ order: JSON.parse(text) })
  }
})

test('brackets that are closed do not count', () => {
  const text = `{"a":[${Array(200).fill('{}')}]}`
  expect(recordOf(text)).toMatchObject({ order: JSON.parse(text) })
})
