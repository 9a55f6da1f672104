import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../src/app.ts'
import { readConfig } from '../../../src/config/config.ts'
import type { Events } from '../../../src/events/fields.ts'
import { enqueue } from '../../../src/ingest/enqueue.ts'
import { admittedOrder, type RawRecord } from '../../../src/messages.ts'
import { readGlobalStats } from '../../../src/stages/aggregate.ts'
import { definePipeline } from '../../../src/stages/define-pipeline.ts'
import type { Stage } from '../../../src/stages/placed.ts'
import { removeConsumers } from '../../../src/stages/runner/dead-consumers.ts'
import { ensureGroups } from '../../../src/stages/runner/groups.ts'
import { runStage } from '../../../src/stages/runner/run.ts'
import { trim } from '../../../src/stages/runner/trim.ts'
import { defineObserver, hincrby } from '../../../src/stages/stage.ts'
import { requireRealRedis } from '../../support/requires.ts'
import { aggregate, definitions, shipped as pipeline, validate } from '../../support/stages.ts'
import { until } from '../../support/until.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

const orders = (count: number, from = 0): RawRecord[] =>
  Array.from({ length: count }, (_, i) => ({
    id: `m${from + i}`,
    body: JSON.stringify({ user_id: `u${i % 7}`, order_id: from + i, order_value: 1.5 }),
  }))

/** Runs stages until disposed. */
function run(
  scope: PartitionScope,
  stages: readonly Stage[],
): AsyncDisposable & { events: { [E in keyof Events]?: Events[E][] } } {
  const stop = new AbortController()
  const events: { [name: string]: unknown[] } = {}
  scope.telemetry.listen((event, fields) => {
    events[event] = [...(events[event] ?? []), fields]
  })
  const running = stages.map((stage) => runStage(scope, stage, () => {}, stop.signal))
  const end = async (): Promise<void> => {
    stop.abort()
    await Promise.all(running)
  }
  return { events, [Symbol.asyncDispose]: end }
}

test('entries of a consumer that died are claimed after CLAIM_IDLE_MS and counted once', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis)
  await ensureGroups(app)
  for (let i = 0; i < 30; i++) await enqueue(redis, app.keys, orders(10, i * 10))
  await redis.xreadgroup('GROUP', 'validate', 'dead', 'COUNT', 25, 'STREAMS', 'orders:raw', '>')
  await using running = run(app, pipeline.stages)
  await until(
    'all to be ranked',
    () => redis.hget('pipeline:counters', 'ranked'),
    (ranked) => ranked === '300',
  )
  expect(running.events.claimed).toContainEqual({ stage: 'validate', entries: 25 })
  expect(await readGlobalStats(redis, app.partitions)).toEqual({ orders: 300, minor: 45_000 })
})

test('a slow consumer that commits late is stale, and its order is not counted again', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const quick = appOn(redis, readConfig({ CLAIM_IDLE_MS: '50', BLOCK_MS: '20' }))
  let wake = (): void => {}
  const asleep = new Promise<void>((resolve) => {
    wake = resolve
  })
  // The commit of the slow one is under backpressure, as in a process that was stopped: by its connection.
  const held = new Proxy(redis, {
    get: (target, name) => {
      const value = Reflect.get(target, name)
      if (name === 'evalsha')
        return async (...args: Parameters<typeof redis.evalsha>) => {
          if (args.some((arg) => String(arg).includes('"ids":'))) await asleep
          return target.evalsha(...args)
        }
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const slow = appOn(held, readConfig({ CLAIM_IDLE_MS: '60000', BLOCK_MS: '20' }))
  await ensureGroups(quick)
  await enqueue(redis, quick.keys, orders(10))
  await using late = run(slow, [validate])
  await until('the slow one to have read', () => late.events.read?.length)
  await using prompt = run(quick, [validate])
  await until('the other to have committed', () => prompt.events.committed?.length)
  wake()
  await until('the slow one to be stale', () => late.events.stale?.length)
  expect(late.events.stale).toEqual([{ stage: 'validate', planned: 1, held: 0 }])
  expect(await redis.hgetall('pipeline:counters')).toEqual({ received: '10', admitted: '10' })
})

test('a stream is trimmed below what every group has finished, and never above', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis)
  await ensureGroups(app)
  await redis.xgroup('CREATE', 'orders:raw', 'auditor', '0')
  const ids: string[] = []
  for (let i = 0; i < 6; i++) ids.push(...(await enqueue(redis, app.keys, orders(1, i))))
  const left = async (): Promise<string[]> => (await redis.xrange('orders:raw', '-', '+')).map(([id]) => id)
  const take = (group: string, count: number) =>
    redis.xreadgroup('GROUP', group, 'c', 'COUNT', count, 'STREAMS', 'orders:raw', '>')
  const [a = '', b = '', c = '', d = ''] = ids

  await take('validate', 6)
  await redis.xack('orders:raw', 'validate', ...ids)
  await trim(app, validate)
  expect(await left()).toEqual(ids) // the auditor has not read any
  await take('auditor', 4)
  await redis.xack('orders:raw', 'auditor', a, c, d)
  await trim(app, validate)
  expect(await left()).toEqual(ids.slice(1)) // b is pending
  await redis.xack('orders:raw', 'auditor', b)
  await trim(app, validate)
  expect(await left()).toEqual(ids.slice(4))
})

test('a consumer leaves its group unless entries are pending for it', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis)
  await ensureGroups(app)
  const consumer = { stage: validate, stream: 'orders:raw', name: 'c', reader: redis }
  const [id = ''] = await enqueue(redis, app.keys, orders(1))
  await redis.xreadgroup('GROUP', 'validate', 'c', 'STREAMS', 'orders:raw', '>')
  await removeConsumers(app, consumer, true)
  expect(await redis.xpending('orders:raw', 'validate', '-', '+', 10)).toHaveLength(1)
  await redis.xack('orders:raw', 'validate', id)
  await removeConsumers(app, consumer, true)
  expect(await redis.xinfo('CONSUMERS', 'orders:raw', 'validate')).toEqual([])
})

test('a sign of life takes no entry', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis)
  await ensureGroups(app)
  for (let i = 0; i < 3; i++) await enqueue(redis, app.keys, orders(1, i))
  await removeConsumers(app, { stage: validate, stream: 'orders:raw', name: 'c', reader: redis }, false)
  const read = await redis.xreadgroup('GROUP', 'validate', 'c', 'STREAMS', 'orders:raw', '>')
  expect((read as [string, unknown[]][])[0]?.[1]).toHaveLength(3)
})

test('an entry that is for one group is passed over by the other groups of its stream', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const observer = defineObserver({
    name: 'auditor',
    takes: admittedOrder,
    counts: 'audited',
    decide: ({ minor }, keys) => [hincrby(keys.own('auditor', 'sum'), 'minor', minor)],
  })
  const pipeline = definePipeline([definitions.validate, observer, definitions.aggregate, definitions.leaderboard])
  const app = appOn(redis, undefined, { pipeline })
  await ensureGroups(app)
  const auditor = pipeline.stage('auditor') as Stage
  const record = (order_id: string): string => JSON.stringify([{ user_id: 'u', order_id, minor: 150 }])
  await redis.xadd('orders:valid', '*', 'n', 1, 'r', record('1'))
  await redis.xadd('orders:valid', '*', 'n', 1, 'c', '1', 'r', record('2'), 'g', 'aggregate')
  await using _ = run(app, [aggregate, auditor])
  await until(
    'both groups to have finished both',
    async () => (await Promise.all(['aggregate', 'auditor'].map((group) => unfinished(redis, group)))).join(),
    (left) => left === '0,0',
  )
  expect(await readGlobalStats(redis, app.partitions)).toEqual({ orders: 2, minor: 300 })
  expect(await redis.hget('auditor:sum', 'minor')).toBe('150')
})

async function unfinished(redis: Redis, group: string): Promise<number> {
  const groups = (await redis.xinfo('GROUPS', 'orders:valid')) as string[][]
  const of = (name: string): unknown => {
    const found = groups.find((fields) => fields[1] === group) ?? []
    return found[found.indexOf(name) + 1]
  }
  const after = await redis.xrange('orders:valid', `(${of('last-delivered-id')}`, '+')
  return Number(of('pending')) + after.length
}

test('dead consumers vanish by themselves once their entries are claimed; living ones stay, idle or not', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis, readConfig({ CLAIM_IDLE_MS: '100', BLOCK_MS: '20' }))
  await ensureGroups(app)
  const names = async (): Promise<string[]> =>
    ((await redis.xinfo('CONSUMERS', 'orders:raw', 'validate')) as string[][]).map(([, name = '']) => name)
  await redis.xgroup('CREATECONSUMER', 'orders:raw', 'validate', 'dead, nothing in flight')
  await enqueue(redis, app.keys, orders(3))
  await redis.xreadgroup('GROUP', 'validate', 'dead, with an entry', 'STREAMS', 'orders:raw', '>')
  await using running = run(app, [validate])
  const removed = (): number => (running.events.consumersRemoved ?? []).flatMap(({ consumers }) => consumers).length
  await until('both of the dead to be gone', removed, (count) => count === 2)
  await until(
    'what was claimed to be committed',
    () => redis.hget('pipeline:counters', 'admitted'),
    (admitted) => admitted === '3',
  )
  await sleep(1_000) // silence itself: longer than what a consumer is taken for dead after
  expect(await names()).toEqual([app.instance])
  expect(removed()).toBe(2)
})

test('entries smaller and larger than a commit are processed, each record once', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis, readConfig({ BATCH_RECORDS: '25', BLOCK_MS: '20' }))
  let next = 0
  for (const size of [1, 1, 60, 3, 25, 26, 1, 100, 10, 10]) {
    await enqueue(redis, app.keys, orders(size, next))
    next += size
  }
  await using running = run(app, pipeline.stages)
  await until(
    'all to be ranked',
    () => redis.hget('pipeline:counters', 'ranked'),
    (ranked) => ranked === String(next),
  )
  expect(
    running.events.committed?.filter(
      ({ stage, entries, passed }) => stage === 'validate' && entries > 1 && passed > 25,
    ),
  ).toEqual([])
  expect(await redis.hget('global:stats', 'total_orders')).toBe(String(next))
})

test('what was read next to and after a commit that fails is committed, and only what failed stays pending', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis, readConfig({ BATCH_RECORDS: '10', BLOCK_MS: '20' }))
  await ensureGroups(app)
  await redis.set('outcome:t', 'no hash')
  const [poison = { id: 'm', body: '' }, ...others] = orders(200)
  await enqueue(redis, app.keys, [{ ...poison, jobId: 't' }])
  for (const other of others) await enqueue(redis, app.keys, [other])
  let read = 0
  app.telemetry.listen((event, fields) => {
    if (event === 'read') read += (fields as Events['read']).entries
  })
  const failed = runStage(app, validate, () => {}, new AbortController().signal)
  await expect(failed).rejects.toThrow('WRONGTYPE')
  const admitted = Number(await redis.hget('pipeline:counters', 'admitted'))
  const [pending] = await redis.xpending('orders:raw', 'validate')
  expect([pending, admitted]).toEqual([1, read - 1])
  expect(admitted).toBeGreaterThan(10) // what was read ahead is among them
})

test('a stage goes on when its group has vanished with the data', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis, readConfig({ BLOCK_MS: '20' }))
  await ensureGroups(app)
  const stop = new AbortController()
  const failed = runStage(app, validate, () => {}, stop.signal)
  await redis.flushdb()
  await expect(failed).rejects.toThrow('NOGROUP') // its supervisor starts it again
  await using _ = run(app, pipeline.stages)
  await enqueue(redis, app.keys, orders(5))
  await until(
    'all to be ranked',
    () => redis.hget('pipeline:counters', 'ranked'),
    (ranked) => ranked === '5',
  )
})

test('a conflict names what was accepted, should another consumer have committed in between', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const body = (order_value: number): string => JSON.stringify({ user_id: 'u', order_id: 'o', order_value })
  const other = appOn(redis)
  await ensureGroups(other)
  await enqueue(redis, other.keys, [
    { id: 'm1', body: body(1) },
    { id: 'm2', body: body(2) },
  ])
  let calls = 0
  // Between this consumer's first try and its second, another one admits the order with value 2.
  const interrupted = new Proxy(redis, {
    get: (target, name) => {
      const value = Reflect.get(target, name)
      if (name === 'evalsha') {
        return async (...args: Parameters<typeof redis.evalsha>) => {
          if (args.includes('validate') && ++calls === 2) {
            await enqueue(redis, other.keys, [{ id: 'm3', body: body(2) }])
            await using _ = run(other, [validate])
            await until('the other to be admitted', () => redis.hget('pipeline:counters', 'admitted'))
          }
          return target.evalsha(...args)
        }
      }
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  await using _ = run(appOn(interrupted), [validate])
  await until(
    'all three to be judged',
    () => redis.hgetall('pipeline:counters'),
    ({ admitted, duplicates, rejected }) => Number(admitted) + Number(duplicates ?? 0) + Number(rejected ?? 0) === 3,
  )
  expect(await redis.hgetall('pipeline:counters')).toMatchObject({ admitted: '1', duplicates: '1', rejected: '1' })
  const [kept = ''] = await redis.lrange('invalid_orders', 0, -1)
  expect(JSON.parse(kept)).toMatchObject({
    order: { order_value: 1 },
    reason: 'Order o of user u was already accepted with order_value 2',
  })
})

test('one entry that cannot be committed does not hold up the others', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis)
  await ensureGroups(app)
  for (let i = 0; i < 12; i++) {
    await enqueue(redis, app.keys, [
      { id: `m${i}`, body: JSON.stringify({ user_id: `u${i}`, order_id: 'o', order_value: 1 }) },
    ])
  }
  await redis.set('user:u5', 'another program put text here')
  const stop = new AbortController()
  const [validating, counting] = [validate, aggregate].map((stage) => runStage(app, stage, () => {}, stop.signal))
  await expect(counting).rejects.toThrow('WRONGTYPE')
  await redis.del('user:u5')
  await using _ = run(app, pipeline.stages)
  await until(
    'all to be ranked',
    () => redis.hget('pipeline:counters', 'ranked'),
    (ranked) => ranked === '12',
  )
  stop.abort()
  await validating
})

test('when orders were sent to SQS travels with them, and each hop reports how long they took', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis)
  await ensureGroups(app)
  const sentMs = Date.now() - 5_000
  await enqueue(redis, app.keys, orders(10), { sentMs })
  await enqueue(redis, app.keys, orders(10, 10), { sentMs })
  await enqueue(redis, app.keys, orders(10, 20), { sentMs: sentMs + 1_000 })
  await enqueue(redis, app.keys, orders(10, 30))
  await redis.xadd('orders:raw', '*', 'n', 1, 'c', 1, 't', '[1e3,"x"]', 'r', JSON.stringify(orders(1, 40)))
  await using running = run(app, pipeline.stages)
  const hopsOf = (name: string) => (running.events.hop ?? []).filter(({ hop }) => hop === name)
  const reported = (name: string): number => countsOf(hopsOf(name).flatMap(({ waits }) => waits))
  await until('each hop to have reported all', () => pipeline.stages.every(({ name }) => reported(name) === 41))
  for (const { name } of pipeline.stages) {
    const hops = hopsOf(name)
    expect(hops.every(({ atMs, waits }) => waits.every((value, at) => at % 2 === 1 || value < atMs - sentMs))).toBe(
      true,
    )
    const sent = hops.flatMap(({ atMs, sinceSent }) =>
      sinceSent.map((value, at) => (at % 2 === 0 ? Math.floor(atMs - value) : value)),
    )
    const of = (ms: number): number =>
      countsOf(sent.flatMap((value, at) => (value === ms && at % 2 === 0 ? [ms, sent[at + 1] ?? 0] : [])))
    expect([of(sentMs), of(sentMs + 1_000), countsOf(sent)], name).toEqual([20, 10, 30])
  }
})

/** The orders of a list of ms and numbers of orders, alternating. */
function countsOf(times: readonly number[]): number {
  return times.reduce((sum, value, at) => sum + (at % 2 === 1 ? value : 0), 0)
}
