import { expect, test } from 'vitest'
import type { Outage } from '../../../src/ingest/failure-log.ts'
import { poll } from '../../../src/ingest/poll.ts'
import type { Sqs } from '../../../src/ingest/sqs/types.ts'
import { until } from '../../support/until.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

const outage: Outage = { failed: () => {}, worked: () => {}, left: () => {}, pause: async () => {} }

/** Stops a poller that waits before its second receive. @returns how long the stop takes */
async function stopMs(app: Parameters<typeof poll>[0]): Promise<number> {
  const stop = new AbortController()
  const waits = Promise.withResolvers<void>()
  let passed = 0
  const pass = async (): Promise<void> => {
    if (passed++ === 0) return
    waits.resolve()
    await new Promise((_, reject) => stop.signal.addEventListener('abort', () => reject(stop.signal.reason)))
  }
  const sqs: Sqs = { send: async () => ({}) as never, destroy: () => {} }
  const polling = poll(
    app,
    { sqs, url: 'http://sqs.example/1/orders' },
    {
      deletions: { room: async () => {} } as never,
      writer: { ready: async () => {} } as never,
      gate: { pass },
      receiving: outage,
      waiting: outage,
      wakeups: { received: () => false, explain: () => true },
      tick: () => {},
      signal: stop.signal,
    },
  )
  await waits.promise
  const from = performance.now()
  stop.abort()
  await polling.catch(() => {}) // with the error of what the stop has ended
  return performance.now() - from
}

test('a stop of a poller that has no receive under way does not wait for one', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  // The machine may be slow once, but not every time. A receive would be waited for 300 ms.
  const isQuick = (ms: number): boolean => ms < 300
  expect(await until('a quick stop', () => stopMs(app), isQuick, 10_000)).toBeLessThan(300)
})
