import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { Server } from '../../../../src/api/open-server.ts'
import { openApi } from '../../../../src/api/server.ts'
import type { Loop, PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { beginAction, audited as carryOut, readAudit } from '../../../../src/control/audit-log.ts'
import { pauseComponent, readPauses, resumeComponent } from '../../../../src/control/pauses.ts'
import { board } from '../../../../src/ops/jobs/board.ts'
import { openPauseGate } from '../../../../src/ops/process/pausing.ts'
import { supervise } from '../../../../src/ops/process/supervise.ts'
import { rejectByBug } from '../../../support/broken-release.ts'
import { send } from '../../../support/jobs.ts'
import { spawnRedisServer } from '../../../support/redis-server.ts'
import { requireRealRedis, requireRedisServer } from '../../../support/requires.ts'
import { until } from '../../../support/until.ts'
import { appOn, type Env, emptyRedis } from '../../../support/world.ts'

const ann = { by: 'ann', reason: 'a bad release' }
const bob = { by: 'bob' }

type Reported = [event: string, fields: Record<string, unknown>][]

/** The events of this app, except requests and the audit. */
function reportOf(scope: PartitionScope, except = ['request', 'audited']): Reported {
  const events: Reported = []
  scope.telemetry.listen((event, fields) => {
    if (!except.includes(event)) events.push([event, fields as Record<string, unknown>])
  })
  return events
}

async function audited({ redis, control }: PartitionScope): Promise<string[]> {
  const entries = await readAudit(redis, control, { limit: 100 })
  return entries.map(({ action, by, what }) => `${by}: ${action} ${what}`).reverse()
}

async function open(env: Env = {}): Promise<Server & { scope: PartitionScope; redis: Redis; events: Reported }> {
  const world = await emptyRedis()
  const app = appOn(world.redis, readConfig({ REDIS_URL: world.url, API_PORT: '0', ...env }))
  const events = reportOf(app)
  const server = await openApi(app, [board])
  const close = async (): Promise<void> => {
    await server[Symbol.asyncDispose]()
    await world[Symbol.asyncDispose]()
  }
  return { url: server.url, scope: app, redis: world.redis, events, [Symbol.asyncDispose]: close }
}

async function get(url: string, headers: Record<string, string> = {}): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url, { headers })
  return { status: response.status, body: await response.json() }
}

test('a pause is one of one person at a time: said twice it changes nothing, by another it is taken over', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  const { redis } = app
  expect(await readPauses(redis, app.control)).toEqual({})
  expect(await resumeComponent(app, 'bridge', ann)).toEqual({
    component: 'bridge',
    changed: false,
    before: undefined,
    pause: undefined,
  })
  const first = await pauseComponent(app, 'bridge', ann)
  expect(first).toMatchObject({ changed: true, before: undefined, pause: { by: 'ann', reason: 'a bad release' } })
  expect(await readPauses(redis, app.control)).toEqual({ bridge: first.pause })
  expect(await pauseComponent(app, 'bridge', { by: 'ann' })).toEqual({ ...first, changed: false, before: first.pause })
  const second = await pauseComponent(app, 'bridge', bob)
  expect(second).toMatchObject({ changed: true, before: first.pause, pause: { by: 'bob' } })
  expect(await readPauses(redis, app.control)).toEqual({ bridge: second.pause })
  expect(await resumeComponent(app, 'bridge', ann)).toMatchObject({
    changed: true,
    before: second.pause,
    pause: undefined,
  })
  expect(await redis.exists(app.control.pauses)).toBe(0)
  expect(await audited(app)).toEqual([
    'ann: pause {"component":"bridge","reason":"a bad release"}',
    'bob: pause {"component":"bridge"}',
    'ann: resume {"component":"bridge","reason":"a bad release"}',
  ])
})

test('of many at once each change is in the audit once, and the state is what its last entry says', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  const both = await Promise.all([pauseComponent(app, 'validate', ann), pauseComponent(app, 'validate', bob)])
  expect(both.map(({ changed }) => changed)).toEqual([true, true])
  const asked = Array.from({ length: 60 }, (_, at) =>
    (at % 3 === 0 ? resumeComponent : pauseComponent)(app, 'validate', { by: ['ann', 'bob'][at % 2] ?? '' }),
  )
  const changes = (await Promise.all([...both, ...asked])).filter(({ changed }) => changed)
  const entries = await readAudit(app.redis, app.control, { limit: 1_000 })
  expect(entries).toHaveLength(changes.length)
  const { validate } = await readPauses(app.redis, app.control)
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
  expect(await pauseComponent(app, 'bridge', ann)).toMatchObject({ changed: true })
  expect(await readPauses(redis, app.control)).toMatchObject({ bridge: { by: 'ann' } })
  expect(await resumeComponent(app, 'bridge', ann)).toMatchObject({ changed: true })
  expect(await audited(app)).toHaveLength(2)
  redis.disconnect()
})

test('an audit that cannot be written undoes nothing and fails nothing; it is logged', async (context) => {
  requireRealRedis(context)
  await using server = await open()
  const { scope: app, redis, events, url } = server
  await redis.set(app.control.audit, 'another program wrote this')
  expect(await pauseComponent(app, 'aggregate', ann)).toMatchObject({ changed: true })
  expect(await readPauses(redis, app.control)).toMatchObject({ aggregate: { by: 'ann' } })
  expect((await send(`${url}/orders/replay`, 'POST', {})).status).toBe(202)
  await carryOut(app, { action: 'replay', by: 'ann', what: '{}' }, async () => {})
  expect(events.filter(([event]) => event === 'auditFailed')).toEqual(
    ['pause', ...Array(4).fill('replay')].map((action, at) => [
      'auditFailed',
      {
        action,
        error: expect.stringContaining('WRONGTYPE'),
        ...((at === 1 || at === 2) && { requestId: expect.any(String) }), // of the request
      },
    ]),
  )
})

test('what an operator wrote there by hand pauses too, and can be resumed', async () => {
  await using server = await open()
  const { scope: app, redis, url } = server
  await redis.hset(app.control.pauses, { bridge: '1', validate: '{"by":7}', cook: '{}' })
  expect(await readPauses(redis, app.control)).toMatchObject({
    bridge: { by: 'unknown' },
    validate: { by: 'unknown' },
  })
  expect(await get(`${url}/admin/pauses`)).toEqual({
    status: 200,
    body: {
      components: [
        { component: 'bridge', paused: true, by: 'unknown' },
        { component: 'validate', paused: true, by: 'unknown' },
        { component: 'aggregate', paused: false },
        { component: 'leaderboard', paused: false },
      ],
    },
  })
  expect(await pauseComponent(app, 'bridge', { by: 'unknown' })).toMatchObject({ changed: true })
  expect(await resumeComponent(app, 'validate', ann)).toMatchObject({ changed: true, before: { by: 'unknown' } })
  expect(Object.keys(await readPauses(redis, app.control)).sort()).toEqual(['bridge', 'cook'])
})

test('one who does much pushes out entries of their own only, and the audit is read page by page', async (context) => {
  requireRealRedis(context)
  await using server = await open()
  const { scope: app, redis, url } = server
  await pauseComponent(app, 'bridge', bob)
  const began = await beginAction(app, { action: 'replay', by: 'carol', what: '{}' })
  for (let from = 0; from < 5_200; from += 400) {
    const some = Array.from({ length: 400 }, (_, at) => ({ action: 'pause', by: 'ann', what: `${from + at}` }))
    await Promise.all(some.map((action) => carryOut(app, action, async () => {})))
  }
  await began.end('done')
  expect(await redis.xlen(app.control.audit)).toBe(5_002)
  expect(await redis.zcard(app.control.auditActors)).toBe(5_002)
  const entries = await readAudit(redis, app.control, { limit: 6_000 })
  expect(entries.at(-1)).toMatchObject({ by: 'bob', action: 'pause' })
  expect(entries[0]).toMatchObject({ by: 'carol', outcome: 'done' })
  expect(entries.filter(({ by }) => by === 'ann')).toHaveLength(5_000)
  const page = async (query: string): Promise<{ id: string; what: number }[]> =>
    (await get(`${url}/admin/audit?${query}`)).body as { id: string; what: number }[]
  const first = await page('limit=3')
  expect(first.map(({ id }) => id)).toEqual(entries.slice(0, 3).map(({ id }) => id))
  expect((await page(`limit=2&before=${first[2]?.id}`)).map(({ id }) => id)).toEqual(
    entries.slice(3, 5).map(({ id }) => id),
  )
  expect(await page('before=0-0')).toEqual([])
  expect((await get(`${url}/admin/audit?limit=0`)).status).toBe(422)
  expect((await get(`${url}/admin/audit?before=x`)).status).toBe(422)
  expect(await get(`${url}/admin/audit?before=0-0`)).toMatchObject({ status: 200, body: [] })
})

test('what is older than its days or beyond the number of all goes, the oldest first', async () => {
  await using world = await emptyRedis()
  const { redis, control, telemetry } = appOn(world.redis)
  const day = 86_400_000
  const now = Date.now()
  for (const days of [500, 401, 399])
    await redis.xadd(control.audit, `${now - days * day}-0`, 'action', 'old', 'by', 'x', 'what', '')
  await carryOut({ redis, control, telemetry }, { action: 'new', by: 'ann', what: '{}' }, async () => {})
  const entries = await readAudit(redis, control, { limit: 10 })
  expect(entries.map(({ action, ts }) => [action, Math.floor((now + 60_000 - Date.parse(ts)) / day)])).toEqual([
    ['new', 0],
    ['old', 399],
  ])
})

test('an action is in the audit and in the log before it is carried out', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  const events = reportOf(app, [])
  const during = await carryOut(app, { action: 'replay', by: 'ann', what: '{"limit":1}' }, () =>
    readAudit(app.redis, app.control, { limit: 10 }),
  )
  expect(during).toMatchObject([{ action: 'replay', by: 'ann', what: '{"limit":1}', outcome: 'begun' }])
  const failing = carryOut(app, { action: 'repair', by: 'ann', what: '{}' }, () => Promise.reject(new Error('no')))
  await expect(failing).rejects.toThrow('no')
  const after = await readAudit(app.redis, app.control, { limit: 10 })
  expect(after.map(({ action, outcome }) => [action, outcome])).toEqual([
    ['repair', 'failed: no'],
    ['replay', 'done'],
  ])
  expect(events.map(([event, { action, outcome }]) => [event, action, outcome])).toEqual([
    ['audited', 'replay', 'begun'],
    ['audited', 'replay', 'done'],
    ['audited', 'repair', 'begun'],
    ['audited', 'repair', 'failed: no'],
  ])
})

test('a write in Bull Board whose client leaves at once is in the audit all the same', async (context) => {
  requireRealRedis(context)
  await using server = await open()
  const { scope: app, redis, url } = server
  const { hostname, port } = new URL(url)
  /** BullMQ's own record of what took effect. */
  const effects = async (): Promise<number> => {
    const events = await redis.xrange('{jobs}:replay:events', '-', '+')
    return events.filter(([, fields]) => /paused|resumed/.test(String(fields))).length
  }
  // On a busy machine a client that leaves at once is gone before anything begins: each stays a turn longer than the last.
  for (let at = 0; at < 20 || (await effects()) === 0; at++) {
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    const path = `/admin/queues/api/queues/replay/${at % 2 === 0 ? 'pause' : 'resume'}`
    await new Promise((written) =>
      socket.write(`PUT ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n`, written),
    )
    for (let turn = 0; turn < at; turn++) await nextTurn()
    socket.destroy()
    await once(socket, 'close')
  }
  const { entries } = await until(
    'an entry for each that took effect',
    async () => ({ done: await effects(), entries: await readAudit(redis, app.control, { limit: 100 }) }),
    ({ done, entries }) => done > 0 && entries.length === done && entries.every(({ outcome }) => outcome !== 'begun'),
  )
  expect(new Set(entries.map(({ action }) => action))).toEqual(new Set(['queues']))
})

test('a write whose body is nested without end is recorded, and ends nothing', async () => {
  await using server = await open()
  const url = `${server.url}/admin/queues/api/queues/replay/add`
  const deep = `${'['.repeat(400_000)}${']'.repeat(400_000)}`
  await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: deep })
  const [entry] = await readAudit(server.redis, server.scope.control, { limit: 1 })
  expect(entry).toMatchObject({ action: 'queues', what: expect.stringContaining('sha256') })
  expect((await get(`${server.url}/stats/global`)).status).toBe(200)
})

test('blanks and long fields before what matters hide nothing', async () => {
  await using server = await open()
  const { scope: app, redis, url } = server
  const all = reportOf(app, [])
  const long = 'x'.repeat(5_000)
  const fields = { aa: long, ...Object.fromEntries(Array.from({ length: 90 }, (_, at) => [`b${at}`, long])) }
  const text = `${' '.repeat(3_000)}${JSON.stringify({ ...fields, limit: 1, ids: ['1-0'], code: 'conflict' })}`
  expect((await send(`${url}/orders/replay`, 'POST', text)).status).toBe(422) // it knows no such fields
  const order = { ...fields, user_id: 'u1', order_id: 'o1', order_value: 1 }
  const whole = { items: [], order_timestamp: '2026-11-23T10:00:00Z', shipping_address: 'a', payment_method: 'b' }
  const sent = `${' '.repeat(3_000)}${JSON.stringify({ ...order, ...whole, order_value: 0 })}`
  expect((await send(`${url}/orders/reprocess`, 'POST', sent)).status).toBe(202)
  const [{ what = '' } = {}] = await readAudit(redis, app.control, { limit: 1 })
  expect(what.length).toBeLessThan(4_000)
  expect(JSON.parse(what)).toMatchObject({
    body: { user_id: 'u1', order_id: 'o1', order_value: 0 },
    sha256: createHash('sha256').update(sent).digest('hex'),
  })
  const logged = all.flatMap(([event, fields]) => (event === 'audited' ? JSON.stringify(fields) : []))
  expect(logged.join()).toContain('o1')
  expect(logged.join()).not.toContain('u1')
  expect(logged.join()).not.toContain('xxx') // whole orders have no place in a log
})

test('the routes pause, resume and drain, and say what came of it', async () => {
  await using server = await open()
  const { scope: app, redis, url } = server
  const operator = { 'x-operator': 'ann' }
  expect(await send(`${url}/admin/pause/validate`, 'POST', { reason: 'a bug' }, operator)).toEqual({
    status: 200,
    body: {
      component: 'validate',
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
  expect(again.body['message']).toMatch(/^validate was already paused by ann since \d{4}-.*Z\.$/)
  const taken = await send(`${url}/admin/pause/validate`, 'POST', {})
  expect(taken.body).toMatchObject({ changed: true, by: 'unknown' })
  expect(taken.body['message']).toMatch(
    /^validate is paused by unknown\. Before that it was paused by ann since .* send one in the header X-Operator\.$/,
  )
  const blank = { ...operator, 'x-operator': ' ' }
  expect(await send(`${url}/admin/pause/validate`, 'POST', {}, blank)).toMatchObject({
    status: 400,
    body: { detail: 'The header X-Operator is empty: put the name of the operator there, or leave it out.' },
  })
  expect((await send(`${url}/admin/resume/validate`, 'POST', {}, operator)).body).toMatchObject({
    component: 'validate',
    paused: false,
    changed: true,
  })
  expect((await send(`${url}/admin/resume/validate`, 'POST', {}, operator)).body).toEqual({
    component: 'validate',
    paused: false,
    changed: false,
    message: 'validate was not paused.',
  })
  await redis.hset(app.keys.counters, { received: 30, admitted: 20, applied: 15, ranked: 12 })
  await redis.xadd('orders:raw', '*', 'n', 10, 'c', 1, 'r', 'junk')
  await redis.xadd('orders:valid', '*', 'n', 5, 'c', 1, 'r', 'junk')
  expect(await send(`${url}/admin/drain`, 'POST', { reason: 'night' }, operator)).toMatchObject({
    status: 202,
    body: { component: 'bridge', paused: true, by: 'ann', waiting: { validate: 10, aggregate: 5, leaderboard: 0 } }, // three are gone
  })
  expect(await audited(app)).toEqual([
    'ann: pause {"component":"validate","reason":"a bug"}',
    'unknown: pause {"component":"validate"}',
    'ann: resume {"component":"validate"}',
    'ann: drain {"component":"bridge","reason":"night"}',
  ])
  for (const component of ['jobs', 'api', 'cook', '__proto__']) {
    for (const verb of ['pause', 'resume']) {
      expect(await send(`${url}/admin/${verb}/${component}`, 'POST', {})).toMatchObject({
        status: 404,
        body: {
          detail: `There is no component "${component}" to pause or resume: expected bridge, validate, aggregate, leaderboard.`,
        },
      })
    }
  }
  expect((await send(`${url}/admin/pause/bridge`, 'POST', { reasons: 'x' })).status).toBe(422)
  expect((await send(`${url}/admin/pause/bridge`, 'POST', '')).status).toBe(400)
})

test('pausing and the audit are guarded; what is paused may be read by who reads the numbers', async () => {
  await using server = await open({ ADMIN_TOKEN: 'a-secret-of-this-test' })
  const { scope: app, url } = server
  for (const route of ['pause/bridge', 'resume/bridge', 'drain']) {
    expect([route, (await send(`${url}/admin/${route}`, 'POST', {})).status]).toEqual([route, 401])
  }
  expect((await get(`${url}/admin/audit`)).status).toBe(401)
  expect((await get(`${url}/admin/pauses`)).status).toBe(200)
  const basic = `Basic ${Buffer.from('carol:a-secret-of-this-test').toString('base64')}`
  expect((await send(`${url}/admin/pause/bridge`, 'POST', {}, { authorization: basic })).status).toBe(200)
  const cross = { authorization: basic, origin: 'https://evil.example' }
  expect((await send(`${url}/admin/resume/bridge`, 'POST', {}, cross)).status).toBe(403)
  expect(await get(`${url}/admin/audit`, { authorization: 'Bearer a-secret-of-this-test' })).toMatchObject({
    status: 200,
    body: [{ action: 'pause', by: 'carol', what: { component: 'bridge' }, outcome: 'done' }],
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
  const { scope: app, redis, url } = server
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
  expect(replay).toMatchObject({ action: 'replay', by: 'ann' })
  const replayed = JSON.parse(replay?.what ?? '')
  expect(replayed).toMatchObject({ body: { limit: 1 }, sha256: expect.any(String) })
  expect(replayed.body.ids.slice(0, 2)).toEqual(long.ids.slice(0, 2))
  expect(discard).toMatchObject({
    action: 'discard',
    by: 'ann',
    what: `{"id":"${id}","body":{"reason":"old"}}`,
  })
  expect(clean).toMatchObject({ action: 'queues', by: 'ann' })
  expect(JSON.parse(clean?.what ?? '')).toMatchObject({ method: 'PUT', path: job })
})

interface Counting extends Loop {
  rounds(): number
  /** Number of its runs now; `most` is the largest number at once. */
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

/** Runs loops of a component as a process does. */
async function running(scope: PartitionScope, component: string, loops: readonly Loop[]): Promise<AsyncDisposable> {
  const stop = new AbortController()
  const gate = await openPauseGate(scope, stop.signal)
  const ended = supervise(
    scope,
    loops.map((loop) => gate.pausable(component, loop)),
    stop.signal,
  )
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await ended
      gate[Symbol.dispose]()
    },
  }
}

test('loops of a paused component end together, are reported once, give signs of life, and run again when it is resumed', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  const events = reportOf(app)
  const loops = [counting('one'), counting('two', 200)]
  const rounds = (): number[] => loops.map((loop) => loop.rounds())
  const stillRunning: number[] = []
  app.telemetry.on('paused', () => stillRunning.push(...loops.map((loop) => loop.running())))
  await pauseComponent(app, 'bridge', ann)
  await using _ = await running(app, 'bridge', loops)
  await until('it to be reported', () => events.length > 0)
  for (const round of [1, 2, 3]) {
    expect(events.splice(0)).toEqual([['paused', { component: 'bridge', by: 'ann' }]])
    const before = rounds()
    const [pulse = 0] = app.pulse.values()
    await until('signs of life', () => [...app.pulse.values()].every((at) => at > pulse + 200))
    expect([round, rounds()]).toEqual([round, before])
    await resumeComponent(app, 'bridge', bob)
    await until('rounds of both', () => rounds().every((count, at) => count > (before[at] ?? 0) + 2))
    expect(events.splice(0)).toEqual([['resumed', { component: 'bridge' }]])
    await pauseComponent(app, 'bridge', ann)
    await until('it to be reported', () => events.length > 0)
  }
  expect(loops.map((loop) => loop.most())).toEqual([1, 1])
  expect(stillRunning).toEqual([0, 0, 0, 0, 0, 0, 0, 0])
})

test('a loop that failed before a pause has not recovered by it, and one that is paused while it fails is no failure', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  const events = reportOf(app)
  const loop = counting('validate')
  await using _ = await running(app, 'validate', [loop])
  await until('rounds', () => loop.rounds() > 0)
  loop.fail(1_000_000)
  await until('a failure', () => events.length > 0)
  await pauseComponent(app, 'validate', ann)
  await until('the pause', () => events.length > 1)
  loop.fail(0)
  await resumeComponent(app, 'validate', ann)
  await until('it to make progress again', () => events.length > 3)
  expect(events.map(([event]) => event)).toEqual(['loopFailed', 'paused', 'resumed', 'loopRecovered'])
})

test('while Redis is away, or refuses to answer, a process keeps the state it knows and gives signs of life', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  const redis = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
  redis.on('error', () => {})
  const app = appOn(redis)
  const events = reportOf(app)
  const [paused, going] = [counting('validate'), counting('aggregate')]
  await pauseComponent(app, 'validate', ann)
  await using _ = await running(app, 'validate', [paused])
  await using __ = await running(app, 'aggregate', [going])
  await until('the pause', () => events.length > 0)
  await server.stop()
  const went = going.rounds()
  const pulse = app.pulse.get('validate') ?? 0
  await until('more than a second of it', () => (app.pulse.get('validate') ?? 0) > pulse + 1_200)
  expect(going.rounds()).toBeGreaterThan(went)
  await server.start()
  await redis.multi().rename(app.control.pauses, 'kept').set(app.control.pauses, 'no hash').exec()
  await until('both to be refused', () => events.filter(([event]) => event === 'pausesUnreadable').length === 2)
  const more = app.pulse.get('validate') ?? 0
  await until('another second of it', () => (app.pulse.get('validate') ?? 0) > more + 1_200)
  expect(paused.rounds()).toBe(0)
  await redis.rename('kept', app.control.pauses)
  await resumeComponent(app, 'validate', ann)
  await until('it to run', () => paused.rounds() > 0)
  expect(events.map(([event]) => event)).toEqual(['paused', 'pausesUnreadable', 'pausesUnreadable', 'resumed'])
  await resumeComponent(app, 'validate', ann)
  redis.disconnect()
})
