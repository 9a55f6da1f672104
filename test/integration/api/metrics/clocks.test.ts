import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { openQueueReader } from '../../../../src/api/metrics/queue.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { examineQueue } from '../../../../src/ops/checks/checks.ts'
import { scrape } from '../../../support/exposition.ts'
import { runOrders } from '../../../support/run-orders.ts'
import { sendBodies } from '../../../support/send.ts'
import { openShiftedTime } from '../../../support/shifted-time.ts'
import { openSqsProxy } from '../../../support/sqs-proxy.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis, emptySqs, envOf } from '../../../support/world.ts'

const bodies = Array.from({ length: 10 }, (_, at) =>
  JSON.stringify({ user_id: 'u', order_id: `o-${at}`, order_value: 1 }),
)

/** A busy machine takes a while between two readings of a clock. */
const near = (seconds: number): [number, number] => [seconds - 5, seconds + 5]

test.each([
  [100, 'sdk'],
  [-100, 'thin'],
])(
  'the clock of SQS is off by %s s (%s): metrics and doctor say so, and orders that came early are counted',
  async (seconds, SQS_TRANSPORT) => {
    await using world = await emptyRedis()
    await using sqs = await emptySqs()
    await using proxy = await openSqsProxy(sqs.url)
    proxy.shift(seconds)
    const env = envOf(world.url, { ...sqs, url: proxy.url }, { SQS_TRANSPORT, SQS_DELETE_AFTER: 'write' })
    await using orders = runOrders(['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'api'], env)
    const url = await orders.apiUrl()
    await sendBodies(env, bodies)
    const { sum } = await until(
      'all to have come',
      () => scrape(url),
      ({ sum }) =>
        sum('orders_hop_wait_seconds_count', { hop: 'leaderboard' }) === 10 &&
        sum('orders_clock_offset_seconds', { of: 'sqs' }) !== undefined,
    )
    const between = (value: number | undefined, [from, to]: [number, number]): void => {
      expect(value).toBeGreaterThan(from)
      expect(value).toBeLessThan(to)
    }
    between(sum('orders_clock_offset_seconds', { of: 'sqs' }), near(seconds))
    between(sum('orders_clock_offset_seconds', { of: 'redis' }), near(0))
    expect(sum('orders_clock_skewed_total', { hop: 'bridge' })).toBe(seconds > 0 ? 10 : 0)
    expect(sum('orders_clock_skewed_total', { hop: 'validate' })).toBe(0)
    expect(sum('orders_critical_time_seconds_bucket', { le: '90' })).toBe(seconds > 0 ? 10 : 0)
    const found = expect.stringMatching(
      seconds > 0 ? /^SQS' is \d+\.\d s ahead of ours$/ : /^SQS' is \d+\.\d s behind ours$/,
    )
    expect(await examineQueue(readConfig({ ...env }))).toContainEqual(
      expect.objectContaining({ check: 'clock of SQS', level: 'warning', found }),
    )
  },
)

test.each([100, -100])("Redis' clock is off by %s s: so says the metric of a bridge", async (seconds) => {
  await using world = await emptyRedis()
  await using shifted = await openShiftedTime(Number(new URL(world.url).port))
  shifted.shift(seconds)
  const redis = new Redis(shifted.port)
  await using sqs = await emptySqs()
  const app = appOn(redis, readConfig({ ...envOf(world.url, sqs) }))
  const read = openQueueReader(app, { patienceMs: 60_000 })
  app.telemetry.emit('started', { roles: ['bridge'] })
  const { clocks } = (await read()) ?? {}
  expect(Math.abs((clocks?.redis?.ms ?? 0) / 1_000 - seconds)).toBeLessThan(5)
  expect(Math.abs((clocks?.sqs?.ms ?? Number.NaN) / 1_000)).toBeLessThan(5)
  redis.disconnect()
})
