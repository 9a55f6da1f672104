import type { Socket } from 'node:net'
import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { readLiving } from '../../../src/control/living.ts'
import { pauseComponent } from '../../../src/control/pauses.ts'
import { leavePresence, renewPresence } from '../../../src/control/presence.ts'
import { enqueue } from '../../../src/ingest/enqueue.ts'
import { statusLines } from '../../../src/ops/commands/inspect/status.ts'
import { textOf } from '../../../src/ops/terminal/output.ts'
import { openStatus, readSettled } from '../../../src/reads/open-status.ts'
import { readStatus, type Status, stallsOf } from '../../../src/reads/status.ts'
import { spawnRedisServer } from '../../support/redis-server.ts'
import { requireRealRedis, requireRedisServer } from '../../support/requires.ts'
import { runOrders } from '../../support/run-orders.ts'
import { until } from '../../support/until.ts'
import { appOn, emptyRedis, envOf } from '../../support/world.ts'

const roles = ['bridge', 'validate', 'aggregate', 'leaderboard']
/** Marks roles as run by a process whose last progress was so long ago. */
const mark = (redis: Redis, names: readonly string[], idleMs = 0) =>
  renewPresence(appOn(redis), new Map(names.map((name) => [name, idleMs])), true)
const processesOf = ({ bridge, stages }: Status) => [bridge, ...stages].map(({ processes }) => processes)
const order = (id: number) => ({
  id: `m${id}`,
  body: JSON.stringify({ user_id: 'u', order_id: `${id}`, order_value: 1 }),
})

/** Writes an order that came to the first stage so long ago. */
async function sendLate(redis: Redis, agoMs: number): Promise<void> {
  const { keys } = appOn(redis)
  await enqueue(redis, keys, [order(1)])
  const [[, fields] = ['', []]] = await redis.xrange(keys.stream('raw'), '-', '+')
  const [seconds = 0] = await redis.time()
  await redis.del(keys.stream('raw'))
  await redis.xadd(keys.stream('raw'), `${Number(seconds) * 1_000 - agoMs}-0`, ...fields)
}

test('a stage without a process is named with the orders that wait, and is not when it is paused', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  expect(stallsOf(await readStatus(app.redis, app))).toEqual(roles.map((name) => `No process runs ${name}.`))
  await mark(world.redis, ['bridge', 'aggregate', 'leaderboard'])
  await mark(world.redis, ['aggregate'])
  await sendLate(world.redis, 125_000)
  const status = await readStatus(app.redis, app)
  expect(processesOf(status)).toEqual([1, 0, 2, 1])
  expect(stallsOf(status)).toEqual(['No process runs validate. 1 order waits, for 2 minutes.'])
  expect(textOf(statusLines(status, app.format.money))).toContain(
    'No process runs validate. 1 order waits, for 2 minutes.',
  )
  await enqueue(app.redis, app.keys, [order(2), order(3)])
  expect(stallsOf(await readStatus(app.redis, app))).toEqual([
    'No process runs validate. 3 orders wait, the oldest for 2 minutes.',
  ])
  await pauseComponent(app, 'validate', { by: 'ann' })
  expect(stallsOf(await readStatus(app.redis, app))).toEqual([])
})

test('a stage stands still once nothing was committed for 30 s while an order waits, read or not', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  await mark(world.redis, roles, 40_000)
  expect(stallsOf(await readStatus(app.redis, app))).toEqual([])
  await sendLate(world.redis, 10_000)
  expect(stallsOf(await readStatus(app.redis, app))).toEqual([])
  await sendLate(world.redis, 60_000)
  const stall = expect.stringMatching(
    /^Stage validate stands still: it has committed nothing for \d\d seconds\. 1 order waits, for \d\d seconds\.$/,
  )
  expect(stallsOf(await readStatus(app.redis, app))).toEqual([stall])
  const stream = app.keys.stream('raw')
  await world.redis.xgroup('CREATE', stream, 'validate', '0')
  await world.redis.xreadgroup('GROUP', 'validate', 'dead', 'STREAMS', stream, '>')
  expect(stallsOf(await readStatus(app.redis, app))).toEqual([stall])
  await mark(world.redis, ['validate'], 10_000)
  expect(stallsOf(await readStatus(app.redis, app))).toEqual([])
})

test('a process that starts again and again does not hide that its stage stands still', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  await mark(world.redis, roles, 40_000)
  await sendLate(world.redis, 60_000)
  for (const instance of ['second', 'third']) {
    const crashing = { ...app, instance }
    await renewPresence(crashing, new Map([['validate', undefined]]), true)
    expect(stallsOf(await readStatus(app.redis, app))).toEqual([expect.stringContaining('validate stands still')])
    await leavePresence(crashing, ['validate'])
  }
})

test('a stage is not said to stand still within three times CLAIM_IDLE_MS', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  await mark(world.redis, roles, 100_000)
  await sendLate(world.redis, 100_000)
  const stallsAt = async (claimIdleMs: number): Promise<string[]> =>
    stallsOf(await readStatus(app.redis, { ...app, config: { ...app.config, claimIdleMs } }))
  expect(await stallsAt(40_000)).toEqual([])
  expect(await stallsAt(20_000)).toEqual([expect.stringContaining('validate stands still')])
})

test('a renewal writes its own fields only, drops dead ones at a start, and replaces a value of another type', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis)
  const renewAs = (instance: string, isFirst = false) =>
    renewPresence({ ...app, instance }, new Map([['validate', undefined]]), isFirst)
  const fields = async (): Promise<string[]> => (await redis.hkeys(app.control.presence)).sort()
  await redis.set(app.control.presence, 'validate dead 1 1\n')
  await renewAs('one', true)
  await redis.hset(app.control.presence, 'validate killed', '1')
  await renewAs('one')
  expect(await fields()).toEqual(['validate', 'validate killed', 'validate one'])
  expect(await redis.ttl(app.control.presence)).toBeGreaterThan(0)
  await renewAs('two', true)
  expect(await fields()).toEqual(['validate', 'validate one', 'validate two'])
})

test('while processes come back after an outage, none is said to be missing', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  await mark(world.redis, roles)
  const away = { ...app, instance: 'away' }
  await renewPresence(away, new Map([['validate', undefined]]), true)
  await world.redis.del(app.control.presence) // as if all had expired
  await renewPresence(away, new Map([['validate', undefined]]), false)
  const status = await readStatus(app.redis, app)
  expect([processesOf(status), stallsOf(status)]).toEqual([[null, null, null, null], []])
  await world.redis.hset(app.control.presence, '-', '1') // long ago
  expect(processesOf(await readStatus(app.redis, app))).toEqual([0, 1, 0, 0])
})

test('a reader whose Redis was away does not say for some seconds which components run', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  const { Redis } = await import('ioredis')
  const redis = new Redis(server.url, { maxRetriesPerRequest: 1 })
  redis.on('error', () => {})
  const app = appOn(redis)
  const read = openStatus(app.redis, app)
  expect(processesOf(await read())).toEqual([0, 0, 0, 0])
  await server.stop('SIGKILL')
  await expect(read()).rejects.toThrow()
  await server.start()
  const status = await until('Redis to be back', () => read().catch(() => undefined))
  expect(status && [processesOf(status), stallsOf(status)]).toEqual([[null, null, null, null], []])
  redis.disconnect()
})

test.each([
  ['all', 0, []],
  ['all but one', 1, ['No process runs leaderboard.']],
])('a check just after an outage waits for processes that come back: %s do', async (_, away, missing) => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  const back = roles.slice(0, roles.length - away)
  let reads = 0
  const read = async (): Promise<Status> => {
    const status = await readStatus(app.redis, app)
    if (++reads > 1) await mark(world.redis, back)
    return status
  }
  const settled = await readSettled(read, new AbortController().signal)
  expect([reads > 2, stallsOf(settled)]).toEqual([true, missing])
  expect(processesOf(settled).map((processes) => processes !== 0)).toEqual(roles.map((role) => back.includes(role)))
})

test('a status takes only ids from streams, and sees an entry of some MB', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  const body = JSON.stringify({ user_id: 'u', order_id: 'o', order_value: 1, note: 'x'.repeat(4_000_000) })
  await enqueue(app.redis, app.keys, [{ id: 'm', body }])
  const { stream } = app.redis as unknown as { stream: Socket }
  const before = stream.bytesRead
  const [first] = (await readStatus(app.redis, app)).stages
  expect(stream.bytesRead - before).toBeLessThan(100_000)
  expect(first?.oldestWaitingMs).toBeGreaterThanOrEqual(0)
})

test('presence is renewed in a Redis that is full', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer('--maxmemory', '1')
  if (!server) throw new Error('no redis-server')
  const { Redis } = await import('ioredis')
  const redis = new Redis(server.url)
  await mark(redis, ['validate'])
  const { control } = appOn(redis)
  expect((await readLiving(redis, control))('validate').processes).toBe(1)
  redis.disconnect()
})

test('status --check fails while a component has no process, and only then', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const env = envOf(world.url)
  const check = async (): Promise<[code: number | null, text: string]> => {
    await using run = runOrders(['status', '--check'], env)
    const { code } = await run.exit()
    return [code, run.stdout()]
  }
  await mark(world.redis, ['bridge'])
  await using some = runOrders(['run', 'validate', 'aggregate'], env)
  await some.started()
  const [code, text] = await check()
  expect([code, text.includes('No process runs leaderboard.'), text.includes('validate.')]).toEqual([1, true, false])
  await using last = runOrders(['run', 'leaderboard'], env)
  await last.started()
  const checkAll = async (): Promise<number | null> => {
    await mark(world.redis, ['bridge'])
    return (await check())[0]
  }
  await until('all to be well', checkAll, (code) => code === 0)
  await world.redis.set('pipeline:pauses', 'of another type')
  expect(await checkAll()).toBe(1)
  await world.redis.del('pipeline:pauses')
  await last.stop()
  const app = appOn(world.redis)
  await until('leaderboard to be gone', async () => processesOf(await readStatus(app.redis, app))[3] === 0)
})
