import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { openApi, type Server } from '../../src/api/server.ts'
import type { Partition } from '../../src/app.ts'
import { readConfig } from '../../src/config.ts'
import { board } from '../../src/ops/board.ts'
import { openSteering } from '../../src/ops/steer.ts'
import { type Loop, supervise } from '../../src/ops/supervise.ts'
import { pausePart, readAudit, readSteering, recordAction, resumePart } from '../../src/steering.ts'
import { rejectByBug } from '../support/broken-release.ts'
import { send } from '../support/jobs.ts'
import { spawnRedisServer } from '../support/redis-server.ts'
import { requireRealRedis, requireRedisServer } from '../support/requires.ts'
import { until } from '../support/until.ts'
import { appOn, type Env, emptyRedis } from '../support/world.ts'

const ann = { by: 'ann', reason: 'a bad release' }
const bob = { by: 'bob' }

type Told = [event: string, fields: Record<string, unknown>][]

/** What this app tells, but for requests. */
function told(app: Partition): Told {
  const events: Told = []
  app.telemetry.listen((event, fields) => {
    if (event !== 'request') events.push([event, fields as Record<string, unknown>])
  })
  return events
}

async function audited({ redis, control }: Partition): Promise<string[]> {
  const entries = await readAudit(redis, control, { limit: 100 })
  return entries.map(({ action, by, what }) => `${by}: ${action} ${what}`).reverse()
}

async function open(env: Env = {}): Promise<Server & { app: Partition; redis: Redis; events: Told }> {
  const world = await emptyRedis()
  const app = appOn(world.redis, readConfig({ REDIS_URL: world.url, API_PORT: '0', ...env }))
  const events = told(app)
  const server = await openApi(app, [board])
  const close = async (): Promise<void> => {
    await server[Symbol.asyncDispose]()
    await world[Symbol.asyncDispose]()
  }
  return { url: server.url, app, redis: world.redis, events, [Symbol.asyncDispose]: close }
}

async function get(url: string, headers: Record<string, string> = {}): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url, { headers })
  return { status: response.status, body: await response.json() }
}

test('a pause is one of one person at a time: said twice it changes nothing, by another it is taken over', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  const { redis } = app
  expect(await readSteering(redis, app.control)).toEqual({})
  expect(await resumePart(app, 'bridge', ann)).toEqual({
    part: 'bridge',
    changed: false,
    before: undefined,
    pause: undefined,
  })
  const first = await pausePart(app, 'bridge', ann)
  expect(first).toMatchObject({ changed: true, before: undefined, pause: { by: 'ann', reason: 'a bad release' } })
  expect(await readSteering(redis, app.control)).toEqual({ bridge: first.pause })
  expect(await pausePart(app, 'bridge', { by: 'ann' })).toEqual({ ...first, changed: false, before: first.pause })
  const second = await pausePart(app, 'bridge', bob)
  expect(second).toMatchObject({ changed: true, before: first.pause, pause: { by: 'bob' } })
  expect(await readSteering(redis, app.control)).toEqual({ bridge: second.pause })
  expect(await resumePart(app, 'bridge', ann)).toMatchObject({ changed: true, before: second.pause, pause: undefined })
  expect(await redis.exists(app.control.steering)).toBe(0)
  expect(await audited(app)).toEqual([
    'ann: pause {"part":"bridge","reason":"a bad release"}',
    'bob: pause {"part":"bridge"}',
    'ann: resume {"part":"bridge","reason":"a bad release"}',
  ])
})

test('of many at once each change is in the audit once, and the state is what its last entry says', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  const both = await Promise.all([pausePart(app, 'validate', ann), pausePart(app, 'validate', bob)])
  expect(both.map(({ changed }) => changed)).toEqual([true, true])
  const asked = Array.from({ length: 60 }, (_, at) =>
    (at % 3 === 0 ? resumePart : pausePart)(app, 'validate', { by: ['ann', 'bob'][at % 2] ?? '' }),
  )
  const changes = (await Promise.all([...both, ...asked])).filter(({ changed }) => changed)
  const entries = await readAudit(app.redis, app.control, { limit: 1_000 })
  expect(entries).toHaveLength(changes.length)
  const { validate } = await readSteering(app.redis, app.control)
  const [last] = entries
  expect(last).toMatchObject(validate ? { action: 'pause', by: validate.by } : { action: 'resume' })
})

test('a full Redis takes a pause and a resume, and their entries in the audit', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  const redis = new Redis(server.url)
  const app = appOn(redis)
  await redis.config('SET', 'maxmemory', '1')
  await expect(redis.set('x', 'y')).rejects.toThrow(/^OOM/)
  expect(await pausePart(app, 'bridge', ann)).toMatchObject({ changed: true })
  expect(await readSteering(redis, app.control)).toMatchObject({ bridge: { by: 'ann' } })
  expect(await resumePart(app, 'bridge', ann)).toMatchObject({ changed: true })
  expect(await audited(app)).toHaveLength(2)
  redis.disconnect()
})

test('an audit that cannot be written undoes nothing and fails nothing; it is told', async (context) => {
  requireRealRedis(context)
  await using server = await open()
  const { app, redis, events, url } = server
  await redis.set(app.control.audit, 'somebody wrote this')
  expect(await pausePart(app, 'aggregate', ann)).toMatchObject({ changed: true })
  expect(await readSteering(redis, app.control)).toMatchObject({ aggregate: { by: 'ann' } })
  expect((await send(`${url}/orders/replay`, 'POST', {})).status).toBe(202)
  await recordAction(app, { action: 'orders replay', by: 'ann', what: '{}' })
  expect(events.filter(([event]) => event === 'auditFailed')).toEqual(
    ['pause', 'POST /orders/replay', 'orders replay'].map((action) => [
      'auditFailed',
      { action, error: expect.stringContaining('WRONGTYPE') },
    ]),
  )
})

test('what somebody wrote there by hand pauses too, and can be resumed', async () => {
  await using server = await open()
  const { app, redis, url } = server
  await redis.hset(app.control.steering, { bridge: '1', validate: '{"by":7}', cook: '{}' })
  expect(await readSteering(redis, app.control)).toMatchObject({
    bridge: { by: 'unknown' },
    validate: { by: 'unknown' },
  })
  expect(await get(`${url}/admin/steering`)).toEqual({
    status: 200,
    body: {
      parts: [
        { part: 'bridge', paused: true, by: 'unknown' },
        { part: 'validate', paused: true, by: 'unknown' },
        { part: 'aggregate', paused: false },
        { part: 'leaderboard', paused: false },
      ],
    },
  })
  expect(await pausePart(app, 'bridge', { by: 'unknown' })).toMatchObject({ changed: true })
  expect(await resumePart(app, 'validate', ann)).toMatchObject({ changed: true, before: { by: 'unknown' } })
  expect(Object.keys(await readSteering(redis, app.control)).sort()).toEqual(['bridge', 'cook'])
})

test('the audit keeps the last ten thousand or so, and is read page by page', async (context) => {
  requireRealRedis(context)
  await using server = await open()
  const { app, redis, url } = server
  for (let from = 0; from < 12_000; from += 1_000) {
    const some = Array.from({ length: 1_000 }, (_, at) => ({
      action: 'orders replay',
      by: 'ann',
      what: `${from + at}`,
    }))
    await Promise.all(some.map((action) => recordAction(app, action)))
  }
  const kept = await redis.xlen(app.control.audit)
  expect(kept).toBeGreaterThanOrEqual(10_000)
  expect(kept).toBeLessThan(10_200) // it is trimmed by whole nodes of a hundred
  const page = async (query: string): Promise<{ id: string; what: string }[]> =>
    (await get(`${url}/admin/audit?${query}`)).body as { id: string; what: string }[]
  const first = await page('limit=3')
  expect(first.map(({ what }) => what)).toEqual(['11999', '11998', '11997'])
  expect((await page(`limit=2&before=${first[2]?.id}`)).map(({ what }) => what)).toEqual(['11996', '11995'])
  expect((await get(`${url}/admin/audit?limit=0`)).status).toBe(422)
  expect((await get(`${url}/admin/audit?before=x`)).status).toBe(422)
})

test('the routes pause, resume and drain, and say what came of it', async () => {
  await using server = await open()
  const { app, redis, url } = server
  const operator = { 'x-operator': 'ann' }
  expect(await send(`${url}/admin/pause/validate`, 'POST', { reason: 'a bug' }, operator)).toEqual({
    status: 200,
    body: {
      part: 'validate',
      paused: true,
      by: 'ann',
      ts: expect.stringMatching(/Z$/),
      reason: 'a bug',
      changed: true,
      message: 'validate is paused by ann.',
    },
  })
  const again = await send(`${url}/admin/pause/validate`, 'POST', {}, operator)
  expect(again.body).toMatchObject({ changed: false, paused: true, reason: 'a bug' })
  expect(again.body['message']).toMatch(/^validate was paused already, by ann since \d{4}-.*Z\.$/)
  const taken = await send(`${url}/admin/pause/validate`, 'POST', {})
  expect(taken.body).toMatchObject({ changed: true, by: 'unknown' })
  expect(taken.body['message']).toMatch(/^validate is paused by unknown\. It had been paused by ann since /)
  expect((await send(`${url}/admin/resume/validate`, 'POST', {}, operator)).body).toMatchObject({
    part: 'validate',
    paused: false,
    changed: true,
  })
  expect((await send(`${url}/admin/resume/validate`, 'POST', {}, operator)).body).toEqual({
    part: 'validate',
    paused: false,
    changed: false,
    message: 'validate was not paused.',
  })
  await redis.hset(app.keys.counters, { received: 30, admitted: 20, applied: 15, ranked: 12 })
  await redis.xadd('orders:raw', '*', 'n', 10, 'c', 1, 'r', 'junk')
  await redis.xadd('orders:valid', '*', 'n', 5, 'c', 1, 'r', 'junk')
  expect(await send(`${url}/admin/drain`, 'POST', { reason: 'night' }, operator)).toMatchObject({
    status: 202,
    body: { part: 'bridge', paused: true, by: 'ann', waiting: { validate: 10, aggregate: 5, leaderboard: 0 } }, // three are gone
  })
  expect(await audited(app)).toEqual([
    'ann: pause {"part":"validate","reason":"a bug"}',
    'unknown: pause {"part":"validate"}',
    'ann: resume {"part":"validate"}',
    'ann: drain {"part":"bridge","reason":"night"}',
  ])
  for (const part of ['jobs', 'api', 'cook', '__proto__']) {
    for (const verb of ['pause', 'resume']) {
      expect(await send(`${url}/admin/${verb}/${part}`, 'POST', {})).toMatchObject({
        status: 404,
        body: {
          detail: `There is no part "${part}" to pause or resume: expected bridge, validate, aggregate, leaderboard.`,
        },
      })
    }
  }
  expect((await send(`${url}/admin/pause/bridge`, 'POST', { reasons: 'x' })).status).toBe(422)
  expect((await send(`${url}/admin/pause/bridge`, 'POST', '')).status).toBe(400)
})

test('steering and the audit are guarded; what is paused may be read by who reads the numbers', async () => {
  await using server = await open({ ADMIN_TOKEN: 'secret' })
  const { app, url } = server
  for (const route of ['pause/bridge', 'resume/bridge', 'drain']) {
    expect([route, (await send(`${url}/admin/${route}`, 'POST', {})).status]).toEqual([route, 401])
  }
  expect((await get(`${url}/admin/audit`)).status).toBe(401)
  expect((await get(`${url}/admin/steering`)).status).toBe(200)
  const basic = `Basic ${Buffer.from('carol:secret').toString('base64')}`
  expect((await send(`${url}/admin/pause/bridge`, 'POST', {}, { authorization: basic })).status).toBe(200)
  const cross = { authorization: basic, origin: 'https://evil.example' }
  expect((await send(`${url}/admin/resume/bridge`, 'POST', {}, cross)).status).toBe(403)
  expect(await get(`${url}/admin/audit`, { authorization: 'Bearer secret' })).toMatchObject({
    status: 200,
    body: [{ action: 'pause', by: 'carol', what: '{"part":"bridge"}' }],
  })
  expect(await audited(app)).toHaveLength(1)

  await using local = await open()
  const forwarded = { 'x-forwarded-for': '8.8.8.8' }
  expect((await send(`${local.url}/admin/pause/bridge`, 'POST', {}, forwarded)).status).toBe(403)
  expect((await get(`${local.url}/admin/audit`, forwarded)).status).toBe(403)
  expect((await get(`${local.url}/admin/audit`)).status).toBe(200)
})

test('every write that succeeds is in the audit once, with who and what; what is refused is not', async (context) => {
  requireRealRedis(context)
  await using server = await open()
  const { app, redis, url } = server
  const operator = { 'x-operator': 'ann' }
  await rejectByBug(redis, [JSON.stringify({ user_id: 'u', order_id: 'o', order_value: 1 })])
  const [{ id = '' } = {}] = (await get(`${url}/orders/invalid`)).body as { id: string }[]
  const long = { limit: 1, ids: Array.from({ length: 200 }, (_, at) => `${1_764_000_000_000 + at}-0`) }
  expect((await send(`${url}/orders/replay`, 'POST', { limit: 0 }, operator)).status).toBe(422)
  expect((await send(`${url}/orders/invalid/1-0`, 'DELETE', { reason: 'old' }, operator)).status).toBe(404)
  const queued = await send(`${url}/orders/replay`, 'POST', long, operator)
  expect((await send(`${url}/orders/invalid/${id}`, 'DELETE', { reason: 'old' }, operator)).status).toBe(200)
  const job = `/api/queues/replay/${queued.body['job_id']}/clean`
  expect((await fetch(`${url}/admin/queues${job}`, { method: 'PUT', headers: operator })).status).toBe(204)
  expect((await fetch(`${url}/admin/queues/api/queues/nothing/x/retry`, { method: 'PUT' })).status).toBe(404)
  const entries = await until(
    'the entry of Bull Board',
    () => readAudit(redis, app.control, { limit: 10 }),
    ({ length }) => length === 3,
  )
  const [clean, discard, replay] = entries
  expect(replay).toMatchObject({ action: 'POST /orders/replay', by: 'ann' })
  expect(replay?.what).toBe(`{"params":{},"body":${JSON.stringify(long)}}`.slice(0, 2_000))
  expect(discard).toMatchObject({
    action: 'DELETE /orders/invalid/{id}',
    by: 'ann',
    what: `{"params":{"id":"${id}"},"body":{"reason":"old"}}`,
  })
  expect(clean).toMatchObject({ action: 'PUT /admin/queues', by: 'ann' })
  expect(JSON.parse(clean?.what ?? '')).toMatchObject({ path: job })
})

interface Counting extends Loop {
  rounds(): number
  /** How many of it run, and the most that ever did at once. */
  running(): number
  most(): number
  fail(times: number): void
}

/** A loop that counts its rounds. @param inHandMs what it takes to end */
function counting(name: string, inHandMs = 0): Counting {
  let [rounds, running, most, failures] = [0, 0, 0, 0]
  return {
    name,
    rounds: () => rounds,
    running: () => running,
    most: () => most,
    fail: (times) => {
      failures = times
    },
    run: async (tick, signal) => {
      running++
      most = Math.max(most, running)
      try {
        while (!signal.aborted) {
          if (failures-- > 0) throw new Error('broken')
          rounds++
          tick()
          await sleep(5, undefined, { signal }).catch(() => {})
        }
      } finally {
        await sleep(inHandMs)
        running--
      }
    },
  }
}

/** Runs loops of a part as a process does. */
async function running(app: Partition, part: string, loops: readonly Loop[]): Promise<AsyncDisposable> {
  const stop = new AbortController()
  const steerer = await openSteering(app, stop.signal)
  const ended = supervise(
    app,
    loops.map((loop) => steerer.steer(part, loop)),
    stop.signal,
  )
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await ended
      steerer[Symbol.dispose]()
    },
  }
}

test('loops of a paused part end together, are told of once, give signs of life, and run again when it is resumed', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  const events = told(app)
  const loops = [counting('one'), counting('two', 200)]
  const rounds = (): number[] => loops.map((loop) => loop.rounds())
  const stillRunning: number[] = []
  app.telemetry.on('paused', () => stillRunning.push(...loops.map((loop) => loop.running())))
  await pausePart(app, 'bridge', ann)
  await using _ = await running(app, 'bridge', loops)
  await until('it to be told', () => events.length > 0)
  for (const round of [1, 2, 3]) {
    expect(events.splice(0)).toEqual([['paused', { part: 'bridge', by: 'ann' }]])
    const before = rounds()
    const [pulse = 0] = app.pulse.values()
    await until('signs of life', () => [...app.pulse.values()].every((at) => at > pulse + 200))
    expect([round, rounds()]).toEqual([round, before])
    await resumePart(app, 'bridge', bob)
    await until('rounds of both', () => rounds().every((count, at) => count > (before[at] ?? 0) + 2))
    expect(events.splice(0)).toEqual([['resumed', { part: 'bridge' }]])
    await pausePart(app, 'bridge', ann)
    await until('it to be told', () => events.length > 0)
  }
  expect(loops.map((loop) => loop.most())).toEqual([1, 1])
  expect(stillRunning).toEqual([0, 0, 0, 0, 0, 0, 0, 0])
})

test('a loop that failed before a pause has not recovered by it, and one that is paused while it fails is no failure', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  const events = told(app)
  const loop = counting('validate')
  await using _ = await running(app, 'validate', [loop])
  await until('rounds', () => loop.rounds() > 0)
  loop.fail(1_000_000)
  await until('a failure', () => events.length > 0)
  await pausePart(app, 'validate', ann)
  await until('the pause', () => events.length > 1)
  loop.fail(0)
  await resumePart(app, 'validate', ann)
  await until('it to go round again', () => events.length > 3)
  expect(events.map(([event]) => event)).toEqual(['loopFailed', 'paused', 'resumed', 'loopRecovered'])
})

test('while Redis is away, or refuses to tell, a process goes by what it knows and gives signs of life', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  const redis = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
  redis.on('error', () => {})
  const app = appOn(redis)
  const events = told(app)
  const [paused, going] = [counting('validate'), counting('aggregate')]
  await pausePart(app, 'validate', ann)
  await using _ = await running(app, 'validate', [paused])
  await using __ = await running(app, 'aggregate', [going])
  await until('the pause', () => events.length > 0)
  await server.stop()
  const went = going.rounds()
  const pulse = app.pulse.get('validate') ?? 0
  await until('more than a second of it', () => (app.pulse.get('validate') ?? 0) > pulse + 1_200)
  expect(going.rounds()).toBeGreaterThan(went)
  await server.start()
  await redis.rename(app.control.steering, 'kept')
  await redis.set(app.control.steering, 'no hash')
  await until('both to be refused', () => events.filter(([event]) => event === 'steeringFailed').length === 2)
  const more = app.pulse.get('validate') ?? 0
  await until('another second of it', () => (app.pulse.get('validate') ?? 0) > more + 1_200)
  expect(paused.rounds()).toBe(0)
  await redis.rename('kept', app.control.steering)
  await resumePart(app, 'validate', ann)
  await until('it to run', () => paused.rounds() > 0)
  expect(events.map(([event]) => event)).toEqual(['paused', 'steeringFailed', 'steeringFailed', 'resumed'])
  await resumePart(app, 'validate', ann)
  redis.disconnect()
})
