import { expect, onTestFinished, test, vi } from 'vitest'
import type { App } from '../../../../src/app.ts'
import { endingEvents } from '../../../../src/ops/ending.ts'
import { supervise } from '../../../../src/ops/process/supervise.ts'
import { outagesOf } from '../../../../src/redis/outages.ts'
import { openTelemetry } from '../../../../src/telemetry.ts'

const address = 'redis://redis:6379'

/** Supervises one loop that has made no progress for a minute. Returns how the process reports its end. */
async function endOf(run: () => Promise<void>, awayForMs?: number): Promise<unknown> {
  vi.useFakeTimers({ toFake: ['performance', 'Date'], now: Date.UTC(2026, 10, 29) })
  onTestFinished(() => void vi.useRealTimers())
  const telemetry = openTelemetry()
  const app = { telemetry, pulse: new Map() } as unknown as App
  if (awayForMs !== undefined) {
    outagesOf(telemetry).gone({}, address, 'connection closed')
    vi.advanceTimersByTime(awayForMs)
  }
  const supervised = supervise(app, [{ name: 'manifest', run }], new AbortController().signal)
  app.pulse.set('manifest', performance.now() - 61_000)
  return supervised.then(
    () => 'ended',
    (error: unknown) => endingEvents(error, 1),
  )
}

const waits = (): Promise<void> => new Promise(() => {})

test('a loop that is stuck while Redis is away ends the process with Redis as the cause', async () => {
  const since = new Date(Date.UTC(2026, 10, 29)).toISOString()
  const error = `Redis at ${address} has not answered since ${since}: start it, or check the network to it.`
  expect(await endOf(waits, 45_000)).toEqual([{ code: 'ORD_REDIS_UNREACHABLE', error, address, since, exitCode: 1 }])
})

test('a loop that is stuck for another reason ends the process with its name and its last failure', async () => {
  const stuck = { code: 'ORD_STUCK', loop: 'manifest', exitCode: 1 }
  const sentence = 'The loop manifest has made no progress for a minute.'
  expect(await endOf(waits, 5_000)).toEqual([
    { ...stuck, error: `${sentence} It waits for something that does not come.` },
  ])
  const fails = async (): Promise<void> => {
    throw new Error('global:stats cannot be used: WRONGTYPE')
  }
  expect(await endOf(fails)).toEqual([
    { ...stuck, error: `${sentence} It failed last with: global:stats cannot be used: WRONGTYPE.` },
  ])
})

test('an error of several lines is an event each, a bug is one with its stack', () => {
  const bug = new Error('no such thing')
  const [event, ...rest] = endingEvents(bug, 1)
  expect(rest).toEqual([])
  expect(event?.error).toMatch(/^This is a bug in orders: Error: no such thing\n.* at /)
})
