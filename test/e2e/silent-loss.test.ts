import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { expect, type TestContext, test } from 'vitest'
import { enqueue } from '../../src/ingest/enqueue.ts'
import { type Keys, makeKeys, makePartitions } from '../../src/keys.ts'
import { partitionFor } from '../../src/partitions.ts'
import { spawnRedisCluster } from '../support/redis-cluster.ts'
import { type RedisServer, spawnRedisServer } from '../support/redis-server.ts'
import { requireRedisServer } from '../support/requires.ts'
import { type OrdersRun, runOrders } from '../support/run-orders.ts'
import { openShiftedTime } from '../support/shifted-time.ts'
import { until } from '../support/until.ts'
import { type Env, emptySqs, envOf } from '../support/world.ts'

const stages = ['validate', 'aggregate', 'leaderboard']

/** A redis-server of a test's own, with a client that comes back when it does. */
async function ownRedis(context: TestContext): Promise<RedisServer & { redis: Redis }> {
  requireRedisServer(context)
  const server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  const redis = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
  redis.on('error', () => {})
  const close = async (): Promise<void> => {
    redis.disconnect()
    await server[Symbol.asyncDispose]()
  }
  return { ...server, redis, [Symbol.asyncDispose]: close }
}

const envFor = (url: string, more: Env = {}): Env => envOf(url, undefined, { LOG_LEVEL: 'debug', ...more })

/** Sends orders of a user each, and waits until they are ranked. */
async function work(redis: Redis, orders: number, keys: Keys = makeKeys()): Promise<void> {
  const before = Number((await redis.hget(keys.counters, 'ranked')) ?? 0)
  for (let first = 0; first < orders; first += 10) {
    const records = Array.from({ length: Math.min(10, orders - first) }, (_, at) => ({
      id: `m${before + first + at}`,
      body: JSON.stringify({ user_id: `u${before + first + at}`, order_id: 'o', order_value: 1.25 }),
    }))
    await enqueue(redis, keys, records)
  }
  const ranked = () => redis.hget(keys.counters, 'ranked')
  await until('the orders to be ranked', ranked, (found) => Number(found) === before + orders)
}

/** Resolves when each process has looked again, and knows what is there now. */
async function looked(...processes: readonly OrdersRun[]): Promise<void> {
  for (const process of processes) {
    const before = process.events('dataChecked').length
    await until('two looks', () => process.events('dataChecked').length >= before + 2)
  }
}

const incidentsIn = (...processes: readonly OrdersRun[]): string[] =>
  processes.flatMap((process) => process.events('incident').map(({ text }) => String(text)))

async function command(env: Env, ...args: string[]): Promise<{ code: number | null; lines: string[] }> {
  await using orders = runOrders(args, { ...env, LOG_LEVEL: 'info' })
  const { code } = await orders.exit()
  return { code, lines: `${orders.stdout()}${orders.stderr()}`.trimEnd().split('\n') }
}

const fetched = async (url: string): Promise<string> => (await fetch(url)).text()

const time = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z'
const gone = (orders: string): string =>
  `At most ${orders} gone, plus those that arrived in between. SQS redelivers the messages that it still holds; the rest must be sent again or restored.`
const text = (before: string, counts: string, orders: string): RegExp =>
  new RegExp(`^${before} between ${time} and ${time}: ${counts}. ${gone(orders)}$`)

test('FLUSHALL is said once, in the log, by verify, doctor, the API and a metric, until it is acknowledged', async (context) => {
  await using server = await ownRedis(context)
  const { redis } = server
  await using sqs = await emptySqs()
  const env = { ...envFor(server.url), ...envOf(server.url, sqs) }
  await using one = runOrders(['run', ...stages, 'api'], { ...env, LOG_LEVEL: 'debug', LEDGER_DAYS: '7' })
  await using two = runOrders(['run', 'bridge'], { ...env, LOG_LEVEL: 'debug', LEDGER_DAYS: '7' })
  await Promise.all([one.started(), two.started()])
  await work(redis, 489)
  await looked(one, two)
  await redis.flushall()
  await looked(one, two)

  const counts = ['received', 'admitted', 'applied', 'ranked'].map((name) => `${name} 489 → 0`).join(', ')
  const flushed = text('Redis was emptied, or other data put in place of its own,', counts, '489 orders are')
  expect(incidentsIn(one, two)).toEqual([expect.stringMatching(flushed)])
  const [said = ''] = incidentsIn(one, two)

  // The settings are the same again, and another process cannot set Redis up with others.
  expect(await redis.hgetall('pipeline:manifest')).toMatchObject({ LEDGER_DAYS: '7', PARTITIONS: 'none' })
  expect([...one.events('manifestRestored'), ...two.events('manifestRestored')]).not.toEqual([])
  const other = await command({ ...env, LEDGER_DAYS: '14' }, 'run', 'validate')
  expect(other).toEqual({
    code: 1,
    lines: [expect.stringMatching(/was set up with LEDGER_DAYS=7, this process has 14/)],
  })

  const seven = { ...env, LEDGER_DAYS: '7' }
  const verified = await command(seven, 'verify')
  expect(verified.code).toBe(1)
  expect(verified.lines.slice(-4)).toEqual([
    'The books balance. Users, leaderboards and global stats are compared with --deep.',
    '',
    'One incident is not acknowledged. Once all is dealt with: orders verify --acknowledge.',
    expect.stringContaining(said),
  ])
  const examined = await command(seven, 'doctor')
  expect(examined.code).toBe(1)
  const at = examined.lines.findIndex((line) => line.includes(said))
  expect(examined.lines.slice(at, at + 2)).toEqual([
    expect.stringMatching(/^error +incidents +Redis was emptied/),
    expect.stringMatching(/^ +→ Once it is dealt with, run orders verify --acknowledge\.$/),
  ])
  const url = await one.apiUrl()
  expect(JSON.parse(await fetched(`${url}/integrity`))).toMatchObject({ balanced: true, incidents: [said] })
  expect(JSON.parse(await fetched(`${url}/live/snapshot`))).toMatchObject({
    books: { balanced: false, differences: [said] },
  })
  expect(await fetched(`${url}/metrics`)).toContain('\norders_incidents{kind="data"} 1\n')

  const acknowledged = await command(seven, 'verify', '--acknowledge')
  expect(acknowledged).toMatchObject({ code: 0 })
  expect(acknowledged.lines[0]).toBe(`Acknowledged: ${said}`)
  expect((await command(seven, 'audit')).lines.join()).toContain('acknowledge')
  expect((await command(seven, 'verify')).code).toBe(0)
  expect((await command(seven, 'doctor')).lines).toContainEqual(expect.stringMatching(/^ok +incidents +none$/))
  await until(
    'the metric to know it', // a scrape may be up to a second old
    () => fetched(`${url}/metrics`),
    (text) => text.includes('\norders_incidents{kind="data"} 0\n'),
  )
})

test('SWAPDB to and fro is two incidents, and what was counted in the other database is named', async (context) => {
  await using server = await ownRedis(context)
  const { redis } = server
  const env = envFor(server.url)
  await using line = runOrders(['run', ...stages], env)
  await line.started()
  await work(redis, 50)
  await looked(line)
  await redis.swapdb(0, 1)
  await looked(line)
  await work(redis, 7)
  await looked(line)
  await redis.swapdb(0, 1)
  await looked(line)
  const change = (from: number, to: number): string =>
    ['received', 'admitted', 'applied', 'ranked'].map((name) => `${name} ${from} → ${to}`).join(', ')
  const both = [
    text('Redis was emptied, or other data put in place of its own,', change(50, 0), '50 orders are'),
    text(
      `Redis got back the data that it had until ${time}, and lost what it has had since,`,
      change(7, 50),
      '7 orders are',
    ),
  ]
  expect(incidentsIn(line)).toEqual(both.map((story) => expect.stringMatching(story)))
  const { code, lines } = await command(env, 'verify', '--deep')
  expect(code).toBe(1)
  expect(lines.slice(-5)).toEqual([
    'Everything balances.',
    '',
    '2 incidents are not acknowledged. Once all is dealt with: orders verify --acknowledge.',
    ...incidentsIn(line).map((said) => expect.stringContaining(said)),
  ])
})

test('an older append-only file put back is said, with how many orders are gone', async (context) => {
  await using server = await ownRedis(context)
  const { redis } = server
  const env = envFor(server.url)
  await using line = runOrders(['run', ...stages], env)
  await line.started()
  await work(redis, 40)
  const [, folder = ''] = (await redis.config('GET', 'dir')) as string[]
  const [file, older] = [join(folder, 'appendonlydir'), join(folder, 'older')]
  await server.stop()
  cpSync(file, older, { recursive: true })
  await server.start()
  await work(redis, 19)
  await looked(line)
  expect(incidentsIn(line)).toEqual([]) // a restart with all data is none

  await server.stop()
  rmSync(file, { recursive: true })
  cpSync(older, file, { recursive: true })
  await server.start()
  await looked(line)
  const counts = ['received', 'admitted', 'applied', 'ranked'].map((name) => `${name} 59 → 40`).join(', ')
  const back = text('Redis went back to an earlier state', counts, '19 orders are')
  expect(incidentsIn(line)).toEqual([expect.stringMatching(back)])
  expect((await command(env, 'verify')).code).toBe(1)
})

test('what had been counted is in the log at the start of a process, so that a restart can be compared', async (context) => {
  await using server = await ownRedis(context)
  const env = envFor(server.url)
  {
    await using line = runOrders(['run', ...stages], env)
    await line.started()
    await work(server.redis, 30)
    await line.stop()
  }
  await using again = runOrders(['run', 'aggregate'], env)
  const [counts] = await until(
    'the counts',
    () => again.events('counts'),
    (found) => found.length > 0,
  )
  expect(counts).toMatchObject({ level: 30, received: 30, admitted: 30, applied: 30, ranked: 30 })
})

test("Redis' clock that jumps 40 days ahead and back is two incidents, whatever the process's own clock says", async (context) => {
  await using server = await ownRedis(context)
  await using shifted = await openShiftedTime(server.port)
  const env = envFor(`redis://127.0.0.1:${shifted.port}`)
  await using line = runOrders(['run', 'aggregate'], env)
  await line.started()
  await looked(line)
  expect(incidentsIn(line)).toEqual([])
  shifted.shift(40 * 86_400)
  await looked(line)
  shifted.shift(0)
  await looked(line)
  expect(incidentsIn(line)).toEqual([
    expect.stringMatching(
      new RegExp(
        `^Redis' clock jumped 40 days ahead, from ${time} to ${time}\\. The ledger has forgotten every order: one that SQS delivers again may be counted twice\\.$`,
      ),
    ),
    expect.stringMatching(
      new RegExp(
        `^Redis' clock jumped 40 days back, from ${time} to ${time}\\. The ledger finds orders from before the jump only once that time comes again: one that SQS delivers again may be counted twice\\.$`,
      ),
    ),
  ])
  expect((await command(env, 'verify')).code).toBe(1)
})

test('FLUSHALL of one master of a cluster names its partitions and no other', async (context) => {
  requireRedisServer(context)
  await using cluster = await spawnRedisCluster({ masters: 2 })
  const partitions = [0, 1, 2, 3].map((partition) => makeKeys(partition, 4))
  const env = envFor(cluster.url, { REDIS_CLUSTER: 'true', PARTITIONS: '4' })
  await using line = runOrders(['run', ...stages], env)
  await line.started()
  const masters = await Promise.all(partitions.map(({ counters }) => cluster.masterOf(counters)))
  for (const [at, keys] of partitions.entries()) await work((masters[at] as (typeof masters)[0]).redis, 10, keys)
  await looked(line)
  const [flushed] = masters
  await flushed?.redis.flushall()
  await looked(line)
  const own = partitions.filter((_, at) => masters[at] === flushed)
  expect(own.length).toBeLessThan(partitions.length)
  const counts = ['received', 'admitted', 'applied', 'ranked'].map((name) => `${name} 10 → 0`).join(', ')
  expect(incidentsIn(line).sort()).toEqual(
    own.map(({ partition }) =>
      expect.stringMatching(
        text(
          `Partition ${partition}: Redis was emptied, or other data put in place of its own,`,
          counts,
          '10 orders are',
        ),
      ),
    ),
  )
})

test('a repartition is no incident, and takes along how many orders each ledger must remember', async (context) => {
  await using server = await ownRedis(context)
  const { redis } = server
  const env = envFor(server.url, { PARTITIONS: '2' })
  {
    await using line = runOrders(['run', ...stages], env)
    await line.started()
    const partitions = makePartitions(2)
    for (const keys of partitions) {
      const users = Array.from({ length: 80 }, (_, at) => `u${at}`).filter(
        (id) => partitionFor(partitions, id) === keys,
      )
      const records = users.map((user_id) => ({
        id: user_id,
        body: JSON.stringify({ user_id, order_id: 'o', order_value: 1 }),
      }))
      await enqueue(redis, keys, records)
    }
    await until('all to be ranked', async () => {
      const ranked = await Promise.all(partitions.map(({ counters }) => redis.hget(counters, 'ranked')))
      return ranked.reduce((sum, count) => sum + Number(count ?? 0), 0) === 80
    })
    const moved = await command(env, 'repartition', '--to', '3')
    expect(moved.lines).toContain(
      'Done: start every process with PARTITIONS=3; those with another number have ended by themselves.',
    )
    await line.exit()
    expect(incidentsIn(line)).toEqual([])
  }
  const three = { ...env, PARTITIONS: '3' }
  await using line = runOrders(['run', ...stages], three)
  await line.started()
  await looked(line)
  expect(await command(three, 'verify', '--deep')).toMatchObject({ code: 0 })
  const ledgers = await redis.keys('{p1}:ledger:*')
  const lengths = await Promise.all(ledgers.map((name) => redis.hlen(name)))
  const lines = lengths.reduce((sum, length) => sum + length, 0)
  await redis.del(...ledgers)
  const deep = await command(three, 'verify', '--deep')
  expect(deep.code).toBe(1)
  expect(deep.lines).toContain(
    `Partition 1: The ledger lost ${lines} of ${lines} remembered orders: an order that SQS has delivered again since then may have been counted twice.`,
  )
  expect(deep.lines.at(-1)).toBe('The ledger has lost orders: orders verify --acknowledge accepts that.')
  expect(await command(three, 'verify', '--deep', '--acknowledge')).toMatchObject({ code: 0 })
  expect(incidentsIn(line)).toEqual([])
})
