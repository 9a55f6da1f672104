import { request as httpRequest } from 'node:http'
import { ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { labelValues } from '../../../../src/api/metrics/metric.ts'
import { metrics } from '../../../../src/api/metrics/metrics.ts'
import { openApi, routes } from '../../../../src/api/server.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { openQueue } from '../../../../src/ingest/sqs/queue.ts'
import { makeControlKeys, makeKeys } from '../../../../src/keys.ts'
import { roleNames } from '../../../../src/ops/process/roles.ts'
import { rejectCodes } from '../../../../src/reject-codes.ts'
import { pipeline } from '../../../../src/stages/pipeline.ts'
import { version } from '../../../../src/version.ts'
import { type Sample, scrape, scrapeOf } from '../../../support/exposition.ts'
import { body } from '../../../support/generated.ts'
import { Oracle } from '../../../support/oracle.ts'
import { openProxy } from '../../../support/proxy.ts'
import { spawnRedisCluster } from '../../../support/redis-cluster.ts'
import { freePort, spawnRedisServer } from '../../../support/redis-server.ts'
import { requireRealRedis, requireRedisServer } from '../../../support/requires.ts'
import { type OrdersRun, runOrders } from '../../../support/run-orders.ts'
import { sendBodies } from '../../../support/send.ts'
import { stopwatch } from '../../../support/stopwatch.ts'
import { until } from '../../../support/until.ts'
import { appOn, type Env, emptyRedis, emptySqs, envOf } from '../../../support/world.ts'

/** The metrics of all processes, as Prometheus would have it. */
async function scrapeAll(processes: readonly OrdersRun[]): Promise<ReturnType<typeof scrapeOf>> {
  const scrapes = await Promise.all(processes.map(async (process) => scrape(await process.apiUrl())))
  return scrapeOf(scrapes.flatMap(({ samples }) => samples))
}

/** Receives so many messages and lets them go at once: SQS counts them as handed out. */
async function handOut(env: Env, count: number): Promise<void> {
  using queue = await openQueue(readConfig({ ...env }))
  for (let left = count; left > 0; ) {
    const asked = { QueueUrl: queue.url, MaxNumberOfMessages: Math.min(10, left), VisibilityTimeout: 5 }
    const { Messages = [] } = await queue.sqs.send(new ReceiveMessageCommand(asked))
    left -= Messages.length
  }
}

test('the metrics of all processes add up to what the oracle says of the same orders', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs, { METRICS_PORT: '0', SQS_DELETE_AFTER: 'write' })
  const fresh = fc.sample(body, { numRuns: 400, seed: 6 })
  const bodies = [...fresh, ...fresh.slice(0, 60)]
  const oracle = new Oracle()
  for (const one of bodies) oracle.take(one)
  await sendBodies(env, bodies)
  await handOut(env, 20)

  await using bridge = runOrders(['run', 'bridge'], env)
  await using validate = runOrders(['run', 'validate'], env)
  await using another = runOrders(['run', 'validate'], env)
  await using rest = runOrders(['run', 'aggregate', 'leaderboard'], env)
  await using api = runOrders(['run', 'api'], env)
  const processes = [bridge, validate, another, rest, api]
  const sent = bodies.length
  const ranked = () => world.redis.hget('pipeline:counters', 'ranked')
  await until('all to be ranked', ranked, (count) => Number(count) === oracle.admitted)
  const reported = await until(
    'all processes to say so',
    () => scrapeAll(processes),
    ({ sum }) =>
      sum('orders_booked_total', { counter: 'duplicates' }) === oracle.duplicates &&
      sum('orders_booked_total', { counter: 'rejected' }) === oracle.rejected &&
      sum('orders_booked_total', { counter: 'ranked' }) === oracle.admitted &&
      sum('orders_processed_total', { stage: 'validate' }) === sent &&
      sum('orders_processed_total', { stage: 'leaderboard', outcome: 'passed' }) === oracle.admitted &&
      sum('orders_sqs_deleted_messages_total') === sent &&
      // Each is read by itself, and remembered for a second.
      sum('orders_sqs_dead_letters') === 0 &&
      sum('orders_invalid') === oracle.rejected &&
      sum('orders_waiting') === 0 &&
      sum('orders_pending_entries') === 0 &&
      sum('orders_redis_up') === processes.length,
  )
  const { sum } = reported
  const processed = (stage: string) =>
    ['passed', 'duplicate', 'rejected'].map((outcome) => sum('orders_processed_total', { stage, outcome }))
  expect(processed('validate')).toEqual([oracle.admitted, oracle.duplicates, oracle.rejected])
  expect(processed('aggregate')).toEqual([oracle.admitted, 0, 0])
  expect(processed('leaderboard')).toEqual([oracle.admitted, 0, 0])
  for (const [counter, orders] of Object.entries({
    received: sent,
    admitted: oracle.admitted,
    duplicates: oracle.duplicates,
    rejected: oracle.rejected,
    applied: oracle.admitted,
  })) {
    expect([counter, sum('orders_booked_total', { counter })]).toEqual([counter, orders])
  }
  for (const code of rejectCodes) {
    expect([code, sum('orders_rejected_total', { code })]).toEqual([code, oracle.codes.get(code) ?? 0])
  }
  expect(sum('orders_invalid')).toBe(oracle.rejected)

  expect(sum('orders_sqs_received_messages_total')).toBe(sent)
  expect(sum('orders_sqs_redelivered_messages_total')).toBe(20)
  expect(sum('orders_hop_wait_seconds_count', { hop: 'bridge' })).toBe(sent)
  expect(sum('orders_hop_wait_seconds_count', { hop: 'validate' })).toBe(sent)
  expect(sum('orders_hop_wait_seconds_count', { hop: 'leaderboard' })).toBe(oracle.admitted)
  expect(sum('orders_commit_orders_sum', { stage: 'validate' })).toBe(sent)
  expect(sum('orders_commit_orders_sum', { stage: 'leaderboard' })).toBe(oracle.admitted)
  expect(sum('orders_commit_duration_seconds_count')).toBe(sum('orders_commit_entries_count'))
  expect(sum('orders_critical_time_seconds_count')).toBe(oracle.admitted)

  expect([sum('orders_waiting'), sum('orders_pending_entries'), sum('orders_oldest_pending_age_seconds')]).toEqual([
    0, 0, 0,
  ])
  expect([sum('orders_paused'), sum('orders_backpressure'), sum('orders_bridge_failing')]).toEqual([0, 0, 0])
  expect(sum('orders_redis_up')).toBe(processes.length)
  expect(sum('orders_redis_memory_used_bytes')).toBeGreaterThan(1_000_000)
  expect(sum('orders_integrity_differences')).toBe(0)
  expect(sum('orders_sqs_oldest_age_seconds')).toBeGreaterThan(0)
  expect(sum('orders_sqs_dead_letters')).toBe(0)
  expect(sum('orders_stale_commits_total')).toBe(0)

  expectDeclared(reported.samples)
  const names = (process: OrdersRun) => async (): Promise<string[]> =>
    (await scrape(await process.apiUrl())).samples.map(({ name }) => name)
  expect(await names(api)()).toContain('orders_waiting')
  for (const other of [bridge, validate, rest]) expect(await names(other)()).not.toContain('orders_waiting')
  expect(await names(validate)()).not.toContain('orders_sqs_received_messages_total')
  for (const process of processes) expect(await names(process)()).toContain('nodejs_eventloop_lag_p99_seconds')
})

/** The values of labels whose declaration only describes them. */
const known: Readonly<Record<string, readonly string[]>> = {
  route: ['-', ...routes.map(({ path }) => path)],
  method: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'other'],
  role: roleNames,
  version: [version],
}

/** Every series of ours is declared, and its labels have values that are. */
function expectDeclared(samples: readonly Sample[]): void {
  const declared = new Map(metrics.map((metric) => [metric.name, metric]))
  for (const { name, labels } of samples.filter(({ name }) => name.startsWith('orders_'))) {
    const metric = declared.get(name) ?? declared.get(name.replace(/_(bucket|sum|count)$/, ''))
    const { le: _, ...own } = labels
    expect([name, Object.keys(own)]).toEqual([name, Object.keys(metric?.labels ?? {})])
    for (const [label, value] of Object.entries(own)) {
      const values = known[label] ?? labelValues(metric?.labels?.[label] ?? [], pipeline)
      expect(values, `${name} ${label}`).toContain(value)
    }
  }
}

/** By node:http, because fetch normalizes a path and refuses some methods. */
async function ask(url: string, method: string, path: string): Promise<void> {
  const { hostname, port } = new URL(url)
  await new Promise<void>((resolve, reject) => {
    const request = httpRequest({ hostname, port, method, path }, (response) => response.resume().on('end', resolve))
    request.on('error', reject)
    request.end()
  })
}

test('whatever is asked for, there are no more series than routes', async () => {
  await using world = await emptyRedis()
  const app = appOn(
    world.redis,
    readConfig({ REDIS_URL: world.url, API_PORT: '0', AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }),
  )
  await using server = await openApi(app)
  const hostile = [
    '__proto__',
    'constructor',
    '%00',
    '%22%7D%0Aorders_up%201',
    '%F0%9F%98%80',
    'a,b:c',
    '%ff',
    '..%2F..',
    '{user_id}',
  ]
  const storm = async (round: number): Promise<Sample[]> => {
    for (const id of [...hostile, ...Array.from({ length: 30 }, (_, i) => `user${round}-${i}`)]) {
      await ask(server.url, 'GET', `/users/${id}/stats`)
      await ask(server.url, 'PURGE', `/users/${id}/stats`)
      await ask(server.url, 'GET', `/${id}`)
      await ask(server.url, 'GET', `/stats/top-users?by=${id}`)
      await ask(server.url, 'DELETE', `/orders/invalid/${id}`)
    }
    const { samples } = await scrape(server.url)
    return samples.filter(({ name }) => name.startsWith('orders_http_'))
  }
  const first = await storm(1)
  expectDeclared(first)
  const second = await storm(2)
  expect(second.map(({ name, labels }) => [name, labels])).toEqual(first.map(({ name, labels }) => [name, labels]))
  const { sum } = scrapeOf(second)
  expect(sum('orders_http_requests_total', { method: 'other', route: '-', status: '4xx' })).toBeGreaterThan(60)
  expect(sum('orders_http_requests_total', { route: '/users/{user_id}/stats', status: '2xx' })).toBeGreaterThan(60)
})

test('books that do not balance, a paused component and a ledger are shown', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = appOn(world.redis, readConfig({ REDIS_URL: world.url, API_PORT: '0', LEDGER_BUCKETS: '64' }))
  const { keys, redis } = app
  await redis.hset(keys.counters, { received: 105, admitted: 90, rejected: 10, applied: 90, ranked: 90 })
  await redis.xadd(keys.stream('raw'), '*', 'n', 5, 'c', 1, 'r', 'junk')
  await redis.hset(makeControlKeys([keys]).pauses, 'aggregate', '{"by":"ann"}', 'unknown', '{"by":"bob"}')
  const generation = Math.floor(Date.now() / 1_000 / (app.config.ledgerDays * 86_400))
  for (let i = 0; i < 100; i++) await redis.hset(keys.ledger(generation - (i % 2), i % 64), `order${i}`, 'x')
  await using server = await openApi(app)
  const { sum } = await scrape(server.url)
  expect(sum('orders_integrity_differences')).toBeGreaterThan(0)
  expect(sum('orders_waiting', { stage: 'validate' })).toBe(5)
  expect([sum('orders_paused', { component: 'aggregate' }), sum('orders_paused')]).toEqual([1, 1])
  expect(sum('orders_ledger_entries')).toBe(100)
})

test('what cannot be read is absent: SQS that does not answer, a maxmemory that is not set', async () => {
  await using world = await emptyRedis()
  const away = { AWS_ENDPOINT_URL: `http://127.0.0.1:${await freePort()}` }
  const app = appOn(world.redis, readConfig({ REDIS_URL: world.url, API_PORT: '0', ...away }))
  await using server = await openApi(app)
  app.telemetry.emit('started', { roles: ['bridge', 'api'] })
  const { sum } = await scrape(server.url)
  expect(sum('orders_sqs_received_messages_total')).toBe(0)
  for (const name of ['visible_messages', 'in_flight_messages', 'dead_letters', 'oldest_age_seconds']) {
    expect([name, sum(`orders_sqs_${name}`)]).toEqual([name, undefined])
  }
  expect(sum('orders_redis_memory_max_bytes')).toBeUndefined()
  app.telemetry.emit('hop', { hop: 'bridge', atMs: Date.now(), waits: [7_000, 10], sinceSent: [7_000, 10] })
  app.telemetry.emit('hop', { hop: 'bridge', atMs: Date.now(), waits: [2_000, 10], sinceSent: [2_000, 10] })
  expect((await scrape(server.url)).sum('orders_sqs_oldest_age_seconds')).toBe(7)
})

test('a wait is in a bucket of its size, below a millisecond too; a negative one counts as none, and as skewed', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis, readConfig({ REDIS_URL: world.url, API_PORT: '0' }))
  await using server = await openApi(app)
  app.telemetry.emit('started', { roles: ['bridge', 'validate'] })
  expect((await scrape(server.url)).sum('orders_clock_skewed_total', { hop: 'validate' })).toBe(0)
  const waits = [-0.3, 1, 0.4, 20, 0.9, 30, 7, 3, 95_000, 2, -100_000, 5]
  app.telemetry.emit('hop', { hop: 'validate', atMs: Date.now(), waits, sinceSent: [] })
  const { sum } = await scrape(server.url)
  const below = (le: string) => sum('orders_hop_wait_seconds_bucket', { hop: 'validate', le })
  const bounds = ['0.0005', '0.001', '0.005', '0.01', '90', '120', '+Inf']
  expect(bounds.map(below)).toEqual([26, 56, 56, 59, 59, 61, 61])
  expect(sum('orders_hop_wait_seconds_sum', { hop: 'validate' })).toBeCloseTo(0.008 + 0.027 + 0.021 + 190)
  expect(sum('orders_clock_skewed_total', { hop: 'validate' })).toBe(5)
})

test('while Redis does not answer a scrape ends within its limit, with what the process knows of itself', async (context) => {
  requireRedisServer(context)
  await using redisServer = await spawnRedisServer()
  if (!redisServer) throw new Error('no redis-server')
  await using proxy = await openProxy(redisServer.port)
  const redis = new Redis(redisServer.url)
  const app = appOn(redis, readConfig({ REDIS_URL: `redis://127.0.0.1:${proxy.port}`, API_PORT: '0' }))
  await using server = await openApi(app)
  app.telemetry.emit('committed', {
    partition: undefined,
    firstEntryId: '1-0',
    lastEntryId: '1-0',
    stage: 'validate',
    entries: 2,
    passed: 17,
    duplicates: 2,
    rejected: 1,
    durationMs: 3,
  })
  expect((await scrape(server.url)).sum('orders_redis_up')).toBe(1)
  proxy.freeze()
  const { sum } = await until(
    'Redis to be away',
    async () => {
      using watch = stopwatch()
      const reported = await scrape(server.url)
      expect(watch.ms()).toBeLessThan(4_000)
      return reported
    },
    (reported) => reported.sum('orders_redis_up') === 0 && reported.sum('orders_waiting') === undefined, // each is remembered for a second
  )
  expect(sum('orders_processed_total', { stage: 'validate' })).toBe(20)
  expect(sum('orders_redis_memory_used_bytes')).toBe(undefined)
  proxy.thaw()
  const back = await until(
    'Redis to be back',
    () => scrape(server.url),
    (reported) => reported.sum('orders_redis_up') === 1 && reported.sum('orders_waiting') !== undefined,
  )
  expect(back.sum('orders_waiting')).toBe(0)
  redis.disconnect()
})

test('a Redis that answers and refuses writes is said by a metric of its own', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  await using orders = runOrders(['run', 'api'], envOf(server.url))
  const api = { url: await orders.apiUrl() }
  const redis = new Redis(server.url)
  expect((await scrape(api.url)).sum('orders_redis_writable')).toBe(1)
  for (const [refused, takes] of [
    ['1', 0],
    ['0', 1],
  ] as const) {
    await redis.config('SET', 'min-replicas-to-write', refused)
    await until(
      'the metric to follow',
      () => scrape(api.url),
      (reported) => reported.sum('orders_redis_writable') === takes && reported.sum('orders_redis_up') === 1,
    )
  }
  redis.disconnect()
})

test('however many scrape at once, Redis is read once', async (context) => {
  requireRedisServer(context)
  await using redisServer = await spawnRedisServer()
  if (!redisServer) throw new Error('no redis-server')
  const redis = new Redis(redisServer.url)
  await using server = await openApi(appOn(redis, readConfig({ REDIS_URL: redisServer.url, API_PORT: '0' })))
  await redis.config('RESETSTAT')
  await Promise.all(Array.from({ length: 20 }, () => scrape(server.url)))
  const calls = /cmdstat_time:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1]
  // One for the state of the line, one for the generation of the ledger; on a busy machine 20 scrapes take seconds.
  expect(Number(calls)).toBeLessThan(10)
  redis.disconnect()
})

test('on a Redis Cluster the same is shown', async (context) => {
  requireRedisServer(context)
  await using redisServer = await spawnRedisCluster()
  const { node: redis } = redisServer
  const config = readConfig({ REDIS_URL: redisServer.url, REDIS_CLUSTER: 'true', API_PORT: '0' })
  const keys = makeKeys(0)
  await redis.hset(keys.counters, { received: 9, admitted: 2 })
  await redis.xadd(keys.stream('raw'), '*', 'n', 7, 'c', 1, 'r', 'junk')
  await redis.xgroup('CREATE', keys.stream('valid'), 'aggregate', '0', 'MKSTREAM')
  await using server = await openApi(appOn(redis, config, { keys }))
  const { sum } = await scrape(server.url)
  expect([sum('orders_redis_up'), sum('orders_waiting', { stage: 'validate' }), sum('orders_ledger_entries')]).toEqual([
    1, 7, 0,
  ])
  expect(sum('orders_redis_memory_used_bytes')).toBeGreaterThan(1_000_000)
  expect([sum('orders_unaccounted', { stage: 'aggregate' }), sum('orders_unaccounted')]).toEqual([2, 2])
  expect(sum('orders_integrity_differences')).toBe(0)
})
