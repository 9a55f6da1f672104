import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { Snapshot } from '../../../../src/api/live/snapshot.ts'
import { maxViewers, maxViewersPerClient } from '../../../../src/api/live/viewers.ts'
import type { Server } from '../../../../src/api/open-server.ts'
import { openApi } from '../../../../src/api/server.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { sampleOrders } from '../../../../src/ops/local/sample-orders.ts'
import { apiSource, type SnapshotSource } from '../../../../src/ops/terminal/snapshot-source.ts'
import { Oracle } from '../../../support/oracle.ts'
import { spawnOrders } from '../../../support/process.ts'
import { spawnRedisServer } from '../../../support/redis-server.ts'
import { requireRealRedis, requireRedisServer } from '../../../support/requires.ts'
import { runOrders } from '../../../support/run-orders.ts'
import { sendBodies } from '../../../support/send.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis, emptySqs, envOf } from '../../../support/world.ts'

async function ownRedis() {
  const server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  const redis = new Redis(server.url)
  redis.on('error', () => {})
  const close = async (): Promise<void> => {
    redis.disconnect()
    await server[Symbol.asyncDispose]()
  }
  return { ...server, redis, [Symbol.asyncDispose]: close }
}

const apiOn = (redis: Redis, url: string): Promise<Server> =>
  openApi(appOn(redis, readConfig({ REDIS_URL: url, API_PORT: '0', AWS_ENDPOINT_URL: 'http://127.0.0.1:9' })))

/** A viewer, until disposed: what they have been shown so far. */
function viewer(url: string): { readonly looks: readonly SnapshotSource[] } & AsyncDisposable {
  const looks: SnapshotSource[] = []
  const stop = new AbortController()
  const watch = async (): Promise<void> => {
    for await (const look of apiSource(url, stop.signal)) looks.push(look)
  }
  const watching = watch().catch(() => {})
  const leave = async (): Promise<void> => {
    stop.abort()
    await watching
  }
  return { looks, [Symbol.asyncDispose]: leave }
}

const more = (one: { looks: readonly SnapshotSource[] }, count: number) => {
  const from = one.looks.length
  return until('more snapshots', () => one.looks.length >= from + count)
}

/** Commands that Redis has carried out for viewers. */
async function commandsOf(redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats')
  const calls = [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].filter(([, name = '']) =>
    /get|range|len|xinfo/.test(name),
  )
  return calls.reduce((sum, [, , count]) => sum + Number(count), 0)
}

test('a hundred viewers cost Redis no more than one, and none costs nothing', async (context) => {
  requireRedisServer(context)
  await using own = await ownRedis()
  await using api = await apiOn(own.redis, own.url)
  const costOf = async (one: { looks: readonly SnapshotSource[] }): Promise<number> => {
    await more(one, 1) // begins between two snapshots, as it ends
    const [before, seen] = [await commandsOf(own.redis), one.looks.length]
    await more(one, 10)
    return ((await commandsOf(own.redis)) - before) / (one.looks.length - seen)
  }
  await using crowd = new AsyncDisposableStack()
  const first = crowd.use(viewer(api.url))
  await more(first, 2) // the first one reads the whole quarter of an hour
  const alone = await costOf(first)
  const others = Array.from({ length: 99 }, () => crowd.use(viewer(api.url)))
  await until('all to be shown something', () => others.every(({ looks }) => looks.length > 0))
  const crowded = await costOf(first)
  expect(alone).toBeGreaterThan(10)
  expect(crowded).toBeLessThan(alone * 1.2)
  for (const { looks } of others) expect(looks.every((look) => 'snapshot' in look)).toBe(true)

  await crowd.disposeAsync()
  await until('the reading to end', async () => {
    const before = await commandsOf(own.redis)
    await sleep(1_500)
    return (await commandsOf(own.redis)) === before
  })
})

test('a viewer who takes nothing holds up no other, and gets a whole snapshot when it does', async (context) => {
  requireRedisServer(context)
  await using own = await ownRedis()
  await using api = await apiOn(own.redis, own.url)
  // A snapshot of 4 MB fills what lies between two sockets at once.
  for (let i = 0; i < 10; i++) await own.redis.zadd('leaderboard:spend', i, `${i}`.padEnd(400_000, 'x'))
  const { hostname, port } = new URL(api.url)
  const slow = connect(Number(port), hostname)
  slow.write('GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n')
  slow.pause()
  await using quick = viewer(api.url)
  await more(quick, 8)
  let text = ''
  slow.on('data', (chunk) => {
    text += chunk
  })
  slow.resume()
  const momentsIn = (events: string): number[] =>
    [...events.matchAll(/\{"at":"([^"]+)"/g)].map(([, at = '']) => Date.parse(at))
  const newest = (): number => Date.parse(snapshotIn(quick.looks.at(-1)).at)
  const now = newest()
  await until('a snapshot of now', () => Math.max(0, ...momentsIn(text)) > now)
  slow.destroy()
  expect(momentsIn(text).filter((moment) => moment <= now).length).toBeLessThan(5)
})

function snapshotIn(look: SnapshotSource | undefined): Snapshot {
  if (look && 'snapshot' in look) return look.snapshot
  throw new Error(`no snapshot: ${JSON.stringify(look)}`)
}

/** The answer to a viewer at an address of this machine; the caller closes it. */
async function look(url: string, localAddress: string): Promise<IncomingMessage & AsyncDisposable> {
  const request = httpRequest(`${url}/live`, { localAddress, agent: false }).end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const close = async (): Promise<void> => void response.on('error', () => {}).destroy()
  return Object.assign(response, { [Symbol.asyncDispose]: close })
}

test('a client has half of the viewers at most, and beyond all of them there is a 503, until one leaves', async () => {
  await using world = await emptyRedis()
  await using api = await apiOn(world.redis, world.url)
  await using crowd = new AsyncDisposableStack()
  const clients = maxViewers / maxViewersPerClient
  for (let client = 1; client <= clients; client++) {
    const address = `127.0.1.${client}`
    const own = await Promise.all(Array.from({ length: maxViewersPerClient }, () => look(api.url, address)))
    for (const viewer of own) crowd.use(viewer)
    expect(new Set(own.map(({ statusCode }) => statusCode))).toEqual(new Set([200]))
    if (client === clients) break
    await using beyond = await look(api.url, address)
    expect([beyond.statusCode, beyond.headers['content-type']]).toEqual([
      429,
      'application/problem+json; charset=utf-8',
    ])
  }
  await using full = await look(api.url, '127.0.1.9')
  expect(full.statusCode).toBe(503)
  await crowd.disposeAsync()
  await until('a free place', async () => {
    await using viewer = await look(api.url, '127.0.1.9')
    return viewer.statusCode === 200
  })
})

test('the events name themselves', async () => {
  await using world = await emptyRedis()
  await using api = await apiOn(world.redis, world.url)
  await using viewer = await look(api.url, '127.0.0.1')
  expect(viewer.headers['content-type']).toBe('text/event-stream; charset=utf-8')
  let begin = ''
  for await (const chunk of viewer.setEncoding('utf8')) {
    begin += chunk
    if (begin.includes('data: ')) break
  }
  expect(begin).toMatch(/^retry: 1000\n\nevent: snapshot\ndata: \{"at":/)
})

test('a key of another type hides what it holds and nothing else', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  await using api = await apiOn(world.redis, world.url)
  await world.redis.set('leaderboard:spend', 'x')
  await world.redis.set('invalid:bad-value:range', 'x')
  await world.redis.hset('global:stats', 'total_orders', 3)
  const reported = (await (await fetch(`${api.url}/live/snapshot`)).json()) as Snapshot
  expect(reported).toMatchObject({ totals: { counted: 3 }, top: { spend: [] }, failed: [], books: { balanced: false } })
  expect(reported.books.differences.join()).toMatch('invalid:bad-value:range is a string, not a zset')
})

test('a stop ends every stream in order', async () => {
  await using world = await emptyRedis()
  const api = await apiOn(world.redis, world.url)
  const streams = await Promise.all(Array.from({ length: 10 }, () => fetch(`${api.url}/live`)))
  const ends = Promise.all(streams.map((stream) => stream.text()))
  await api[Symbol.asyncDispose]()
  for (const text of await ends) expect(text).toMatch(/^retry: 1000\n\n/)
})

test('with Redis away viewers get a sentence and the snapshot is 503; both go on by themselves', async (context) => {
  requireRedisServer(context)
  await using own = await ownRedis()
  await using api = await apiOn(own.redis, own.url)
  await using watching = viewer(api.url)
  await more(watching, 1)
  await own.stop()
  const last = () => watching.looks.at(-1) ?? { away: '' }
  await until('word of it', () => 'away' in last())
  expect(last()).toEqual({ away: 'Redis does not answer: try again in a moment.' })
  expect((await fetch(`${api.url}/live/snapshot`)).status).toBe(503)
  await own.start()
  await until('snapshots again', () => 'snapshot' in last())
  expect((await fetch(`${api.url}/live/snapshot`)).status).toBe(200)
})

test('the numbers are the oracle’s; the terminal shows the same, from the API and from Redis', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs)
  await using line = runOrders(['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'api'], env)
  const url = await line.apiUrl()
  await line.started()
  const bodies = [...sampleOrders({ valid: 500, invalid: 60, users: 30, seed: 11 })].map(({ body }) => body)
  const sent = [...bodies, ...bodies.slice(0, 40)]
  const oracle = new Oracle()
  for (const body of sent) oracle.take(body)
  await sendBodies(env, sent)
  const snapshotOf = async (): Promise<Snapshot> => (await (await fetch(`${url}/live/snapshot`)).json()) as Snapshot
  const ranked = ({ timeline }: Snapshot): number => timeline.ranked.reduce((sum, count) => sum + count, 0)
  const seen = await until(
    'all in the timeline',
    snapshotOf,
    (one) =>
      ranked(one) === oracle.admitted &&
      one.totals.received === oracle.received &&
      one.totals.waiting === 0 &&
      one.sqs?.visible === 0 &&
      one.sqs.in_flight === 0,
  )
  expect(seen.totals).toEqual({
    received: oracle.received,
    replayed: 0,
    corrected: 0,
    admitted: oracle.admitted,
    duplicates: oracle.duplicates,
    rejected: oracle.rejected,
    waiting: 0,
    counted: oracle.admitted,
    ranked: oracle.admitted,
    revenue_minor: Number(oracle.cents),
    invalid: oracle.rejected,
  })
  const users = [...oracle.users].map(([user_id, { orders, cents }]) => ({
    user_id,
    orders,
    spend_minor: Number(cents),
  }))
  const best = (by: 'orders' | 'spend_minor') =>
    users
      .toSorted((a, b) => b[by] - a[by] || (a.user_id < b.user_id ? 1 : -1))
      .slice(0, 10)
      .map(({ user_id, [by]: score }) => ({ user_id, [by]: score }))
  expect(seen.top).toEqual({ spend: best('spend_minor'), orders: best('orders') })
  const failedBy = (code: string): number =>
    seen.failed.filter((one) => one.code === code).reduce((sum, { count }) => sum + count, 0)
  for (const [code, count] of oracle.codes) expect([code, failedBy(code)]).toEqual([code, count])
  expect(seen.books).toEqual({ balanced: true, differences: [], lost: 0, notes: [] })
  expect(seen.sqs).toEqual({ visible: 0, in_flight: 0, dead_letters: 0 })
  expect(seen.hops.map(({ name, after, waiting }) => [name, after, waiting])).toEqual([
    ['bridge', 'sqs', 0],
    ['validate', 'bridge', 0],
    ['aggregate', 'validate', 0],
    ['leaderboard', 'aggregate', 0],
  ])
  const times = seen.timeline.p99_ms.filter((ms) => ms !== null)
  expect(times.length).toBeGreaterThan(0)
  expect(Math.min(...times)).toBeGreaterThan(0)

  for (const from of [[], ['--url', url]]) {
    await using tail = spawnOrders(['tail', '--json', ...from], env)
    const lines = (): string[] => tail.stdout().split('\n').slice(0, -1)
    await until('two lines', () => lines().length >= 2)
    expect(await tail.kill('SIGINT')).toMatchObject({ code: 130 })
    const shown = lines().map((text) => JSON.parse(text) as Snapshot)
    expect([from, shown.at(-1)?.totals, shown.at(-1)?.top]).toEqual([from, seen.totals, seen.top])
  }
  await using people = runOrders(['tail'], env)
  await until('a table', () => people.stdout().includes('leaderboard'))
  expect(people.stdout()).toContain(`counted  ${oracle.admitted} orders`)
})
