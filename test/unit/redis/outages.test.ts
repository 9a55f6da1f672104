import { expect, onTestFinished, test, vi } from 'vitest'
import { outagesOf } from '../../../src/redis/outages.ts'
import { openTelemetry } from '../../../src/telemetry.ts'

test('an outage is reported once for all connections, then every 10 seconds, and once when all are back', () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const telemetry = openTelemetry()
  const reported: unknown[] = []
  telemetry.listen((event, fields) => void reported.push([event, fields]))
  const outages = outagesOf(telemetry)
  const address = 'redis://redis:6379'
  const [one, other, closed] = [{}, {}, {}]
  outages.gone(one, address, 'connection closed')
  for (const connection of [other, closed, one]) outages.gone(connection, address, 'ECONNREFUSED')
  vi.advanceTimersByTime(25_000)
  outages.forget(closed)
  outages.back(one)
  expect(outagesOf(telemetry).current()?.forMs()).toBe(25_000)
  vi.advanceTimersByTime(5_000)
  outages.back(other)
  expect(outages.current()).toBeUndefined()
  vi.advanceTimersByTime(60_000)
  outages.gone(one, address, 'again')
  outages.forget(one)
  vi.advanceTimersByTime(60_000)
  expect(reported).toEqual([
    ['redisAway', { address, error: 'connection closed' }],
    ['redisStillAway', { address, seconds: 10 }],
    ['redisStillAway', { address, seconds: 20 }],
    ['redisStillAway', { address, seconds: 30 }],
    ['redisBack', { address, seconds: 30 }],
    ['redisAway', { address, error: 'again' }],
  ])
})
