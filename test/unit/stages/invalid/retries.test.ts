import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { retryOf, retryText } from '../../../../src/stages/invalid/retries.ts'

const policy = readConfig({ RETRY_DELAYS: '10s,1m' })
const rejected = { id: '1764000000000-3', code: 'unknown-order' }

test('an order is retried so long after its last rejection, by how often it was rejected, and then given up', () => {
  expect(retryOf(rejected, policy)).toEqual({ next: '2025-11-24T16:00:10.000Z' })
  expect(retryOf({ ...rejected, attempts: 1 }, policy)).toEqual({ next: '2025-11-24T16:00:10.000Z' })
  expect(retryOf({ ...rejected, attempts: 2 }, policy)).toEqual({ next: '2025-11-24T16:01:00.000Z' })
  expect(retryOf({ ...rejected, attempts: 3 }, policy)).toEqual({ given_up: true })
  expect(retryOf({ ...rejected, attempts: 9 }, policy)).toEqual({ given_up: true })
})

test('an order with another code, and one that a later stage rejected, is never retried by itself', () => {
  expect(retryOf({ ...rejected, code: 'conflict' }, policy)).toBeUndefined()
  expect(retryOf({ ...rejected, stage: 'aggregate' }, policy)).toBeUndefined()
  expect(retryOf(rejected, readConfig({ RETRY_CODES: 'off' }))).toBeUndefined()
  expect(retryOf(rejected, readConfig({ RETRY_CODES: 'conflict, internal-error' }))).toBeUndefined()
})

test('people read when it is retried, or that it is given up', () => {
  const now = new Date('2026-11-30T10:00:00Z')
  expect(retryText({ next: '2026-11-30T10:00:10.000Z' }, now)).toBe(
    'It is retried by itself at 2026-11-30T10:00:10.000Z.',
  )
  expect(retryText({ next: '2026-11-30T09:59:59.000Z' }, now)).toBe('It is retried by itself now.')
  expect(retryText({ given_up: true }, now)).toMatch('replay it by hand')
})

test('delays are a list of durations, and codes are those of rejections', () => {
  expect(readConfig({})).toMatchObject({
    retryCodes: ['unknown-order'],
    retryDelays: [10_000, 60_000, 600_000, 3_600_000, 21_600_000],
  })
  expect(readConfig({ RETRY_DELAYS: '500ms, 2d' }).retryDelays).toEqual([500, 172_800_000])
  for (const given of ['10', '0s', '31d', '1s,', 'off', Array(21).fill('1s').join()])
    expect(() => readConfig({ RETRY_DELAYS: given })).toThrow('RETRY_DELAYS')
  expect(() => readConfig({ RETRY_CODES: 'unknown' })).toThrow('RETRY_CODES')
})
