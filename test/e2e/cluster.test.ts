import { expect, test } from 'vitest'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { spawnClusterServer, spawnRedisCluster } from '../support/redis-cluster.ts'
import { requireRedisServer } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { stopwatch } from '../support/stopwatch.ts'
import { until } from '../support/until.ts'
import { emptySqs, envOf } from '../support/world.ts'

test('the same processes run on a Redis Cluster, and no log line at any level shows an order', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisCluster()
  const { node: redis } = server
  await using sqs = await emptySqs()
  const env = envOf(server.url, sqs, { REDIS_CLUSTER: 'true', LOG_LEVEL: 'debug' })
  await using all = runOrders(['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'api'], env)
  await all.started()
  const bodies = [...sampleOrders({ valid: 500, invalid: 50, users: 20, seed: 6 })].map(({ body }) => body)
  await sendBodies(env, [...bodies, ...bodies.slice(0, 100)])
  const counters = await until(
    'all to be processed',
    () => redis.hgetall('{p0}:pipeline:counters'),
    ({ received, ranked, duplicates = '0', rejected = '0' }) =>
      Number(received) === 650 && Number(ranked) + Number(duplicates) + Number(rejected) === 650,
  )
  expect(counters).toMatchObject({ admitted: '500', ranked: '500' })
  const response = await fetch(`${await all.apiUrl()}/stats/global`)
  expect(await response.json()).toMatchObject({ total_orders: 500 })
  const seen = await fetch(`${await all.apiUrl()}/live/snapshot`)
  expect(await seen.json()).toMatchObject({ totals: { counted: 500 }, books: { balanced: true } })
  expect(await all.stop()).toEqual({ code: 0, signal: null })
  expect(all.events('committed').length).toBeGreaterThan(0) // the log was on
  expect(all.stderr()).not.toMatch(/Main St|Oak Avenue|Harbour Road|PayPal|Credit Card|user_\d/)
})

test('a Redis Cluster that is not up at start is one line and exit code 3', async (context) => {
  requireRedisServer(context)
  await using server = await spawnClusterServer()
  await using refused = runOrders(['run', 'validate'], envOf(server.url, undefined, { REDIS_CLUSTER: 'true' }))
  expect(await refused.exit()).toEqual({ code: 3, signal: null })
  expect(refused.stderr()).toMatch(
    /^Redis does not answer at redis:\/\/127\.0\.0\.1:\d+ \(.+\): start it or set REDIS_URL\.\n$/,
  )
})

/** `ask` gives up after two seconds; two cores run all of this. */
const patientMs = 6_000

test('while masters are dead or frozen the API says so soon, a stop takes no longer, and after it the line goes on by itself', async (context) => {
  requireRedisServer(context)
  await using cluster = await spawnRedisCluster({ masters: 3 })
  await using sqs = await emptySqs()
  const env = envOf(cluster.url, sqs, { REDIS_CLUSTER: 'true', PARTITIONS: '8', STOP_GRACE_MS: '2000' })
  await using api = runOrders(['run', 'api'], env)
  await using line = runOrders(['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'jobs'], env)
  await Promise.all([api, line].map((process) => process.started()))
  const url = await api.apiUrl()
  const order = (n: number): string => JSON.stringify({ user_id: `user_${n % 50}`, order_id: n, order_value: 1 })
  const counted = async (): Promise<number> => {
    const { total_orders } = (await (await fetch(`${url}/stats/global`)).json()) as { total_orders?: number }
    return total_orders ?? 0
  }
  await sendBodies(
    env,
    Array.from({ length: 100 }, (_, n) => order(n)),
  )
  await until('100 to be counted', counted, (orders) => orders === 100)

  /** A path of each kind, some of one partition and some of all. */
  const ask = async (): Promise<{ status: number; ms: number }[]> =>
    Promise.all(
      ['/stats/global', '/stats/top-users', '/orders/invalid', '/integrity', '/users/user_1/rank', '/readyz'].map(
        async (path) => {
          using watch = stopwatch()
          const { status } = await fetch(`${url}${path}`)
          return { path, status, ms: watch.ms() }
        },
      ),
    )
  const victim = await cluster.masterOf('{p3}:pipeline:counters')
  const others = cluster.nodes.filter((node) => node !== victim)
  const outages: [string, () => Promise<void>, () => Promise<void>][] = [
    ['one killed', () => victim.stop('SIGKILL'), () => victim.start()],
    [
      'one frozen',
      async () => void process.kill(victim.pid(), 'SIGSTOP'),
      async () => void process.kill(victim.pid(), 'SIGCONT'),
    ],
    [
      'all killed',
      async () => void (await Promise.all(cluster.nodes.map((node) => node.stop('SIGKILL')))),
      async () => void (await Promise.all([victim, ...others].map((node) => node.start()))),
    ],
  ]
  let sent = 100
  for (const [what, strike, heal] of outages) {
    await using stopped = runOrders(['run', 'validate', 'leaderboard', 'jobs'], env)
    await stopped.started()
    await strike()
    await sendBodies(
      env,
      Array.from({ length: 100 }, (_, n) => order(sent + n)),
    )
    sent += 100
    for (let round = 0; round < 3; round++) {
      const answers = await ask()
      expect([what, answers.filter(({ status, ms }) => ![200, 503].includes(status) || ms > patientMs)]).toEqual([
        what,
        [],
      ])
    }
    expect([what, await stopped.stop()]).toEqual([what, { code: 0, signal: null }])
    await heal()
    await until(`${what}: ${sent} to be counted`, counted, (orders) => orders === sent)
  }
  expect(await line.stop()).toEqual({ code: 0, signal: null })
  expect(await api.stop()).toEqual({ code: 0, signal: null })
})
