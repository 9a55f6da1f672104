import { expect, test } from 'vitest'
import { sampleOrders } from '../../src/ops/orderbook.ts'
import { spawnOrders } from '../support/process.ts'
import { spawnRedisCluster } from '../support/redis-cluster.ts'
import { spawnRedisServer } from '../support/redis-server.ts'
import { requireRedisServer } from '../support/requires.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { emptySqs, envOf } from '../support/world.ts'

test('the same processes run on a Redis Cluster, and no log line at any level tells of an order', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisCluster()
  const { node: redis } = server
  await using sqs = await emptySqs()
  const env = envOf(server.url, sqs, { REDIS_CLUSTER: 'true', LOG_LEVEL: 'debug' })
  await using all = spawnOrders(['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'api'], env)
  await all.started()
  const bodies = [...sampleOrders({ valid: 500, invalid: 50, users: 20, seed: 6 })].map(({ body }) => body)
  await sendBodies(env, [...bodies, ...bodies.slice(0, 100)])
  const counters = await until(
    'all to be worked off',
    () => redis.hgetall('{p0}:pipeline:counters'),
    ({ received, ranked, duplicates = '0', rejected = '0' }) =>
      Number(received) === 650 && Number(ranked) + Number(duplicates) + Number(rejected) === 650,
  )
  expect(counters).toMatchObject({ admitted: '500', ranked: '500' })
  const response = await fetch(`${await all.apiUrl()}/stats/global`)
  expect(await response.json()).toMatchObject({ total_orders: 500 })
  const seen = await fetch(`${await all.apiUrl()}/live/snapshot`)
  expect(await seen.json()).toMatchObject({ totals: { counted: 500 }, books: { balanced: true } })
  expect(await all.kill('SIGTERM')).toEqual({ code: 0, signal: null })
  expect(all.events('committed').length).toBeGreaterThan(0) // the log was on
  expect(all.stderr()).not.toMatch(/Main St|Oak Avenue|Harbour Road|PayPal|Credit Card|user_\d/)
})

test('a Redis Cluster that is not up at start is one line and exit code 1', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer('--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1')
  if (!server) throw new Error('no redis-server')
  await using refused = spawnOrders(['run', 'validate'], envOf(server.url, undefined, { REDIS_CLUSTER: 'true' }))
  expect(await refused.exit()).toEqual({ code: 1, signal: null })
  expect(refused.stderr()).toMatch(
    /^Redis does not answer at redis:\/\/127\.0\.0\.1:\d+ \(.+\): start it or set REDIS_URL\.\n$/,
  )
})
