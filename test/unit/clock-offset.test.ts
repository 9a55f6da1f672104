import { expect, test } from 'vitest'
import { offsetByDate, offsetOf, redisOffset } from '../../src/clock-offset.ts'

test('the offset is that from the middle of the round trip, half of which it may be off', () => {
  expect(offsetOf(10_060, 10_000, 10_040)).toEqual({ ms: 40, uncertainMs: 20 })
  expect(offsetOf(9_000, 10_000, 10_000)).toEqual({ ms: -1_000, uncertainMs: 0 })
})

test('a Date header is of the middle of its second; what is no date is no offset', () => {
  const from = Date.parse('2026-11-23T10:00:00.400Z')
  expect(offsetByDate('Mon, 23 Nov 2026 10:00:00 GMT', from, from + 200)).toEqual({ ms: 0, uncertainMs: 600 })
  expect(offsetByDate('Mon, 23 Nov 2026 10:01:40 GMT', from, from + 200)).toEqual({ ms: 100_000, uncertainMs: 600 })
  expect([offsetByDate(undefined, 0, 0), offsetByDate('soon', 0, 0)]).toEqual([undefined, undefined])
})

test('of Redis it is read by its microseconds', async () => {
  const redis = { time: async () => ['1000', '250000'] }
  expect(await redisOffset(redis, () => new Date(1_000_000))).toEqual({ ms: 250, uncertainMs: 0 })
})
