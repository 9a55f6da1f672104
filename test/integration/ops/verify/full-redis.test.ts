import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { verify } from '../../../../src/ops/verify/verification.ts'
import { locateOrder } from '../../../../src/reads/locate/locate.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { spawnRedisServer } from '../../../support/redis-server.ts'
import { requireRedisServer } from '../../../support/requires.ts'
import { withCalendar as pipeline } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn } from '../../../support/world.ts'

test('on a full Redis an order is found, and the books, days and users are checked', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  using redis = Object.assign(new Redis(server.url), { [Symbol.dispose]: () => redis.disconnect() })
  const config = readConfig({ REDIS_URL: server.url, BLOCK_MS: '20', LEDGER_BUCKETS: '64' })
  const app = appOn(redis, config, { pipeline })
  const stop = new AbortController()
  const running = pipeline.stages.map((stage) => runStage(app, stage, () => {}, stop.signal))
  const body = JSON.stringify({ user_id: 'u', order_id: 'o', order_value: 1.5 })
  await enqueue(redis, app.keys, [{ id: 'm', body }])
  const done = ['ranked', 'dated']
  await until('the order to be counted', async () => (await redis.hmget(app.keys.counters, ...done)).join() === '1,1')
  stop.abort()
  await Promise.all(running)
  await redis.config('SET', 'maxmemory', '1')

  expect(await locateOrder(app, { userId: 'u', orderId: 'o' })).toMatchObject({ ranked: { done: 'yes' } })
  const checked = await verify(app, { deep: true, repair: false, force: false }, new AbortController().signal)
  expect(checked).toMatchObject({ audit: { verdict: 'right' }, calendar: { verdict: 'right' } })
})
