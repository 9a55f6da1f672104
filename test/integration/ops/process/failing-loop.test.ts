import { getEventListeners } from 'node:events'
import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { openBridge } from '../../../../src/ingest/bridge.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { openQueue } from '../../../../src/ingest/sqs/queue.ts'
import { jobLoops } from '../../../../src/ops/jobs/workers.ts'
import { assignPartitions } from '../../../../src/ops/process/assignment.ts'
import { supervise } from '../../../../src/ops/process/supervise.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { aggregate, validate } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis, emptySqs, envOf } from '../../../support/world.ts'

/** Connections to this test's database. */
async function clients(redis: Redis): Promise<number> {
  const { db = 0 } = redis.options
  const all = String(await redis.client('LIST'))
  return all.split('\n').filter((line) => line.includes(` db=${db} `)).length
}

const failures = 50

test('a stage that fails again and again leaves no connection and no listener behind', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis, readConfig({ BLOCK_MS: '20', CLAIM_IDLE_MS: '1' }))
  await ensureGroups(app)
  await enqueue(redis, app.keys, [{ id: 'm', body: JSON.stringify({ user_id: 'u', order_id: '1', order_value: 1 }) }])
  const admitting = new AbortController()
  const admitted = runStage(app, validate, () => {}, admitting.signal)
  await until('the order to be admitted', () => redis.xlen('orders:valid'))
  admitting.abort()
  await admitted
  await redis.set('global:stats', 'of another type')
  const { signal } = new AbortController()
  const before = await clients(redis)
  for (let i = 0; i < failures; i++) {
    await expect(runStage(app, aggregate, () => {}, signal)).rejects.toThrow('global:stats')
  }
  await until(
    'the connections to be closed',
    () => clients(redis),
    (count) => count <= before,
  )
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('the deletion queue, jobs and leases that fail again and again leave no connection and no listener behind', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const { redis } = world
  const app = appOn(redis, readConfig({ ...envOf(world.url, sqs), SQS_VISIBILITY_TIMEOUT_SECONDS: '5' }))
  app.redis.options.maxRetriesPerRequest = null // as BullMQ wants it
  using queue = await openQueue(app.config)
  using bridge = await openBridge(app, queue, async () => 0)
  await using share = assignPartitions(app, aggregate)
  const { signal } = new AbortController()
  const before = await clients(redis)
  const broken = (): never => {
    throw new Error('broken')
  }
  const loops = [...jobLoops(app), { name: 'bridge-delete', run: bridge.delete }, share.leasing]
  for (let i = 0; i < 4; i++) {
    // Each loop calls this at least once a second, and fails by it.
    await Promise.all(loops.map(({ run }) => expect(run(broken, signal)).rejects.toThrow('broken')))
  }
  await until(
    'the connections to be closed',
    () => clients(redis),
    (count) => count <= before,
  )
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('a loop that fails again and again gives no sign of life, which /livez goes by', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  const stop = new AbortController()
  let tries = 0
  const run = async (): Promise<void> => {
    tries++
    throw new Error('broken')
  }
  const supervised = supervise(app, [{ name: 'broken', run }], stop.signal)
  const begun = await until('its first try', () => app.pulse.get('broken'))
  await until('some more tries', () => tries >= 4)
  expect(app.pulse.get('broken')).toBe(begun)
  stop.abort()
  await supervised
})
