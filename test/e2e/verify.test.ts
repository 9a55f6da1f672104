import { expect, test } from 'vitest'
import { openApi } from '../../src/api/server.ts'
import type { PartitionScope } from '../../src/app.ts'
import { readConfig } from '../../src/config/config.ts'
import { enqueue } from '../../src/ingest/enqueue.ts'
import { makeKeys } from '../../src/keys.ts'
import { spawnRedisCluster } from '../support/redis-cluster.ts'
import { freePort } from '../support/redis-server.ts'
import { requireRealRedis, requireRedisServer } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { until } from '../support/until.ts'
import { appOn, type Env, emptyRedis, envOf } from '../support/world.ts'

async function send({ redis, keys }: PartitionScope, from: number, to: number, users = 100): Promise<void> {
  for (let first = from; first < to; first += 10) {
    const records = Array.from({ length: 10 }, (_, at) => ({
      id: `m${first + at}`,
      body: JSON.stringify({ user_id: `user_${(first + at) % users}`, order_id: `${first + at}`, order_value: 1.25 }),
    }))
    await enqueue(redis, keys, records)
  }
}

async function ranked({ redis, keys }: PartitionScope, orders: number): Promise<void> {
  const count = () => redis.hget(keys.counters, 'ranked')
  await until(`${orders} to be ranked`, count, (found) => Number(found) === orders)
}

async function processAll(scope: PartitionScope, env: Env, orders: number): Promise<void> {
  await using _ = runOrders(['run', 'validate', 'aggregate', 'leaderboard'], env)
  await ranked(scope, orders)
}

async function verify(env: Env, ...options: string[]): Promise<{ code: number | null; out: string; err: string }> {
  await using command = runOrders(['verify', ...options], env)
  const { code } = await command.exit()
  return { code, out: command.stdout(), err: command.stderr() }
}

test('verify says what it looked at and that everything balances, with exit code 0', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const [app, env] = [appOn(world.redis), envOf(world.url)]
  expect(await verify(env)).toMatchObject({
    code: 0,
    out: expect.stringMatching(/\nThe books balance\. .*--deep\.\n$/),
    err: '',
  })
  await send(app, 0, 500)
  await processAll(app, env, 500)
  const { code, out } = await verify(env, '--deep')
  expect([code, out]).toEqual([
    0,
    [
      'received 500 = admitted 500 + duplicates 0 + rejected 0 + lost 0 + waiting 0',
      'counted 500, global stats 500 orders, 625.00 revenue',
      'invalid channel: 0 in the stream, 0 in the list, 0 in groups',
      '',
      'stage         in  passed  duplicates  rejected  missed  lost  waiting  in stream',
      'validate     500     500           0         0       0     0        0          0',
      'aggregate    500     500           0         0       0     0        0          0',
      'leaderboard  500     500           0         0       0     0        0          0',
      '',
      'at one moment  orders  revenue',
      '100 users         500   625.00',
      'global stats      500   625.00',
      'leaderboards      500   625.00',
      '',
      'Everything balances.',
      '',
    ].join('\n'),
  ])
})

test('what is wrong is shown, 20 users of it on the terminal, with exit code 1; a repair fixes it', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  const [app, env] = [appOn(redis), envOf(world.url)]
  await send(app, 0, 500)
  await processAll(app, env, 500)
  for (let user = 0; user < 25; user++) await redis.zincrby('leaderboard:spend', 100, `user_${user}`)
  await redis.hincrby('global:stats', 'total_orders', 5)

  const shallow = await verify(env)
  expect(shallow).toMatchObject({ code: 1, err: '' })
  expect(shallow.out).toMatch(/\nThe global stats count 505 orders, the stage has 500\.\nThe books do not balance\.\n$/)
  const deep = await verify(env, '--deep')
  expect(deep.code).toBe(1)
  expect(deep.out).toMatch("25 users' scores are not those of their totals.")
  expect(deep.out).toMatch("The users' hashes add up to 500 orders and 625; the global stats say 505 orders and 625.")
  expect(deep.out.match(/^user_\d+ +5 +5 +6\.25 +7\.25$/gm)).toHaveLength(20)
  const json = JSON.parse((await verify(env, '--deep', '--json')).out)
  expect(json).toMatchObject({
    verdict: 'wrong',
    deep: { wrong_users: 25, sums: { global: { orders: 505, revenue_minor: 62_500 } } },
  })
  expect(json.deep.examples).toHaveLength(25)

  const repaired = await verify(env, '--repair')
  expect(repaired.code).toBe(0)
  expect(repaired.out).toMatch(/Repaired by the totals of 100 users: \d+ had a wrong score\./)
  expect(repaired.out).toMatch(
    /^global stats +505 orders, 625\.00 +500 orders, 625\.00\nleaderboards +500 orders, 650\.00 +500/m,
  )
  expect(repaired.out).toMatch(/\nEverything balances\.\n$/)
  const again = await verify(env, '--repair', '--json')
  expect(again.code).toBe(0)
  expect(JSON.parse(again.out)).not.toHaveProperty('repaired')
})

test('where it looks as if users were wrong, a repair refuses to spread that, and does it when it is forced', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  const [app, env] = [appOn(redis), envOf(world.url)]
  await send(app, 0, 100)
  await processAll(app, env, 100)
  for (const field of ['order_count', 'total_spend_minor']) {
    const before = await redis.hget('user:user_7', field)
    await redis.hset('user:user_7', field, '1000')
    const refused = await verify(env, '--repair')
    expect(refused.code).toBe(1)
    expect(refused.err).toMatch(/^What was counted does not agree with the users' totals: .*user_7.*--force\.\n$/)
    expect(await redis.hget('global:stats', 'total_orders')).toBe('100')
    await redis.hset('user:user_7', field, before ?? '')
  }
  await redis.hset('user:user_7', 'total_spend_minor', '1000')
  expect(await verify(env, '--repair', '--force')).toMatchObject({ code: 0, err: '' })
  expect(await redis.zscore('leaderboard:spend', 'user_7')).toBe('1000')
})

test('verify --deep of a process of its own is right while others work', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const [app, env] = [appOn(world.redis), envOf(world.url)]
  await using line = runOrders(['run', 'validate', 'aggregate', 'leaderboard'], env)
  await line.started()
  let sent = 0
  let sending = true
  const sender = (async (): Promise<void> => {
    for (; sending; sent += 100) await send(app, sent, sent + 100, 3_000)
  })()
  const during = []
  for (let run = 0; run < 3; run++) during.push(await verify(env, '--deep'))
  sending = false
  await sender
  expect(during.map(({ code, out }) => [code, /.*\n$/.exec(out)?.[0]])).toEqual(
    Array(3).fill([0, 'Everything balances.\n']),
  )
  await ranked(app, sent)
  expect(await verify(env, '--deep')).toMatchObject({ code: 0 })
})

test('verify reads and repairs a Redis Cluster', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisCluster()
  const { node: redis } = server
  const app = appOn(redis, undefined, { keys: makeKeys(0) })
  const env = envOf(server.url, undefined, { REDIS_CLUSTER: 'true' })
  await send(app, 0, 500)
  await processAll(app, env, 500)
  await redis.zincrby('{p0}:leaderboard:spend', 1, 'user_7')
  expect(await verify(env, '--deep')).toMatchObject({
    code: 1,
    out: expect.stringMatching(/^user_7 +5 +5 +6\.25 +6\.26$/m),
  })
  expect(await verify(env, '--repair')).toMatchObject({ code: 0, err: '' })
  expect(await redis.zscore('{p0}:leaderboard:spend', 'user_7')).toBe('625')
})

test('without Redis it is one line and exit code 3', async () => {
  const refused = await verify(envOf(`redis://127.0.0.1:${await freePort()}`))
  expect(refused).toMatchObject({ code: 3, out: '', err: expect.stringMatching(/^Redis does not answer at .+\n$/) })
})

test('GET /integrity gives the books, amounts in currency units, 200 whether they balance or not', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis, url } = world
  const app = appOn(redis, readConfig({ REDIS_URL: url, API_PORT: '0' }))
  await using server = await openApi(app)
  const get = async () => {
    const response = await fetch(`${server.url}/integrity`)
    return { status: response.status, body: await response.json() }
  }
  await send(app, 0, 20)
  await processAll(app, envOf(url), 20)
  const none = { corrected: 0, duplicates: 0, rejected: 0, missed: 0, lost: 0, foreign: 0, waiting: 0, measured: 0 }
  const stage = { in: 20, passed: 20, ...none, balanced: true }
  const stages = ['validate', 'aggregate', 'leaderboard'].map((name) => ({ stage: name, ...stage }))
  expect(await get()).toEqual({
    status: 200,
    body: {
      balanced: true,
      received: 20,
      admitted: 20,
      corrected: 0,
      duplicates: 0,
      rejected: 0,
      lost: 0,
      waiting: 0,
      stages,
      applied: 20,
      total_orders: 20,
      total_revenue: 25,
      invalid: { stream: 0, list: 0, groups: 0, balanced: true },
      losses: [],
      differences: [],
      incidents: [],
      notes: [],
      unread: [],
    },
  })
  await redis.lpush('invalid_orders', '{}')
  const reported = 'The invalid channel holds 0 in its stream, 1 in its list, 0 in its groups.'
  expect(await get()).toMatchObject({ status: 200, body: { balanced: false, differences: [reported] } })
})
