import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { enqueue } from '../../src/ingest/enqueue.ts'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { Oracle } from '../support/oracle.ts'
import { spawnOrders } from '../support/process.ts'
import { spawnRedisServer } from '../support/redis-server.ts'
import { requireRealRedis, requireRedisServer } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { expectExact } from '../support/state.ts'
import { stopwatch } from '../support/stopwatch.ts'
import { until } from '../support/until.ts'
import { appOn, emptyRedis, emptySqs, envOf } from '../support/world.ts'

const everyRole = ['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'api']

function sample(valid: number, seed: number): { bodies: string[]; oracle: Oracle } {
  const bodies = [...sampleOrders({ valid, invalid: valid / 10, users: 50, seed })].map(({ body }) => body)
  const oracle = new Oracle()
  for (const body of bodies) oracle.take(body)
  return { bodies, oracle }
}

const isThrough =
  (oracle: Oracle) =>
  (counters: Record<string, string>): boolean =>
    Number(counters['ranked']) >= oracle.admitted && Number(counters['rejected']) >= oracle.rejected

test('Redis gone for 3 s under load: everything resumes by itself and the numbers are exact', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer('--appendfsync', 'always')
  if (!server) throw new Error('no redis-server')
  await using sqs = await emptySqs()
  const env = envOf(server.url, sqs)
  await using all = runOrders(everyRole, env)
  await all.started()
  const url = await all.apiUrl()
  const redis = new Redis(server.url, { maxRetriesPerRequest: null })
  redis.on('error', () => {})
  const { bodies, oracle } = sample(1_500, 1)
  const sent = sendBodies(env, bodies)
  await until(
    'some to be admitted',
    () => redis.hget('pipeline:counters', 'admitted'),
    (admitted) => Number(admitted) > 200,
  )
  await server.stop()
  expect((await fetch(`${url}/readyz`)).status).toBe(503)
  expect((await fetch(`${url}/livez`)).status).toBe(200)
  await sleep(3_000) // the outage itself, not a wait for something
  await server.start()
  await sent
  await until('all to be through', () => redis.hgetall('pipeline:counters'), isThrough(oracle))
  await until(
    'readiness',
    async () => (await fetch(`${url}/readyz`)).status,
    (status) => status === 200,
  )
  await expectExact(redis, oracle)
  const [away] = all.events('redisAway')
  expect([away, all.events('redisAway').length]).toMatchObject([{ address: server.url }, 1])
  await until('each outage to be over', () => all.events('redisBack').length === all.events('redisAway').length)
  redis.disconnect()
  expect(await all.stop()).toEqual({ code: 0, signal: null })
})

test('SIGTERM under load: exit code 0 in under 5 s, nothing lost, nothing double, no delivery twice', async () => {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(redis.url, sqs)
  await using first = runOrders(everyRole, env)
  await first.started()
  const { bodies, oracle } = sample(1_500, 2)
  await sendBodies(env, bodies)
  await until(
    'some to be ranked',
    () => redis.redis.hget('pipeline:counters', 'ranked'),
    (ranked) => Number(ranked) > 100,
  )
  using watch = stopwatch()
  expect(await first.stop()).toEqual({ code: 0, signal: null })
  expect(watch.ms()).toBeLessThan(5_000)
  expect(sqs.depth()).toBeGreaterThan(0)
  for (const stream of ['raw', 'valid', 'counted']) {
    const [group] = (await redis.redis.xinfo('GROUPS', `orders:${stream}`)) as unknown[][]
    expect(group).toEqual(expect.arrayContaining(['consumers', 0, 'pending', 0]))
  }
  await using second = runOrders(everyRole, env)
  await until('all to be through', () => redis.redis.hgetall('pipeline:counters'), isThrough(oracle))
  await expectExact(redis.redis, oracle)
  expect(await redis.redis.hget('pipeline:counters', 'duplicates')).toBeNull()
  await until(
    'the queue to be empty',
    () => sqs.depth(),
    (depth) => depth === 0,
  )
  expect(await second.stop()).toEqual({ code: 0, signal: null })
})

test('SIGTERM while Redis is away ends in under 5 s with exit code 0', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  await using sqs = await emptySqs()
  await using all = runOrders(everyRole, envOf(server.url, sqs))
  await all.started()
  await server.stop('SIGKILL')
  await until(
    'the outage to be noticed',
    () => all.events('redisAway'),
    (events) => events.length > 0,
  )
  using watch = stopwatch()
  expect(await all.stop()).toEqual({ code: 0, signal: null })
  expect(watch.ms()).toBeLessThan(5_000)
})

test('kill -9 under load: another process claims what was in flight, and the numbers are exact', async () => {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(redis.url, sqs, { SQS_VISIBILITY_TIMEOUT_SECONDS: '5' })
  const { bodies, oracle } = sample(1_500, 3)
  await sendBodies(env, bodies)
  for (const share of [0.1, 0.3, 0.6]) {
    await using victim = spawnOrders(everyRole, env)
    await until(
      'a share to be ranked',
      () => redis.redis.hget('pipeline:counters', 'ranked'),
      (ranked) => Number(ranked) > share * 1_500,
    )
    await victim.kill('SIGKILL')
  }
  await using last = runOrders(everyRole, env)
  await until('all to be through', () => redis.redis.hgetall('pipeline:counters'), isThrough(oracle))
  await until(
    'the queue to be empty',
    () => sqs.depth(),
    (depth) => depth === 0,
  )
  await until(
    'redeliveries to be judged',
    () => redis.redis.hgetall('pipeline:counters'),
    (counters) =>
      Number(counters['received']) ===
      Number(counters['admitted']) + Number(counters['rejected']) + Number(counters['duplicates'] ?? 0),
  )
  await expectExact(redis.redis, oracle)
  expect(await last.stop()).toEqual({ code: 0, signal: null })
})

test('a Redis that takes no writes: the bridge holds what it has, receives no more, and goes on when it takes them again', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  await using sqs = await emptySqs()
  const env = envOf(server.url, sqs, { LOG_LEVEL: 'debug', BRIDGE_POLLERS: '4' })
  const redis = new Redis(server.url)
  await using all = runOrders(everyRole, env)
  await all.started()
  await until('the bridge to have proved a write, and to receive', () => redis.exists('pipeline:barrier'))
  await redis.config('SET', 'min-replicas-to-write', '1')
  const { bodies, oracle } = sample(200, 9)
  await sendBodies(env, bodies)
  const refused = async (): Promise<number> => {
    const stats = await redis.info('errorstats')
    return Number(/errorstat_NOREPLICAS:count=(\d+)/.exec(stats)?.[1] ?? 0)
  }
  await until('each poller to have tried some times', refused, (count) => count >= 16)
  const received = all.events('received').length
  expect(received).toBeGreaterThan(0)
  expect(received).toBeLessThanOrEqual(4) // each poller holds the one that it tries to write
  await until('some more refusals', refused, (count) => count >= 24)
  expect(all.events('received')).toHaveLength(received)
  expect(all.events('bridgeFailed')).toHaveLength(1)
  await redis.config('SET', 'min-replicas-to-write', '0')
  await until('all to be through', () => redis.hgetall('pipeline:counters'), isThrough(oracle))
  await expectExact(redis, oracle)
  await until('the bridge to be back', () => all.events('bridgeBack').length === 1)
  redis.disconnect()
})

test('a backlog of bodies of a megabyte is processed with little memory', async (context) => {
  requireRealRedis(context)
  await using redis = await emptyRedis()
  const app = appOn(redis.redis)
  const body = (order_id: number): string =>
    JSON.stringify({ user_id: 'u', order_id, order_value: 1, note: 'x'.repeat(1_000_000) })
  for (let from = 0; from < 200; from += 10) {
    await enqueue(
      redis.redis,
      app.keys,
      Array.from({ length: 10 }, (_, i) => ({ id: `m${from + i}`, body: body(from + i) })),
    )
  }
  await using small = spawnOrders(
    ['run', ...everyRole.slice(2, 5)],
    envOf(redis.url, undefined, { NODE_OPTIONS: '--max-old-space-size=256' }),
  )
  await small.started()
  await until(
    'all to be ranked',
    () => redis.redis.hget('pipeline:counters', 'ranked'),
    (ranked) => {
      expect(small.child.exitCode).toBeNull()
      return ranked === '200'
    },
  )
})
