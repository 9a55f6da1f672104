import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { expectStats, getFrom } from '../support/expected.ts'
import { ended, send } from '../support/jobs.ts'
import { Oracle } from '../support/oracle.ts'
import { openProxy, type TcpProxy } from '../support/proxy.ts'
import { type RedisServer, spawnRedisServer } from '../support/redis-server.ts'
import { requireRedisServer } from '../support/requires.ts'
import { type OrdersRun, runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { traffic } from '../support/traffic.ts'
import { until } from '../support/until.ts'
import { emptySqs, envOf } from '../support/world.ts'

/** Orders that are invalid, and are requeued while the master changes. */
const broken = 100

const roles = ['bridge', 'validate', 'aggregate', 'leaderboard', 'jobs', 'api']

/** A master and its replica, behind a proxy that leads to the master. */
interface Pair extends AsyncDisposable {
  readonly master: RedisServer
  readonly replica: RedisServer
  readonly proxy: TcpProxy
  readonly toMaster: Redis
  readonly toReplica: Redis
}

async function openPair(): Promise<Pair> {
  await using stack = new AsyncDisposableStack()
  const spawn = async (...options: string[]): Promise<RedisServer> => {
    const server = await spawnRedisServer('--repl-diskless-sync-delay', '0', ...options)
    if (!server) throw new Error('no redis-server')
    return stack.use(server)
  }
  const master = await spawn()
  const replica = await spawn('--replicaof', '127.0.0.1', `${master.port}`)
  const proxy = stack.use(await openProxy(master.port))
  const clientTo = ({ url }: RedisServer): Redis => {
    const client = new Redis(url, { maxRetriesPerRequest: null })
    client.on('error', () => {})
    stack.defer(() => client.disconnect())
    return client
  }
  const [toMaster, toReplica] = [clientTo(master), clientTo(replica)]
  await linked(toReplica)
  const opened = stack.move()
  return { master, replica, proxy, toMaster, toReplica, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

async function linked(replica: Redis): Promise<void> {
  await until(
    'the replica to follow',
    () => replica.info('replication'),
    (info) => /master_link_status:up/.test(info),
  )
}

/** The first moment, in ms after `from`, at which each stage has gone on at the new master, and a write of the API and a job were taken. */
async function resumed(redis: Redis, url: string, from: number): Promise<Record<string, number>> {
  const at: Record<string, number> = {}
  const since = (name: string): void => {
    at[name] ??= Math.round(performance.now() - from)
  }
  const stages = async (): Promise<void> => {
    const names = { bridge: 'received', validate: 'admitted', aggregate: 'applied', leaderboard: 'ranked' }
    const before = await redis.hgetall('pipeline:counters')
    await until('every stage to go on', async () => {
      const counters = await redis.hgetall('pipeline:counters')
      for (const [name, counter] of Object.entries(names)) {
        if (Number(counters[counter]) > Number(before[counter])) since(name)
      }
      return Object.keys(names).every((name) => name in at)
    })
  }
  const api = async (): Promise<void> => {
    const accepted = await until(
      'the API to take a write',
      async () => {
        const { status, body } = await send(`${url}/orders/replay`, 'POST', { limit: 1, dryRun: true })
        if (status !== 202) expect([status, body['detail']]).toEqual([503, expect.stringMatching(/^Redis .*\.$/)])
        return { status, body }
      },
      ({ status }) => status === 202,
    )
    since('api')
    expect((await ended(url, accepted.body['job_id'])).state).toBe('completed')
    since('jobs')
  }
  await Promise.all([stages(), api()])
  return at
}

async function expectExact(orders: OrdersRun, redis: Redis, oracle: Oracle, sqs: { depth(): number }): Promise<void> {
  await until('the queue to be empty', () => sqs.depth() === 0)
  await until(
    'all to be ranked',
    () => redis.hgetall('pipeline:counters'),
    ({ ranked }) => Number(ranked) >= oracle.admitted,
  )
  const url = await orders.apiUrl()
  // Messages that SQS has delivered again may wait to be judged.
  const books = await until(
    'all to be judged',
    async () => (await fetch(`${url}/integrity`)).json() as Promise<{ waiting: number }>,
    ({ waiting }) => waiting === 0,
  )
  expect(books).toMatchObject({ balanced: true, admitted: oracle.admitted })
  expect(await redis.xlen('orders:invalid')).toBe(broken)
  await expectStats(getFrom(url), oracle)
}

/** Of how the master changes, when messages are deleted, and how. */
const switches: readonly (readonly [name: string, deleteAfter: string, switchOver: (pair: Pair) => Promise<void>])[] = [
  [
    'REPLICAOF by hand, while every open connection stays on the old master',
    'fsync',
    async (pair) => {
      await pair.toReplica.replicaof('NO', 'ONE')
      await pair.toMaster.replicaof('127.0.0.1', pair.replica.port)
      pair.proxy.leadTo(pair.replica.port)
    },
  ],
  [
    'FAILOVER, while every open connection stays on the old master',
    'replicas:1',
    async (pair) => {
      await pair.toMaster.call('FAILOVER', 'TO', '127.0.0.1', pair.replica.port, 'TIMEOUT', 10_000)
      await until(
        'the replica to be the master',
        () => pair.toReplica.info('replication'),
        (info) => /role:master/.test(info),
      )
      pair.proxy.leadTo(pair.replica.port)
    },
  ],
  [
    'kill -9 of the master, and its replica promoted',
    'replicas:1',
    async (pair) => {
      await pair.master.stop('SIGKILL')
      await pair.toReplica.replicaof('NO', 'ONE')
      pair.proxy.leadTo(pair.replica.port)
      await pair.master.start('--replicaof', '127.0.0.1', `${pair.replica.port}`)
    },
  ],
]

for (const [name, deleteAfter, switchOver] of switches) {
  test(`${name}: everything goes on at the new master, nothing is lost or doubled`, async (context) => {
    requireRedisServer(context)
    await using pair = await openPair()
    await using sqs = await emptySqs()
    const env = envOf(`redis://127.0.0.1:${pair.proxy.port}`, sqs, {
      SQS_DELETE_AFTER: deleteAfter,
      SQS_VISIBILITY_TIMEOUT_SECONDS: '5',
      LEDGER_DAYS: '1',
    })
    const oracle = new Oracle()
    await using orders = runOrders(['run', ...roles], env)
    await orders.started()
    const url = await orders.apiUrl()
    await sendBodies(
      env,
      [...sampleOrders({ valid: 0, invalid: broken, users: 20, seed: 0 })].map(({ body }) => body),
    )
    {
      await using _ = traffic(env, oracle)
      await until(
        'orders to flow',
        () => pair.toReplica.hget('pipeline:counters', 'ranked'),
        (ranked) => Number(ranked) > 200,
      )
      const replay = await send(`${url}/orders/replay`, 'POST', { limit: broken })
      const from = performance.now()
      await switchOver(pair)
      const switched = Math.round(performance.now() - from)
      const at = await resumed(pair.toReplica, url, from + switched)
      process.stdout.write(`${name}: switched in ${switched} ms, then resumed after ${JSON.stringify(at)} ms\n`)
      const { state, result } = await ended(url, replay.body['job_id'])
      expect([state, result?.['sent']]).toEqual(['completed', broken])
    }
    await linked(pair.toMaster)
    await until('readiness', async () => (await fetch(`${url}/readyz`)).status === 200)
    await expectExact(orders, pair.toReplica, oracle, sqs)
    const [away, back] = ['redisAway', 'redisBack'].map((event) => () => orders.events(event).length)
    await until('Redis to be said to be back after each outage', () => (back?.() ?? 0) > 0 && back?.() === away?.())
    expect(await orders.stop()).toEqual({ code: 0, signal: null })
  })
}

test('a replica and no master: writing routes and /readyz are 503 with a sentence, reading goes on', async (context) => {
  requireRedisServer(context)
  await using pair = await openPair()
  await using sqs = await emptySqs()
  await using orders = runOrders(['run', ...roles], envOf(`redis://127.0.0.1:${pair.proxy.port}`, sqs))
  await orders.started()
  const url = await orders.apiUrl()
  await pair.toMaster.replicaof('127.0.0.1', pair.replica.port)
  const unready = await until(
    'unreadiness',
    () => fetch(`${url}/readyz`),
    ({ status }) => status === 503,
  )
  const reported = expect.stringMatching(/^Redis (is currently a replica and takes no writes|does not answer)/)
  expect(await unready.json()).toMatchObject({ detail: reported })
  for (const [path, body] of [
    ['/orders/replay', {}],
    ['/admin/pause/validate', {}],
  ] as const) {
    const { status, body: problem } = await send(`${url}${path}`, 'POST', body)
    expect([path, status, problem['detail']]).toEqual([path, 503, reported])
  }
  expect((await fetch(`${url}/stats/global`)).status).toBe(200)
  const away = (): number => orders.events('redisAway').length
  await until('it to be said, once for what the roles share and the API', away, (times) => times === 1)
  await pair.toMaster.replicaof('NO', 'ONE')
  await until(
    'readiness',
    async () => (await fetch(`${url}/readyz`)).status,
    (status) => status === 200,
  )
  expect(await orders.stop()).toEqual({ code: 0, signal: null })
})
