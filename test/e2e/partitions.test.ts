import { Cluster } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { makePartitions } from '../../src/keys.ts'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { partitionFor } from '../../src/partitions.ts'
import type { RedisClient } from '../../src/redis/client.ts'
import { rejectByBug } from '../support/broken-release.ts'
import { expectStats, type Get, getFrom, rankingOf, waves } from '../support/expected.ts'
import { ended, send } from '../support/jobs.ts'
import { Oracle } from '../support/oracle.ts'
import { spawnOrders } from '../support/process.ts'
import { type RedisCluster, spawnRedisCluster } from '../support/redis-cluster.ts'
import { hasRedisServer, requireRedisServer } from '../support/requires.ts'
import { type OrdersRun, runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { type Env, emptySqs, envOf } from '../support/world.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const count = 8
const partitions = makePartitions(count)
const stages = ['validate', 'aggregate', 'leaderboard']

let cluster: RedisCluster
beforeAll(async () => {
  if (hasRedisServer()) cluster = await spawnRedisCluster({ masters: 3, replicas: 1 })
})
afterAll(() => cluster?.[Symbol.asyncDispose]())
beforeEach(async (context) => {
  requireRedisServer(context)
  const masters = new Set(await Promise.all(partitions.map(({ counters }) => cluster.masterOf(counters))))
  expect(masters.size).toBe(3) // so every test goes over all of them
  await Promise.all([...masters].map(({ redis }) => redis.flushall()))
})

function envOn(sqs: { url: string; queueName: string } | undefined, more: Env = {}): Env {
  return envOf(cluster.url, sqs, { REDIS_CLUSTER: 'true', PARTITIONS: `${count}`, ...more })
}

function client(): RedisClient & Disposable {
  const opened = new Cluster(cluster.url.split(',')) as unknown as RedisClient
  return Object.assign(opened, { [Symbol.dispose]: () => opened.disconnect() })
}

interface Books {
  received: number
  admitted: number
  duplicates: number
  rejected: number
  balanced: boolean
  stages: { waiting: number }[]
}

/** The books when all that the oracle took is through, which the message says of a seed. */
async function settledBooks(get: Get, oracle: Oracle): Promise<Books> {
  return until(
    `seed ${seed}: ${oracle.received} to be through`,
    async () => (await get('/integrity')) as unknown as Books,
    ({ received, stages }) => received >= oracle.received && stages.every(({ waiting }) => waiting === 0),
  )
}

/** Every number that the API and `orders verify --deep` report is the oracle's. */
async function expectExact(env: Env, get: Get, oracle: Oracle, invalid = oracle.rejected): Promise<void> {
  expect(await settledBooks(get, oracle)).toMatchObject({
    balanced: true,
    admitted: oracle.admitted,
    total_orders: oracle.admitted,
    total_revenue: Number(oracle.cents) / 100,
    invalid: { stream: invalid, list: invalid, groups: invalid },
  })
  await expectStats(get, oracle)
  await using verified = runOrders(['verify', '--deep'], env)
  expect([await verified.exit(), verified.stderr()]).toEqual([{ code: 0, signal: null }, ''])
  expect(verified.stdout()).toMatch(/Everything balances\.\n$/)
}

async function everyPage<T>(read: (last: T | undefined) => Promise<T[]>): Promise<T[]> {
  const all: T[] = []
  for (let page = await read(undefined); page.length > 0; page = await read(page.at(-1))) all.push(...page)
  return all
}

async function expectBoards(get: Get, oracle: Oracle): Promise<void> {
  for (const by of ['spend', 'orders'] as const) {
    const ranking = rankingOf(oracle, by)
    for (const offset of [0, 1, 13, 30, ranking.length - 1, ranking.length + 5]) {
      const page = await get(`/stats/top-users?by=${by}&n=10&offset=${offset}`)
      expect(page).toEqual({ by, n: 10, offset, users: ranking.slice(offset, offset + 10) })
    }
    const paged: unknown[] = []
    for (let after: unknown = ''; after !== null; ) {
      const page = await get(`/stats/top-users?by=${by}&n=4&after=${after}`)
      expect(page['offset']).toBe(paged.length)
      paged.push(...(page['users'] as unknown[]))
      after = page['next']
    }
    expect(paged).toEqual(ranking)
    for (const [at, { user_id, score }] of ranking.entries()) {
      const { [by]: standing } = await get(`/users/${encodeURIComponent(user_id)}/rank?around=3`)
      const from = Math.max(0, at - 3)
      const neighbors = ranking.slice(from, at + 4).map((user, index) => ({ rank: from + index + 1, ...user }))
      expect(standing).toEqual({ rank: at + 1, score, users: ranking.length, neighbors })
    }
  }
}

interface Kept {
  readonly id: string
  readonly code: string
  readonly order: { readonly user_id?: unknown } | null
}

const older = (one: string, other: string): boolean => {
  const [[ms = 0, sequence = 0], [otherMs = 0, otherSequence = 0]] = [one, other].map((id) =>
    id.split('-').map(Number),
  ) as [number[], number[]]
  return ms < otherMs || (ms === otherMs && sequence < otherSequence)
}

/** Page by page, with nothing twice and newest first, as much as `expected`. */
async function expectInvalid(get: Get, query: string, expected: number, every: (kept: Kept) => boolean): Promise<void> {
  const found = await everyPage<Kept>(async (last) => {
    return (await get(`/orders/invalid?limit=40&${query}${last ? `&before=${last.id}` : ''}`)) as unknown as Kept[]
  })
  expect([query, found.length]).toEqual([query, expected])
  expect(found.every(every)).toBe(true)
  expect(found.every(({ id }, at) => at === 0 || older(id, found[at - 1]?.id ?? ''))).toBe(true)
}

/** One of the ordinary users, where the body is an object and says so. */
function ownerOf(body: string): string | undefined {
  try {
    const { user_id } = JSON.parse(body)
    return /^user_\d+$/.test(user_id) ? String(user_id) : undefined
  } catch {
    return undefined
  }
}

test('generated orders on three masters come to what an independent oracle says, whichever partition has them', async () => {
  await using sqs = await emptySqs()
  const env = envOn(sqs)
  await using stack = new AsyncDisposableStack()
  const roles = [['bridge', 'api'], ['bridge'], stages, stages]
  const processes = roles.map((together) => stack.use(runOrders(['run', ...together], env)))
  await Promise.all(processes.map((process) => process.started()))
  const [first] = processes as [OrdersRun]
  const get = getFrom(await first.apiUrl())

  const oracle = new Oracle()
  const rejectedOf = new Map<string, number>()
  for (const wave of waves(1_000, seed)) {
    for (const sent of wave) {
      const before = oracle.rejected
      oracle.take(sent)
      const user = ownerOf(sent)
      if (user && oracle.rejected > before) rejectedOf.set(user, (rejectedOf.get(user) ?? 0) + 1)
    }
    await sendBodies(env, wave)
    await settledBooks(get, oracle)
  }
  const { received, duplicates, rejected } = oracle
  expect(await settledBooks(get, oracle)).toMatchObject({ received, duplicates, rejected })
  await expectExact(env, get, oracle)
  await expectBoards(get, oracle)

  await expectInvalid(get, '', rejected, () => true)
  for (const [code, times] of oracle.codes)
    await expectInvalid(get, `code=${code}`, times, (kept) => kept.code === code)
  for (const [user, times] of [...rejectedOf].slice(0, 5)) {
    const some = (await get(`/orders/invalid?limit=1000&user_id=${user}`)) as unknown as Kept[]
    expect([user, some.length]).toEqual([user, times])
    expect(some.every(({ order }) => order?.user_id === user)).toBe(true)
  }
  const summary = await get('/orders/invalid/summary')
  expect(summary).toMatchObject({ total: rejected, codes: Object.fromEntries(oracle.codes) })
  await until('the queue to be empty', () => sqs.depth() === 0)
  for (const process of processes) expect(await process.stop()).toEqual({ code: 0, signal: null })
})

const valid = (count: number, seed: number): string[] =>
  [...sampleOrders({ valid: count, invalid: 0, users: 20, seed })].map(({ body }) => body)

/** Users, the first of which is in another partition than the second. */
function twoUsers(): [string, string] {
  const at = (user: string): unknown => partitionFor(partitions, user)
  const other = Array.from({ length: 20 }, (_, n) => `other_${n}`).find((user) => at(user) !== at('one'))
  return ['one', other ?? '']
}

test('jobs: replays, corrections that move an order to another partition, new orders and Bull Board', async () => {
  await using sqs = await emptySqs()
  const env = envOn(sqs)
  const oracle = new Oracle()
  const byBug = valid(200, 1)
  for (const body of byBug) oracle.take(body)
  using redis = client()
  const parts = Map.groupBy(byBug, (body) => partitionFor(partitions, JSON.parse(body).user_id))
  expect(parts.size).toBeGreaterThan(4)
  await Promise.all([...parts].map(([keys, bodies]) => rejectByBug(redis, bodies, keys)))

  await using all = runOrders(['run', 'bridge', ...stages, 'api', 'jobs'], env)
  await all.started()
  const url = await all.apiUrl()
  const get = getFrom(url)
  const limited = await send(`${url}/orders/replay`, 'POST', { code: 'internal-error', limit: 70 })
  expect(await ended(url, limited.body['job_id'])).toMatchObject({
    state: 'completed',
    result: { sent: 70, admitted: 70 },
  })
  await using script = runOrders(['replay', '1000', '--wait'], env)
  expect([await script.exit(), script.stderr()]).toEqual([{ code: 0, signal: null }, ''])
  expect(script.stdout()).toMatch(/^admitted +130$/m)

  const [one, other] = twoUsers()
  const order = (user_id: string, order_id: string, order_value: number) => ({ user_id, order_id, order_value })
  await sendBodies(
    env,
    [1, 2, 3].map((n) => JSON.stringify(order(one, `o${n}`, -n))),
  )
  const kept = await until(
    'three to be rejected',
    async () => (await get('/orders/invalid')) as unknown as { id: string }[],
    ({ length }) => length === 3,
  )
  const [third, second, first] = kept.map(({ id }) => `${url}/orders/invalid/${id}`) as [string, string, string]
  const corrected = await send(first, 'PUT', order(other, 'o1', 5), { 'x-operator': 'ann' })
  expect(await ended(url, corrected.body['job_id'])).toMatchObject({
    state: 'completed',
    verdict: { verdict: 'admitted' },
  })
  oracle.take(JSON.stringify(order(other, 'o1', 5)))
  expect((await fetch(first)).status).toBe(404)

  const failing = await send(second, 'PUT', order(other, 'o2', -5), { 'x-operator': 'ann' })
  const { verdict } = await ended(url, failing.body['job_id'])
  expect(verdict).toMatchObject({ verdict: 'rejected', code: 'bad-value' })
  expect(await get(`/orders/invalid/${verdict?.['invalid_id']}`)).toMatchObject({
    order: { user_id: other },
    attempts: 2,
    edits: [{ by: 'ann', before: JSON.stringify(order(one, 'o2', -2)) }],
  })
  const gone = await send(third, 'DELETE', { reason: 'a test' })
  expect(gone).toMatchObject({ status: 200, body: { status: 'discarded' } })
  const [sample = ''] = valid(1, 2)
  const fresh = await send(`${url}/orders/reprocess`, 'POST', sample)
  expect((await ended(url, fresh.body['job_id'])).verdict).toEqual({ verdict: 'admitted' })
  oracle.take(sample)

  const { queues } = (await get('/admin/queues/api/queues')) as { queues: { name: string; counts: object }[] }
  expect(queues.map(({ name, counts }) => [name, counts])).toEqual([
    ['reprocess', expect.objectContaining({ completed: 3, failed: 0 })],
    ['replay', expect.objectContaining({ completed: 2, failed: 0 })],
    ['redrive', expect.objectContaining({ completed: 0, failed: 0 })],
    ['undo', expect.objectContaining({ completed: 0, failed: 0 })],
  ])
  await expectExact(env, get, oracle, 1)
  expect(await all.stop()).toEqual({ code: 0, signal: null })
})

test('several corrections of one order at once, each to another user: one of them counts', async () => {
  await using sqs = await emptySqs()
  const env = envOn(sqs)
  await using all = runOrders(['run', 'bridge', ...stages, 'api', 'jobs'], env)
  await all.started()
  const url = await all.apiUrl()
  const get = getFrom(url)
  await sendBodies(env, ['{"user_id":"one","order_id":"o","order_value":-1}'])
  const [kept] = await until(
    'it to be rejected',
    async () => (await get('/orders/invalid')) as unknown as { id: string }[],
    ({ length }) => length === 1,
  )
  const users = Array.from({ length: 6 }, (_, at) => `other_${at}`)
  expect(new Set(users.map((user) => partitionFor(partitions, user))).size).toBeGreaterThan(2)
  const sent = await Promise.all(
    users.map((user_id) =>
      send(
        `${url}/orders/invalid/${kept?.id}`,
        'PUT',
        { user_id, order_id: 'o', order_value: 1 },
        { 'x-operator': 'ann' },
      ),
    ),
  )
  const jobs = sent.flatMap(({ body }) => (body['job_id'] ? [body['job_id']] : []))
  const states = await Promise.all(jobs.map(async (job) => (await ended(url, job)).state))
  expect(states.filter((state) => state === 'completed')).toHaveLength(1)
  await until(
    'it to be counted',
    () => get('/stats/global'),
    ({ total_orders }) => total_orders === 1,
  )
  expect(await get('/stats/global')).toEqual({ total_orders: 1, total_revenue: 1 })
  expect(await get('/orders/invalid')).toEqual([])
})

/** Partitions of a stage that a process says it has. */
function leased(process: OrdersRun, stage: string): number[] {
  const said = process.events('partitionsAssigned').filter((event) => event['stage'] === stage)
  return (said.at(-1)?.['partitions'] ?? []) as number[]
}

/** Each of these processes has a part, as even as can be, and together they have every partition of every stage once. */
function sharedOut(processes: readonly OrdersRun[]): boolean {
  return stages.every((stage) => {
    const parts = processes.map((process) => leased(process, stage))
    const whole =
      parts
        .flat()
        .sort((a, b) => a - b)
        .join() === [...partitions.keys()].join()
    return whole && parts.every(({ length }) => Math.abs(length - count / processes.length) < 1)
  })
}

/** A lease runs out, and is taken at the next renewal. */
const takenOverMs = 5_000 + 1_000
/** Two cores run all of this. */
const slackMs = 10_000

test('processes share the partitions of each stage out, one joins and one is killed -9: no order is lost or doubled', async () => {
  await using sqs = await emptySqs()
  const env = envOn(sqs, { LOG_LEVEL: 'debug' })
  await using front = runOrders(['run', 'bridge', 'api'], envOn(sqs))
  await using one = spawnOrders(['run', ...stages], env)
  await using two = runOrders(['run', ...stages], env)
  await Promise.all([front, one, two].map((process) => process.started()))
  const get = getFrom(await front.apiUrl())
  const oracle = new Oracle()
  let orders = 0
  const feed = async (count: number): Promise<void> => {
    const bodies = valid(count, ++orders)
    for (const body of bodies) oracle.take(body)
    await sendBodies(env, bodies)
  }
  const feedUntil = (what: string, reached: () => boolean, count = 20): Promise<boolean> =>
    until(what, async () => {
      await feed(count)
      return reached()
    })
  await feedUntil('two to share them', () => sharedOut([one, two]))
  await using three = runOrders(['run', ...stages], env)
  await three.started()
  await feedUntil('three to share them', () => sharedOut([one, two, three]))

  const committed = Number(one.events('committed').length)
  await feedUntil('the first to be at work', () => one.events('committed').length > committed, 300)
  const killedAt = performance.now()
  await one.kill('SIGKILL')
  await feedUntil('the others to have what it had', () => sharedOut([two, three]))
  expect(performance.now() - killedAt).toBeLessThan(takenOverMs + slackMs)
  expect(await two.stop()).toEqual({ code: 0, signal: null })
  const leftAt = performance.now()
  await feedUntil('the last to have all', () => sharedOut([three]))
  expect(performance.now() - leftAt).toBeLessThan(1_000 + slackMs) // it gave its leases back
  await expectExact(env, get, oracle)
})

test('a stage works the partitions that it is given and no other', async () => {
  const env = envOn(undefined)
  await using some = runOrders(['run', 'validate', '--partitions', '0-3'], env)
  await some.started()
  using redis = client()
  const record = { id: 'm', body: '{}' }
  await Promise.all(
    partitions.map((keys) => redis.xadd(keys.stream('raw'), '*', 'n', '1', 'r', JSON.stringify([record]))),
  )
  const judged = (): Promise<(string | null)[]> =>
    Promise.all(partitions.map(({ counters }) => redis.hget(counters, 'rejected')))
  await until('its own to be worked', judged, (counts) => counts.slice(0, 4).every((rejected) => rejected === '1'))
  await using others = runOrders(['run', 'validate', '--partitions', '4,5-7'], env)
  await others.started()
  await until('the others to be worked', judged, (counts) => counts.every((rejected) => rejected === '1'))
  expect(await some.stop()).toEqual({ code: 0, signal: null })
})

test.each([
  ['0-8', 'orders run: there is no partition 8, there are 8: use 0 to 7.'],
  [
    '3-1',
    'orders run: --partitions is "3-1", expected numbers and ranges separated by commas, such as 0-3,7: see orders run --help.',
  ],
  [
    'x',
    'orders run: --partitions is "x", expected numbers and ranges separated by commas, such as 0-3,7: see orders run --help.',
  ],
])('--partitions %s is refused in one line', async (list, reported) => {
  await using refused = runOrders(['run', 'validate', '--partitions', list], envOn(undefined))
  expect(await refused.exit()).toEqual({ code: 2, signal: null })
  expect(refused.stderr()).toBe(`${reported}\n`)
})
