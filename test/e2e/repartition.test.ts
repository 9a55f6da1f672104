import { fileURLToPath } from 'node:url'
import { Cluster, Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { sampleOrders } from '../../src/ops/orderbook.ts'
import { randomOf } from '../chaos/random.ts'
import type { Strike } from '../support/crash.ts'
import { expectStats, getFrom } from '../support/expected.ts'
import { Oracle } from '../support/oracle.ts'
import { type OrdersProcess, spawnOrders } from '../support/process.ts'
import { spawnRedisCluster } from '../support/redis-cluster.ts'
import { spawnRedisServer } from '../support/redis-server.ts'
import { requireRedisServer } from '../support/requires.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { type Env, emptySqs, envOf } from '../support/world.ts'

const line = ['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'jobs', 'api']
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

/** Orders of some users, new ones for each number. */
function more(count: number, at: number): string[] {
  const samples = sampleOrders({ valid: count, invalid: Math.ceil(count / 10), users: 250, seed: seed + at })
  return [...samples].map(({ body }) => body)
}

async function feed(env: Env, url: string, oracle: Oracle, bodies: readonly string[]): Promise<void> {
  for (const body of bodies) oracle.take(body)
  await sendBodies(env, bodies)
  await until(
    `seed ${seed}: ${oracle.received} to be worked off`,
    async () => (await fetch(`${url}/integrity`)).json() as Promise<Record<string, number>>,
    ({ received, admitted = 0, duplicates = 0, rejected = 0, waiting }) =>
      received === oracle.received && waiting === 0 && admitted + duplicates + rejected === oracle.received,
  )
}

async function expectAll(env: Env, url: string, oracle: Oracle): Promise<void> {
  await expectStats(getFrom(url), oracle)
  await using verify = spawnOrders(['verify', '--deep'], env)
  await verify.exit()
  expect(verify.stdout()).toMatch(/All is right\.\n$/)
  const { codes } = (await (await fetch(`${url}/orders/invalid/summary`)).json()) as { codes: Record<string, number> }
  expect(codes).toEqual(Object.fromEntries(oracle.codes))
}

const preload = fileURLToPath(new URL('../support/crash.ts', import.meta.url))
const random = randomOf(seed)

/** Killed before or within any of its writes, again and again, and then let through. */
async function repartition(env: Env, redis: Redis, to: number): Promise<void> {
  for (let kill = 0; kill < 10; kill++) {
    const trigger = { event: 'moving', nth: 1 + random.below(60), after: random.below(2) === 1 }
    const strike: Strike = { trigger, pid: 0, signal: 'SIGKILL' }
    const striking = { STRIKE: JSON.stringify(strike), NODE_OPTIONS: `--import=${preload}` }
    await using run = spawnOrders(['repartition', '--to', String(to)], { ...env, ...striking })
    const { signal } = await run.exit()
    expect(run.stderr()).toBe('')
    if (signal === null) return
    await redis.del('pipeline:repartition') // else the next one waits until it runs out
  }
  await using run = spawnOrders(['repartition', '--to', String(to)], env)
  const { code } = await run.exit()
  expect([code, run.stderr()]).toEqual([0, ''])
}

async function start(env: Env): Promise<OrdersProcess> {
  const all = spawnOrders(line, env)
  await all.started()
  return all
}

interface Place extends AsyncDisposable {
  readonly url: string
  /** Of the processes that run before anything is moved. */
  readonly env: Env
  readonly redis: Redis
  /** Names of all keys. */
  keys(): Promise<string[]>
}

async function single(): Promise<Place> {
  const server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  const redis = new Redis(server.url)
  const close = async (): Promise<void> => {
    redis.disconnect()
    await server[Symbol.asyncDispose]()
  }
  return { url: server.url, env: {}, redis, keys: () => redis.keys('*'), [Symbol.asyncDispose]: close }
}

async function clustered(): Promise<Place> {
  const cluster = await spawnRedisCluster({ masters: 3 })
  const redis = new Cluster(cluster.url.split(','))
  const close = async (): Promise<void> => {
    redis.disconnect()
    await cluster[Symbol.asyncDispose]()
  }
  const keys = async () => (await Promise.all(cluster.nodes.map((node) => node.redis.keys('*')))).flat()
  const env = { REDIS_CLUSTER: 'true', PARTITIONS: '1' }
  return { url: cluster.url, env, redis: redis as unknown as Redis, keys, [Symbol.asyncDispose]: close }
}

/** An order that was not accepted is given up. */
async function discard(url: string, oracle: Oracle): Promise<string> {
  const found = (await (await fetch(`${url}/orders/invalid?code=bad-value&limit=1`)).json()) as {
    id: string
    order: { user_id: string; order_id: string }
  }[]
  const { id = '', order } = found[0] ?? {}
  const body = JSON.stringify({ reason: 'a test order' })
  const headers = { 'content-type': 'application/json' }
  const { status } = await fetch(`${url}/orders/invalid/${id}`, { method: 'DELETE', headers, body })
  expect(status).toBe(200)
  oracle.codes.set('bad-value', (oracle.codes.get('bad-value') ?? 0) - 1)
  return `/orders/${encodeURIComponent(order?.user_id ?? '')}/${encodeURIComponent(order?.order_id ?? '')}/trace`
}

const read = async (url: string, path: string): Promise<unknown> => (await fetch(`${url}${path}`)).json()
const invalidOf = (url: string): Promise<unknown> => read(url, '/orders/invalid?limit=1000')

test.for([
  ['from bare keys of one Redis', single],
  ['on a Redis Cluster from 1', clustered],
] as const)(
  '%s to 8 partitions and on to 3, with kills in between: all numbers stay exact',
  { timeout: 240_000 },
  async ([, open], context) => {
    requireRedisServer(context)
    await using place = await open()
    await using sqs = await emptySqs()
    const base = envOf(place.url, sqs, place.env)
    const oracle = new Oracle()
    const bodies: string[] = []
    const given: string[] = []
    let env = base
    for (const partitions of [8, 3]) {
      await using all = await start(env)
      const url = await all.apiUrl()
      const fresh = more(400, partitions)
      await feed(env, url, oracle, [...bodies, ...fresh]) // those of before are known
      bodies.push(...fresh)
      given.push(await discard(url, oracle))
      await expectAll(env, url, oracle)
      const invalid = await invalidOf(url)
      await repartition(env, place.redis, partitions)
      expect(await all.exit()).toEqual({ code: 1, signal: null })
      expect(all.stderr()).toMatch(`set PARTITIONS=${partitions}.`)
      await using refused = spawnOrders(line, env)
      expect(await refused.exit()).toEqual({ code: 1, signal: null })
      expect(refused.stderr()).toMatch(`set PARTITIONS=${partitions}.`)
      env = { ...base, PARTITIONS: String(partitions) }
      await using after = await start(env)
      const moved = await after.apiUrl()
      await expectAll(env, moved, oracle)
      expect(await invalidOf(moved)).toEqual(invalid)
      for (const trace of given)
        expect(await read(moved, trace)).toMatchObject({ discarded: [{ why: 'a test order' }] })
      await feed(env, moved, oracle, bodies)
      await expectAll(env, moved, oracle)
      expect(await after.kill('SIGTERM')).toEqual({ code: 0, signal: null })
    }
    const left = (await place.keys()).filter((key) => !/^(\{p[0-2]\}:|\{jobs\}:|pipeline:manifest$)/.test(key))
    expect(left.filter((key) => !/pipeline:(layout|steering|timeline)/.test(key))).toEqual([])
  },
)
