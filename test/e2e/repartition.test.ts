import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster, Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { sampleOrders, startOfDay } from '../../src/ops/local/sample-orders.ts'
import { type Expected, expectedOf, inNewYork } from '../chaos/flow.ts'
import { randomOf } from '../chaos/random.ts'
import { expectedState, readState } from '../support/calendar-state.ts'
import { expectStats, getFrom } from '../support/expected.ts'
import { writing } from '../support/jobs.ts'
import { removeOnExit } from '../support/on-exit.ts'
import { Oracle } from '../support/oracle.ts'
import { spawnOrders } from '../support/process.ts'
import { spawnRedisCluster } from '../support/redis-cluster.ts'
import { freePort, spawnRedisServer } from '../support/redis-server.ts'
import { reportedDifferences } from '../support/reported-calendar.ts'
import { requireRedisServer } from '../support/requires.ts'
import { type OrdersRun, runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { striking } from '../support/strike.ts'
import { until } from '../support/until.ts'
import { type Env, emptySqs, envOf } from '../support/world.ts'

const line = ['run', 'bridge', 'validate', 'calendar', 'aggregate', 'leaderboard', 'jobs', 'api']
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

/** Orders of some users, new ones for each number. A fifth of them are corrected. */
function more(count: number, at: number): string[] {
  const options = { valid: count, invalid: Math.ceil(count / 10), corrections: 20, users: 250, seed: seed + at }
  const samples = sampleOrders({ ...options, until: startOfDay(new Date()) })
  return [...samples].map(({ body }) => body)
}

const isValid = (body: string): boolean => {
  const oracle = new Oracle()
  oracle.take(body)
  return oracle.admitted === 1
}

const isCorrection = (body: string): boolean => body.startsWith('{"event":"order.')

interface Integrity
  extends Readonly<Record<'received' | 'admitted' | 'corrected' | 'duplicates' | 'rejected', number>> {
  readonly stages: readonly { readonly waiting: number | null }[]
}

/** Sends orders, and then their corrections, which so overtake none. */
async function feed(env: Env, url: string, oracle: Oracle, bodies: readonly string[]): Promise<void> {
  for (const corrections of [false, true]) {
    const some = bodies.filter((body) => isCorrection(body) === corrections)
    for (const body of some) oracle.take(body)
    await sendBodies(env, some)
    await processed(url, oracle)
  }
}

async function processed(url: string, oracle: Oracle): Promise<void> {
  await until(
    `seed ${seed}: ${oracle.received} to be processed`,
    async () => (await fetch(`${url}/integrity`)).json() as Promise<Integrity>,
    ({ received, admitted, corrected, duplicates, rejected, stages }) =>
      received === oracle.received &&
      admitted + corrected + duplicates + rejected === oracle.received &&
      stages.every(({ waiting }) => waiting === 0),
  )
}

async function expectAll(env: Env, url: string, { oracle, calendar }: Expected): Promise<void> {
  await expectStats(getFrom(url), oracle)
  expect(await reportedDifferences(getFrom(url), calendar)).toEqual([])
  await using verify = runOrders(['verify', '--deep'], env)
  await verify.exit()
  expect(verify.stdout()).toMatch(/Everything balances\.\n$/)
  const { codes } = (await (await fetch(`${url}/orders/invalid/summary`)).json()) as { codes: Record<string, number> }
  expect(codes).toEqual(Object.fromEntries(oracle.codes))
}

const random = randomOf(seed)

/** Killed before or within any of its writes, again and again, and then let through. */
async function repartition(env: Env, redis: Redis, to: number): Promise<void> {
  for (let kill = 0; kill < 3; kill++) {
    const trigger = { event: 'repartitionStep', nth: 1 + random.below(60), after: random.below(2) === 1 }
    const strike = striking({ trigger, pid: 0, signal: 'SIGKILL' })
    await using run = spawnOrders(['repartition', '--to', String(to)], { ...env, ...strike })
    const { signal } = await run.exit()
    expect(run.stderr()).toBe('')
    if (signal === null) return
    await redis.del('pipeline:repartition') // else the next one waits until it runs out
  }
  await using run = runOrders(['repartition', '--to', String(to)], env)
  const { code } = await run.exit()
  expect([code, run.stderr()]).toEqual([0, ''])
}

async function start(env: Env): Promise<OrdersRun> {
  const all = runOrders(line, env)
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

/** Gives up an order that was not accepted, another than those before. Returns the path of its trace. */
async function discard(url: string, oracle: Oracle, before: readonly string[]): Promise<string> {
  const found = (await (await fetch(`${url}/orders/invalid?code=bad-value&limit=1000`)).json()) as {
    id: string
    order: { user_id: string; order_id: string }
  }[]
  const traces = found.map(({ id, order: { user_id, order_id } }) => ({
    id,
    trace: `/orders/${encodeURIComponent(user_id)}/${encodeURIComponent(order_id)}/trace`,
  }))
  const { id, trace } = traces.find(({ trace }) => !before.includes(trace)) ?? { id: '', trace: '' }
  const body = JSON.stringify({ reason: 'a test order' })
  const headers = writing
  const { status } = await fetch(`${url}/orders/invalid/${id}`, { method: 'DELETE', headers, body })
  expect(status).toBe(200)
  oracle.codes.set('bad-value', (oracle.codes.get('bad-value') ?? 0) - 1)
  return trace
}

const read = async (url: string, path: string): Promise<unknown> =>
  (await fetch(`${url}${path}`, { headers: writing })).json()
const invalidOf = (url: string): Promise<unknown> => read(url, '/orders/invalid?limit=1000')

test.for([
  ['from bare keys of one Redis to 8 partitions', single, [8]],
  ['on a Redis Cluster from 1 to 8 partitions and on to 3', clustered, [8, 3]],
] as const)(
  '%s, with kills in between: all numbers stay exact',
  { timeout: 300_000 },
  async ([, open, layouts], context) => {
    requireRedisServer(context)
    await using place = await open()
    await using sqs = await emptySqs()
    const base = envOf(place.url, sqs, { ...inNewYork, ...place.env })
    const expected = expectedOf()
    const { oracle, calendar } = expected
    const bodies: string[] = []
    const given: string[] = []
    let env = base
    for (const partitions of layouts) {
      await using all = await start(env)
      const url = await all.apiUrl()
      const fresh = more(200, partitions)
      const later = more(400, 100 + partitions).filter(isValid)
      await feed(env, url, oracle, [...bodies, ...fresh.filter((body) => !isCorrection(body))]) // those of before are known
      bodies.push(...fresh, ...later)
      given.push(await discard(url, oracle, given))
      await expectAll(env, url, expected)
      const invalid = await invalidOf(url)
      const load = [...fresh.filter(isCorrection), ...later]
      for (const body of load) oracle.take(body)
      const sent = sendBodies(env, load)
      await repartition(env, place.redis, partitions)
      await sent
      expect(await all.exit()).toEqual({ code: 1, signal: null })
      expect(all.stderr()).toMatch(`set PARTITIONS=${partitions}.`)
      await using refused = runOrders(line, env)
      expect(await refused.exit()).toEqual({ code: 1, signal: null })
      expect(refused.stderr()).toMatch(`set PARTITIONS=${partitions}.`)
      env = { ...base, PARTITIONS: String(partitions) }
      await using after = await start(env)
      const moved = await after.apiUrl()
      await processed(moved, oracle)
      expect(await readState(place.redis, await place.keys())).toEqual(expectedState(calendar))
      await expectAll(env, moved, expected)
      expect(await invalidOf(moved)).toEqual(invalid)
      for (const trace of given)
        expect(await read(moved, trace)).toMatchObject({ discarded: [{ why: 'a test order' }] })
      await feed(env, moved, oracle, bodies)
      await expectAll(env, moved, expected)
      expect(await after.stop()).toEqual({ code: 0, signal: null })
    }
    const now = new RegExp(`^(\\{p[0-${(layouts.at(-1) ?? 0) - 1}]\\}:|\\{jobs\\}:|pipeline:manifest$)`)
    const left = (await place.keys()).filter((key) => !now.test(key))
    expect(left.filter((key) => !/pipeline:(layout|pauses|presence|timeline|losses|dead-letters)/.test(key))).toEqual(
      [],
    )
  },
)

test('one Redis with partitions becomes a Redis Cluster with all that it holds', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  await using sqs = await emptySqs()
  const env = envOf(server.url, sqs, { ...inNewYork, PARTITIONS: '8' })
  const expected = expectedOf()
  const { oracle } = expected
  const bodies = more(200, 20)
  {
    await using all = await start(env)
    await feed(env, await all.apiUrl(), oracle, bodies)
    expect(await all.stop()).toEqual({ code: 0, signal: null })
  }
  await server.stop()
  const busPort = String(await freePort())
  await server.start('--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1', '--cluster-port', busPort)
  const redis = new Redis(server.url)
  for (const [from, to] of await unassigned(redis)) await redis.cluster('ADDSLOTSRANGE', from, to)
  await until(
    'the cluster to be up',
    () => redis.cluster('INFO'),
    (info) => info.includes('cluster_state:ok'),
  )
  redis.disconnect()
  const clustered = { ...env, REDIS_CLUSTER: 'true' }
  await using all = await start(clustered)
  await feed(clustered, await all.apiUrl(), oracle, [...bodies, ...more(200, 21)])
  await expectAll(clustered, await all.apiUrl(), expected)
})

/** A server that is made a cluster takes the slots of the keys that it has by itself. */
async function unassigned(redis: Redis): Promise<[from: number, to: number][]> {
  const taken = ((await redis.cluster('SLOTS')) as [number, number][]).sort(([one], [other]) => one - other)
  const ends: [number, number][] = [[-1, -1], ...taken, [16_384, 16_384]]
  return ends.slice(1).flatMap(([next], at): [number, number][] => {
    const from = (ends[at]?.[1] ?? 0) + 1
    return from < next ? [[from, next - 1]] : []
  })
}

test('what others have paused stays paused; what was killed before it moved anything can be called off', async (context) => {
  requireRedisServer(context)
  await using place = await single()
  await using sqs = await emptySqs()
  const env = envOf(place.url, sqs, inNewYork)
  await using all = await start(env)
  const url = await all.apiUrl()
  const { oracle } = expectedOf()
  await feed(env, url, oracle, more(50, 30))
  const headers = { ...writing, 'x-operator': 'ann' }
  await fetch(`${url}/admin/pause/leaderboard`, { method: 'POST', headers, body: '{}' })
  const paused = async (at: string) => {
    const { components } = (await read(at, '/admin/pauses')) as {
      components: { component: string; paused: boolean; by?: string }[]
    }
    return components.filter(({ paused }) => paused).map(({ component, by }) => `${component} by ${by}`)
  }
  const strike = striking({ trigger: { event: 'repartitionStep', nth: 6 }, pid: 0, signal: 'SIGKILL' })
  {
    await using killed = spawnOrders(['repartition', '--to', '4'], { ...env, ...strike })
    expect(await killed.exit()).toMatchObject({ signal: 'SIGKILL' })
    await place.redis.del('pipeline:repartition')
    expect(await paused(url)).toEqual(['bridge by orders repartition', 'leaderboard by ann'])
    await using other = runOrders(['repartition', '--to', '5'], env)
    await other.exit()
    expect(other.stderr()).toBe('A repartition to 4 is under way: let it end first, by orders repartition --to 4.\n')
    await using undone = runOrders(['repartition', '--undo'], env)
    expect([(await undone.exit()).code, undone.stderr(), undone.stdout()]).toEqual([
      0,
      '',
      'Undone: everything is as it was.\n',
    ])
  }
  expect(await paused(url)).toEqual(['leaderboard by ann'])
  await using moved = runOrders(['repartition', '--to', '4'], env)
  expect([(await moved.exit()).code, moved.stderr()]).toEqual([0, ''])
  expect(await all.exit()).toEqual({ code: 1, signal: null })
  const after = { ...env, PARTITIONS: '4' }
  await using restarted = await start(after)
  expect(await paused(await restarted.apiUrl())).toEqual(['leaderboard by ann'])
  await fetch(`${await restarted.apiUrl()}/admin/resume/leaderboard`, { method: 'POST', headers, body: '{}' })
  const audit = (await read(await restarted.apiUrl(), '/admin/audit')) as { action: string; by: string }[]
  expect(audit.map(({ action }) => action)).toEqual(expect.arrayContaining(['pause', 'repartition', 'resume']))
  await feed(after, await restarted.apiUrl(), oracle, more(50, 31))
})

test('the system of a folder ends when its partitions change, and is started again with the new number', async (context) => {
  requireRedisServer(context)
  const cwd = mkdtempSync(join(tmpdir(), 'orders-test-folder-'))
  using _ = removeOnExit(cwd)
  const env = { API_PORT: '0', SQS_WAIT_TIME_SECONDS: '1', LOG_LEVEL: 'info' }
  const run = async (...args: string[]): Promise<[code: number | null, stderr: string]> => {
    await using process = spawnOrders(args, env, { cwd })
    const { code } = await process.exit()
    return [code, process.stderr()]
  }
  await using before = spawnOrders(['start'], env, { cwd })
  await before.started()
  expect(await run('populate', '--valid', '30', '--invalid', '3')).toEqual([0, ''])
  const url = await before.apiUrl()
  await until(
    'all to be processed',
    () => read(url, '/integrity'),
    (books) => (books as { received: number }).received === 33,
  )
  expect(await run('repartition')).toEqual([
    2,
    'orders repartition: give the new number of partitions, as in --to 8.\n',
  ])
  expect(await run('repartition', '--to', '4')).toEqual([0, ''])
  expect((await before.exit()).code).toBe(1)
  await using after = spawnOrders(['start'], { ...env, PARTITIONS: '4' }, { cwd })
  await after.started()
  const newUrl = await after.apiUrl()
  expect(await read(newUrl, '/stats/global')).toMatchObject({ total_orders: 30 })
  const { components } = (await read(newUrl, '/admin/pauses')) as { components: { paused: boolean }[] }
  expect(components.filter(({ paused }) => paused)).toEqual([])
  expect(await after.stop()).toEqual({ code: 0, signal: null })
})
