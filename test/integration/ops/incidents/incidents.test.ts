import { Redis } from 'ioredis'
import { pino } from 'pino'
import { expect, type TestContext, test } from 'vitest'
import { openApi } from '../../../../src/api/server.ts'
import type { PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { readAudit } from '../../../../src/control/audit-log.ts'
import { readIncidents } from '../../../../src/control/incidents.ts'
import type { Events } from '../../../../src/events/fields.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { incidentLoop } from '../../../../src/ops/incidents/loop.ts'
import { acknowledge, lossesOf } from '../../../../src/ops/verify/acknowledge.ts'
import { generationNow } from '../../../../src/stages/runner/ledger.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { openTelemetry } from '../../../../src/telemetry.ts'
import { spawnRedisServer } from '../../../support/redis-server.ts'
import { requireRedisServer } from '../../../support/requires.ts'
import { validate } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn } from '../../../support/world.ts'

type Said = { readonly [E in keyof Events]?: Events[E][] }

const never = new AbortController().signal

/** A redis-server of a test's own, and processes that watch it as fast as they can. A look reads all ledger buckets. */
async function open(context: TestContext, buckets = 4_096) {
  requireRedisServer(context)
  const server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  const redis = new Redis(server.url)
  const stops: (() => Promise<void>)[] = []
  const env = { REDIS_URL: server.url, API_PORT: '0', BLOCK_MS: '20', LEDGER_BUCKETS: `${buckets}` }
  const app = appOn(redis, readConfig(env))
  /** One more process that watches; gives what it has said. */
  const watch = (): Said & { looks(): number } => {
    const said: Record<string, unknown[]> = {}
    const telemetry = openTelemetry(pino({ level: 'silent' }))
    telemetry.listen((event, fields) => {
      said[event] = [...(said[event] ?? []), fields]
    })
    const stop = new AbortController()
    let looks = 0
    const pace = { ledger: true, scanMs: 5, evictionMs: 5, ledgerMs: 5 }
    const running = incidentLoop({ ...app, telemetry }, pace)
      .run(() => void looks++, stop.signal)
      .catch(() => {})
    stops.push(async () => {
      stop.abort()
      await running
    })
    return Object.assign(said as Said, { looks: () => looks })
  }
  const close = async (): Promise<void> => {
    for (const stop of stops) await stop()
    redis.disconnect()
    await server[Symbol.asyncDispose]()
  }
  return { app, redis, url: server.url, watch, [Symbol.asyncDispose]: close }
}

const looked = async (...watches: readonly { looks(): number }[]): Promise<void> => {
  const before = watches.map(({ looks }) => looks())
  await until('two rounds', () => watches.every(({ looks }, at) => looks() >= (before[at] ?? 0) + 3))
}

async function admit(scope: PartitionScope, orders: number): Promise<void> {
  const records = Array.from({ length: orders }, (_, at) => ({
    id: `m${at}`,
    body: JSON.stringify({ user_id: `u${at}`, order_id: 'o', order_value: 1 }),
  }))
  await enqueue(scope.redis, scope.keys, records)
  const stop = new AbortController()
  const running = runStage(scope, validate, () => {}, stop.signal)
  const admitted = () => scope.redis.hget(scope.keys.counters, 'admitted')
  await until('all to be admitted', admitted, (found) => found === String(orders))
  stop.abort()
  await running
}

test('ledger records that are deleted are noticed, are one incident for all processes, and can be accepted', async (context) => {
  await using world = await open(context)
  const { app, redis, watch } = world
  await admit(app, 217)
  const watches = [watch(), watch()]
  await looked(...watches)
  expect(await readIncidents(redis)).toEqual([])
  const names = await redis.keys('ledger:*')
  await redis.del(...names.slice(0, 150))

  const text =
    /^The ledger lost \d+ of 217 remembered orders: an order that SQS has delivered again since then may have been counted twice\.$/
  await until('it to be said', () => watches.some(({ incident }) => incident))
  await looked(...watches)
  expect(watches.flatMap(({ incident = [] }) => incident)).toEqual([
    { kind: 'ledger', text: expect.stringMatching(text) },
  ])
  const generation = await generationNow(app)
  expect(await readIncidents(redis)).toMatchObject([{ kind: 'ledger', place: `/${generation}` }])
  const [loss] = await lossesOf(app, never)
  expect(loss).toMatchObject({ of: 217, generation, exact: true })

  await acknowledge(app, never)
  expect(await lossesOf(app, never)).toEqual([])
  await looked(...watches)
  expect(await readIncidents(redis)).toEqual([])
  expect(await readAudit(redis, app.control, { limit: 10 })).toMatchObject([
    { action: 'acknowledge', what: expect.stringContaining('The ledger lost') },
    { action: 'acknowledge', what: expect.stringContaining('The ledger lost') },
  ])
})

test('a large ledger is looked at by a sample, which finds what is missing, and nothing where all is there', async (context) => {
  await using world = await open(context, 16_384)
  const { app, redis, watch } = world
  const generation = await generationNow(app)
  const fill = redis.pipeline()
  const buckets = app.config.ledgerBuckets
  for (let bucket = 0; bucket < buckets; bucket++) fill.hset(app.keys.ledger(generation, bucket), { a: 1, b: 1 })
  await fill.hset(app.keys.ledgerCounts, String(generation), 2 * buckets).exec()
  const process = watch()
  await looked(process)
  await looked(process)
  expect(process.incident).toBeUndefined()
  const half = redis.pipeline()
  for (let bucket = 0; bucket < buckets; bucket += 2) half.del(app.keys.ledger(generation, bucket))
  await half.exec()
  const [said] = await until(
    'it to be said',
    () => process.incident ?? [],
    (found) => found.length > 0,
  )
  expect(said?.text).toMatch(/^The ledger lost about (1[3-9]|2[01]),\d{3} of 32,768 remembered orders: /)
})

test('what a repartition takes away is no loss: the counters, and the lines of the ledger', async (context) => {
  await using world = await open(context)
  const { app, redis, watch } = world
  await admit(app, 50)
  const process = watch()
  await looked(process)
  await redis.set(app.keys.layoutKey, 4)
  await redis.del(app.keys.counters, ...(await redis.keys('ledger:*')))
  await looked(process)
  await looked(process)
  expect(process.incident).toBeUndefined()
  expect(process.incidentsFailed).toBeUndefined()
})

test('keys that a full Redis has thrown away are an incident', async (context) => {
  await using world = await open(context)
  const { redis, watch, app } = world
  const process = watch()
  await using api = await openApi(app)
  const metrics = async (): Promise<string> => (await fetch(`${api.url}/metrics`)).text()
  await looked(process)
  expect(process.evicting).toBeUndefined()
  expect(await metrics()).toContain('\norders_redis_evicting 0\n')

  await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
  await until('it to be said', () => process.evicting)
  await looked(process)
  const advice = 'Set maxmemory-policy noeviction: Redis deletes orders when it is full.'
  expect(process.evicting).toEqual([{ policy: 'allkeys-lru', advice }])
  await until('the metric', async () => (await metrics()).includes('\norders_redis_evicting 1\n'))

  for (let at = 0; at < 200; at++) await redis.set(`filler:${at}`, 'x'.repeat(10_000))
  await redis.config('SET', 'maxmemory', 2_000_000)
  await redis.set('filler:more', 'x'.repeat(10_000))
  await until('the incident', () => process.incident?.some(({ kind }) => kind === 'evicted'))
  await redis.config('SET', 'maxmemory', 0)
  await redis.config('SET', 'maxmemory-policy', 'noeviction')
  await until('it to be over', () => process.evictionOff)
  expect(process.incident?.find(({ kind }) => kind === 'evicted')?.text).toMatch(
    /^Redis at 127\.0\.0\.1:\d+ was full and deleted [\d,]+ keys?: orders, totals and ledger records may be among them\. Check with orders verify --deep\.$/,
  )
})

test('a Redis that takes no writes is no reason to keep silent, and is reported once it takes them', async (context) => {
  await using world = await open(context)
  const { app, redis, watch } = world
  await redis.hset(app.keys.counters, { received: 10 })
  const process = watch()
  await looked(process)
  await redis.config('SET', 'maxmemory', 1)
  await redis.hdel(app.keys.counters, 'received') // what a full Redis takes
  await until('it to be said', () => process.incident)
  await looked(process)
  expect(process.incident).toHaveLength(1)
  expect(await readIncidents(redis)).toEqual([])
  await redis.config('SET', 'maxmemory', 0)
  await until('it to be noted', async () => (await readIncidents(redis)).length > 0)
  await looked(process)
  expect(process.incident).toHaveLength(1)
  expect(await readIncidents(redis)).toHaveLength(1)
})

test('a user without INFO and CONFIG, and a key of another type, are said once at most and stop nothing', async (context) => {
  await using world = await open(context)
  const { app, redis, watch } = world
  await redis.call('ACL', 'SETUSER', 'default', '-info', '-config')
  const process = watch()
  await looked(process)
  expect(process.incidentsFailed).toBeUndefined()
  await redis.set(app.keys.counters, 'text')
  await until('it to be said', () => process.incidentsFailed)
  await looked(process)
  expect(process.incidentsFailed).toHaveLength(1)
  await redis.del(app.keys.counters)
  await looked(process)
  await redis.hset(app.keys.counters, { received: 3 })
  await looked(process)
  await redis.del(app.keys.counters)
  await until('a later fault to be said', () => process.incident)
})
