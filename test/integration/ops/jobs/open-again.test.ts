import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { newJobId, openQueues, type ReplayResult } from '../../../../src/control/job-queues.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import type { RawRecord } from '../../../../src/messages.ts'
import { openAgain } from '../../../../src/ops/jobs/open-again.ts'
import { replaceEntries } from '../../../../src/ops/jobs/replace.ts'
import { replay } from '../../../../src/ops/jobs/replay.ts'
import { readCounters } from '../../../../src/reads/counters.ts'
import { readOldest } from '../../../../src/stages/invalid/oldest.ts'
import { removeEntry } from '../../../../src/stages/invalid/requeue.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { store } from '../../../support/enveloped.ts'
import { pointerTo, wrap } from '../../../support/envelopes.ts'
import { openHoldingProxy } from '../../../support/holding-proxy.ts'
import { noObjects } from '../../../support/received.ts'
import { spawnRedisServer } from '../../../support/redis-server.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { validate } from '../../../support/stages.ts'
import { here, partitions, scopeOf, there } from '../../../support/two-partitions.ts'
import { until } from '../../../support/until.ts'
import { hasWaitAof } from '../../../support/waitaof.ts'
import { appOn, emptyRedis, emptySqs, envOf } from '../../../support/world.ts'

const order = (userId: string, orderId: string): string =>
  JSON.stringify({ user_id: userId, order_id: orderId, order_value: 1.5 })

const stop = AbortSignal.timeout(100_000)

/** Runs validate of both partitions while `work` runs. */
async function judging<T>(scopes: readonly PartitionScope[], work: () => Promise<T>): Promise<T> {
  const end = new AbortController()
  const running = scopes.map((scope) => runStage(scope, validate, () => {}, end.signal))
  const result = await work()
  end.abort()
  await Promise.all(running)
  return result
}

/** Replays all invalid orders by a job. */
async function replayAll(scope: PartitionScope, dryRun: boolean): Promise<ReplayResult> {
  await using queues = openQueues(scope.redis)
  const jobId = newJobId('replay', crypto.randomUUID())
  const newest = await Promise.all(
    scope.partitions.map(({ invalid }) => scope.redis.xrevrange(invalid, '+', '-', 'COUNT', 1)),
  )
  const until = newest.flat().map(([id]) => id)[0] ?? '0-0' // what it rejects again is newer
  const job = await queues.replay.add('replay', { limit: 100, dryRun, until }, { jobId })
  return replay(scope, job, stop)
}

test('a replay opens what the bridge left closed, fetches objects, and sends each order to its partition', async () => {
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const env = { ...envOf(world.url, sqs), ENVELOPES: 'off' }
  const before = partitions.map((keys) => scopeOf(world.redis, keys))
  const [first] = before as [PartitionScope]
  for (const scope of before) await ensureGroups(scope)
  const [stored = ''] = await store(env, [order(there, 'stored')])
  const rejection = (key: string): RawRecord['rejection'] => ({ code: 'unresolved-pointer', reason: `${key} is gone` })
  const records: RawRecord[] = [
    { id: 'm1', body: wrap('gzip', order(here, 'wrapped')) },
    { id: 'm2', body: wrap('eventbridge', order(there, 'event')) },
    { id: 'm3', body: `${order(here, 'a')}\n${order(there, 'b')}\n[]` },
    { id: 'm4', body: stored, rejection: rejection('stored') },
    { id: 'm5', body: pointerTo('no-such-bucket', 'k'), rejection: rejection('k') },
    { id: 'm6', body: '{"order_id":"no user"}' },
  ]
  await enqueue(world.redis, first.keys, records)
  await judging(before, () =>
    until('all to be rejected', async () => (await world.redis.xlen(first.keys.invalid)) === 6),
  )

  const config = readConfig({ ...envOf(world.url, sqs), ORDERS_PER_BODY: 'many' })
  const now = partitions.map((keys) => appOn(world.redis, config, { ...scopeOf(world.redis, keys), config }))
  const [app] = now as [PartitionScope]
  const rejected = { 'not-an-object': 1, 'unresolved-pointer': 1, 'missing-field': 1 }
  expect(await replayAll(app, true)).toMatchObject({ sent: 0, admitted: 5, rejected })
  expect(await judging(now, () => replayAll(app, false))).toMatchObject({ sent: 8, admitted: 5, rejected })

  const left = await readOldest(world.redis, partitions, { until: '+', after: '0-0', count: 10 })
  expect(left.map(({ record }) => record.reason).sort()).toEqual([
    'Missing required field: user_id',
    'Order must be a JSON object',
    'The S3 object k of no-such-bucket is in a bucket that does not exist',
  ])
  expect(left.map(({ record }) => record.attempts)).toEqual([2, 2, 2])
  const counters = await readCounters(world.redis, partitions)
  expect(counters).toMatchObject({ received: 14, admitted: 5, rejected: 9, replayed: 6 })
})

test('a replay that was killed between both steps sends duplicates, and counts nothing twice', async () => {
  await using world = await emptyRedis()
  const scopes = partitions.map((keys) => scopeOf(world.redis, keys))
  const [first, second] = scopes as [PartitionScope, PartitionScope]
  for (const scope of scopes) await ensureGroups(scope)
  await enqueue(world.redis, first.keys, [{ id: 'm1', body: wrap('base64', order(there, 'o')), rejection: undefined }])
  const off = readConfig({ ENVELOPES: 'off' })
  const closed = scopes.map((scope) => ({ ...scope, config: off }))
  await judging(closed, () => until('a rejection', async () => (await world.redis.xlen(first.keys.invalid)) === 1))
  await enqueue(world.redis, second.keys, [{ id: 'replay x', body: order(there, 'o') }])
  const result = await judging(scopes, () => replayAll(first, false))
  expect(result).toMatchObject({ sent: 1, admitted: 0, duplicate: 1 })
  expect(await world.redis.xlen(first.keys.invalid)).toBe(0)
  expect(await readCounters(world.redis, partitions)).toMatchObject({ received: 3, admitted: 1, duplicates: 1 })
})

test('an order that was sent to another partition stays in the channel until that is durable', async (context) => {
  requireRealRedis(context)
  const server = await spawnRedisServer('--appendonly', 'yes', '--appendfsync', 'everysec')
  if (!server) throw new Error('no redis-server')
  await using stack = new AsyncDisposableStack()
  stack.use(server)
  const proxy = stack.use(await openHoldingProxy(server.port))
  const redis = new Redis(proxy.port)
  stack.defer(() => redis.disconnect())
  const [first, second] = partitions.map((keys) => scopeOf(redis, keys)) as [PartitionScope, PartitionScope]
  for (const scope of [first, second]) await ensureGroups(scope)
  await enqueue(redis, first.keys, [{ id: 'm1', body: order(there, 'o').slice(0, -1) }])
  await judging([first], () => until('a rejection', async () => (await redis.xlen(first.keys.invalid)) === 1))
  const [entry] = await readOldest(redis, partitions, { until: '+', after: '0-0', count: 1 })
  if (!entry) throw new Error('no entry')
  const records = [{ id: 'replay', body: order(there, 'o') }]
  if (await hasWaitAof(redis)) proxy.hold('waitaof\r\n$1\r\n1') // with its first argument; Redis 7.0 is given two seconds
  const replacing = replaceEntries(first, [{ entry, records }], { jobId: 'job', limit: 1 }, stop)
  await until('the record to be sent', async () => (await redis.xlen(second.keys.stream('raw'))) === 1)
  expect(await redis.xlen(first.keys.invalid)).toBe(1)
  proxy.release()
  expect(await replacing).toBe(1)
  expect(await redis.xlen(first.keys.invalid)).toBe(0)
})

test('of many orders the first has what was edited before: each would have the whole body', async () => {
  await using world = await emptyRedis()
  const scope = appOn(world.redis, readConfig({ ORDERS_PER_BODY: 'many' }))
  await ensureGroups(scope)
  const edits = [{ by: 'ann', ts: '2026-11-30T00:00:00.000Z', before: 'x'.repeat(1_000) }]
  const history = { attempts: 2, first_reason: 'Malformed JSON', first_ts: '2026-11-30T00:00:00.000Z', edits }
  const body = Array.from({ length: 3 }, (_, at) => order(here, `${at}`)).join('\n')
  await enqueue(world.redis, scope.keys, [{ id: 'm1', body, history }])
  await judging([scope], () => until('a rejection', async () => (await world.redis.xlen(scope.keys.invalid)) === 1))
  const [entry] = await readOldest(world.redis, [scope.keys], { until: '+', after: '0-0', count: 1 })
  if (!entry) throw new Error('no entry')
  const records = await openAgain(scope, entry, { objects: noObjects, jobId: 'job', signal: stop })
  expect(records?.map((record) => record.history?.edits)).toEqual([edits, undefined, undefined])
  expect(records?.map((record) => record.history?.attempts)).toEqual([3, 3, 3])
})

test('an entry is removed once, whichever job does it', async () => {
  await using world = await emptyRedis()
  const scope = appOn(world.redis)
  await ensureGroups(scope)
  await enqueue(world.redis, scope.keys, [{ id: 'm1', body: '[]' }])
  await judging([scope], () => until('a rejection', async () => (await world.redis.xlen(scope.keys.invalid)) === 1))
  const [entry] = await readOldest(world.redis, [scope.keys], { until: '+', after: '0-0', count: 1 })
  if (!entry) throw new Error('no entry')
  await Promise.all([removeEntry(scope, entry), removeEntry(scope, entry)])
  expect(await world.redis.llen(scope.keys.invalidOrders)).toBe(0)
  expect(await readCounters(world.redis, [scope.keys])).toMatchObject({ replayed: 1 })
})
