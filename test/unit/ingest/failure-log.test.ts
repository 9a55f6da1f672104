import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Outage, reportOutage } from '../../../src/ingest/failure-log.ts'
import { openTelemetry } from '../../../src/telemetry.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const [one, other] = [{}, {}]

function open(): { outage: Outage; said: string[] } {
  const telemetry = openTelemetry(pino({ level: 'silent' }))
  const said: string[] = []
  telemetry.listen((event) => void said.push(event))
  return { outage: reportOutage({ telemetry }, 'receive'), said }
}

test('one that works does not end the outage of another that fails', () => {
  const { outage, said } = open()
  outage.failed(new Error('no'), one)
  for (let second = 0; second < 10; second++) {
    outage.worked(other)
    vi.advanceTimersByTime(1_000)
  }
  expect(said).toEqual(['bridgeFailed'])
  outage.worked(one)
  expect(said).toEqual(['bridgeFailed'])
  vi.advanceTimersByTime(10_000)
  expect(said).toEqual(['bridgeFailed', 'bridgeBack'])
})

test('failures with successes between them are one outage', () => {
  const { outage, said } = open()
  for (let second = 0; second < 20; second++) {
    outage.failed(new Error('no'), second % 2 ? one : other)
    outage.worked(second % 2 ? one : other)
    vi.advanceTimersByTime(1_000)
  }
  expect(said).toEqual(['bridgeFailed'])
})

test('one that failed and tries no more does not keep the outage of the others', () => {
  const { outage, said } = open()
  outage.failed(new Error('no'), one)
  outage.left(one)
  vi.advanceTimersByTime(10_000)
  expect(said).toEqual(['bridgeFailed'])
  outage.worked(other)
  vi.advanceTimersByTime(10_000)
  expect(said).toEqual(['bridgeFailed', 'bridgeBack'])
})

test('only the one whose try failed waits before the next', async () => {
  const { outage } = open()
  const { signal } = new AbortController()
  outage.failed(new Error('no'), one)
  await outage.pause(other, signal)
  vi.useRealTimers()
  const pausing = outage.pause(one, signal).then(() => 'paused')
  expect(await Promise.race([pausing, sleep(50, 'still pausing')])).toBe('still pausing')
})
