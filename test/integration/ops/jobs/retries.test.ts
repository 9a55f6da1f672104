import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { App, PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { pauseComponent } from '../../../../src/control/pauses.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { makeControlKeys, makePartitions } from '../../../../src/keys.ts'
import { retryDue } from '../../../../src/ops/jobs/retries.ts'
import { readBooks } from '../../../../src/reads/books.ts'
import { readCounters } from '../../../../src/reads/counters.ts'
import { readOldest } from '../../../../src/stages/invalid/oldest.ts'
import { replayEntries } from '../../../../src/stages/invalid/requeue.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { validate } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const refund = (order: number | string, more: object = {}): string =>
  JSON.stringify({ event: 'order.refunded', user_id: 'u', order_id: `${order}`, event_id: 'e', amount: 1, ...more })
const placed = (order: number | string): string =>
  JSON.stringify({ user_id: 'u', order_id: `${order}`, order_value: 5 })

const signal = new AbortController().signal

/** Lets validate judge what waits. */
async function judge(scope: PartitionScope): Promise<void> {
  const stop = new AbortController()
  const running = runStage(scope, validate, () => {}, stop.signal)
  const waits = async (): Promise<number> => {
    const {
      received = 0,
      admitted = 0,
      corrected = 0,
      duplicates = 0,
      rejected = 0,
    } = await readCounters(scope.redis, [scope.keys])
    return received - admitted - corrected - duplicates - rejected
  }
  await until('all to be judged', async () => (await waits()) === 0)
  stop.abort()
  await running
}

async function send(scope: PartitionScope, bodies: readonly string[], name = ''): Promise<void> {
  await ensureGroups(scope)
  await enqueue(
    scope.redis,
    scope.keys,
    bodies.map((body, at) => ({ id: `m${name}${at}`, body })),
  )
  await judge(scope)
}

/** An app that retries at once, or after these delays; its events, and a pass of its loop. */
function retrying(redis: Redis, delays = '1ms,1ms', more: Partial<PartitionScope> = {}) {
  const config = readConfig({ RETRY_DELAYS: delays, BLOCK_MS: '20', LEDGER_BUCKETS: '16' })
  const scope = appOn(redis, config, more)
  const events: [event: string, fields: object][] = []
  for (const event of ['retried', 'retriesEnded'] as const)
    scope.telemetry.on(event, (fields) => events.push([event, fields]))
  const pass = async (): Promise<void> => {
    await redis.del(scope.control.retriesTurn)
    await retryDue(scope, () => {}, signal)
  }
  return { scope, events, pass }
}

const invalid = ({ redis, partitions }: App) =>
  readOldest(redis, partitions, { after: '0-0', until: '+', count: 1_000 })

const sleepPast = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test('a correction that came before its order is retried until the order is there', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { scope, events, pass } = retrying(world.redis)
  await send(scope, [refund(1)])
  await sleepPast(5)
  await pass()
  await judge(scope)
  expect((await invalid(scope)).map(({ record }) => [record.code, record.attempts])).toEqual([['unknown-order', 2]])
  await send(scope, [placed(1)], 'placed')
  await sleepPast(5)
  await pass()
  await judge(scope)
  expect(await invalid(scope)).toEqual([])
  expect(await readCounters(scope.redis, scope.partitions)).toMatchObject({ corrected: 1, replayed: 2, rejected: 2 })
  expect(events).toEqual([
    ['retried', { code: 'unknown-order', attempts: 1, orders: 1 }],
    ['retried', { code: 'unknown-order', attempts: 2, orders: 1 }],
  ])
})

test('after its last retry it is given up, keeps its history, and can be replayed by hand', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { scope, events, pass } = retrying(world.redis)
  await send(scope, [refund(1)])
  const [first] = await invalid(scope)
  for (let pass_ = 0; pass_ < 4; pass_++) {
    await sleepPast(5)
    await pass()
    await judge(scope)
  }
  const [entry] = await invalid(scope)
  expect(entry?.record).toMatchObject({ attempts: 3, first_ts: first?.record.ts, first_reason: first?.record.reason })
  expect(events.filter(([event]) => event === 'retriesEnded')).toEqual([
    ['retriesEnded', { partition: undefined, code: 'unknown-order', orders: 1, invalidId: entry?.id }],
  ])
  expect(events.filter(([event]) => event === 'retried')).toHaveLength(2)
  await send(scope, [placed(1)], 'placed')
  expect(await replayEntries(scope, entry ? [entry] : [], { jobId: 'by hand', limit: 1 })).toHaveLength(1)
  await judge(scope)
  expect(await readCounters(scope.redis, scope.partitions)).toMatchObject({ corrected: 1, replayed: 3 })
  expect(await invalid(scope)).toEqual([])
  expect((await readBooks(scope)).differences).toEqual([])
})

test('an order waits for its delay, each at a time of its own; others are not touched', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { scope, pass } = retrying(world.redis, '1ms,1h')
  await send(scope, [refund(1), '{}'])
  await sleepPast(5)
  await pass()
  await judge(scope)
  await send(scope, [refund(2)], 'later')
  await sleepPast(5)
  await pass()
  await judge(scope)
  const found = (await invalid(scope)).map(({ record: { order, attempts } }) => [order?.['order_id'], attempts])
  expect(found).toEqual([
    [undefined, 1],
    ['1', 2],
    ['2', 2],
  ])
  await pass()
  expect(await invalid(scope)).toHaveLength(3)
})

test('passes of many processes at once, repeated over many pages, take each order once', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { scope, events } = retrying(world.redis, '1ms')
  await send(
    scope,
    Array.from({ length: 150 }, (_, at) => refund(at)),
  )
  await sleepPast(5)
  const passes = Array.from({ length: 4 }, async () => {
    const own = retrying(world.redis, '1ms')
    await own.pass()
    events.push(...own.events)
  })
  await Promise.all(passes)
  expect(await world.redis.xlen(scope.keys.invalid)).toBe(0)
  expect(events.map(([, fields]) => ('orders' in fields ? Number(fields.orders) : 0)).reduce((a, b) => a + b, 0)).toBe(
    150,
  )
  await judge(scope)
  expect(await readCounters(scope.redis, scope.partitions)).toMatchObject({
    received: 300,
    replayed: 150,
    rejected: 300,
  })
  expect(await world.redis.xlen(scope.keys.invalid)).toBe(150)
})

test('orders that are given up are looked at once, and a lost cursor only begins again', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { scope, events, pass } = retrying(world.redis, '1ms')
  await send(scope, [refund(1), refund(2)])
  for (let time = 0; time < 2; time++) {
    await sleepPast(5)
    await pass()
    await judge(scope)
  }
  const [cursor] = Object.values(await world.redis.hgetall(scope.keys.retries))
  expect(cursor).toBe((await invalid(scope)).at(-1)?.id)
  await world.redis.del(scope.keys.retries)
  await pass()
  expect(Object.values(await world.redis.hgetall(scope.keys.retries))).toEqual([cursor])
  expect(events.filter(([event]) => event === 'retried')).toHaveLength(1)
})

for (const component of ['bridge', 'validate']) {
  test(`while ${component} is paused nothing is retried`, async (context) => {
    requireRealRedis(context)
    await using world = await emptyRedis()
    const { scope, pass } = retrying(world.redis)
    await send(scope, [refund(1)])
    await pauseComponent(scope, component, { by: 'ann' })
    await sleepPast(5)
    await pass()
    expect(await world.redis.xlen(scope.keys.invalid)).toBe(1)
  })
}

test('each partition has cursors of its own, and one process passes at a time', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const partitions = makePartitions(2)
  const control = makeControlKeys(partitions)
  const { scope, pass } = retrying(world.redis, '1ms', { partitions, control })
  for (const keys of partitions) await send({ ...scope, keys }, [refund(`${keys.partition}`)])
  await sleepPast(5)
  await world.redis.set(control.retriesTurn, 'another')
  await retryDue(scope, () => {}, signal)
  expect(await invalid(scope)).toHaveLength(2)
  await pass()
  expect(await invalid(scope)).toHaveLength(0)
  for (const keys of partitions) expect(await world.redis.hlen(keys.retries)).toBe(1)
})
