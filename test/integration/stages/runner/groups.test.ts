import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import type { Events } from '../../../../src/events/fields.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { writeOff } from '../../../../src/ops/verify/write-off.ts'
import { readBooks } from '../../../../src/reads/books.ts'
import { readGlobalStats } from '../../../../src/stages/aggregate.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { trim } from '../../../../src/stages/runner/trim.ts'
import { spawnRedisServer } from '../../../support/redis-server.ts'
import { requireRealRedis, requireRedisServer } from '../../../support/requires.ts'
import { shipped as pipeline, validate } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

/** @returns the ids of as many entries, of one order each */
async function add(scope: PartitionScope, from: number, count: number): Promise<string[]> {
  const ids: string[] = []
  for (let order_id = from; order_id < from + count; order_id++) {
    const body = JSON.stringify({ user_id: 'u', order_id, order_value: 1 })
    ids.push(...(await enqueue(scope.redis, scope.keys, [{ id: `m${order_id}`, body }])))
  }
  return ids
}

/** Every stage runs until disposed; one that fails is started again, as under supervision. */
function running(scope: PartitionScope): AsyncDisposable & { events: Partial<Record<keyof Events, unknown[]>> } {
  const stop = new AbortController()
  const events: Partial<Record<keyof Events, unknown[]>> = {}
  scope.telemetry.listen((event, fields) => {
    events[event] = [...(events[event] ?? []), fields]
  })
  const keepUp = async (stage: (typeof pipeline.stages)[number]): Promise<void> => {
    while (!stop.signal.aborted) await runStage(scope, stage, () => {}, stop.signal).catch(() => {})
  }
  const all = pipeline.stages.map(keepUp)
  const end = async (): Promise<void> => {
    stop.abort()
    await Promise.all(all)
  }
  return { events, [Symbol.asyncDispose]: end }
}

const ranked = (redis: Redis, orders: number): Promise<unknown> =>
  until(
    `${orders} to be ranked`,
    () => redis.hget('pipeline:counters', 'ranked'),
    (count) => Number(count) >= orders,
  )

async function expectOnce(scope: PartitionScope, orders: number): Promise<void> {
  expect(await readGlobalStats(scope.redis, scope.partitions)).toEqual({ orders, minor: orders * 100 })
  expect((await readBooks(scope)).differences).toEqual([])
}

/** A group of another team keeps what ours have finished in every stream. */
async function open(): Promise<{ scope: PartitionScope; redis: Redis } & AsyncDisposable> {
  const { redis, [Symbol.asyncDispose]: close } = await emptyRedis()
  const app = appOn(redis)
  await ensureGroups(app)
  for (const { name } of app.pipeline.channels) await redis.xgroup('CREATE', app.keys.stream(name), 'onlooker', '0')
  return { scope: app, redis, [Symbol.asyncDispose]: close }
}

test('groups that exist are left as they are, also before any order is counted', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  await ensureGroups(app)
  await ensureGroups(app)
  for (const { name, from } of pipeline.stages) {
    const groups = (await world.redis.xinfo('GROUPS', app.keys.stream(from))) as unknown[][]
    expect(groups.map((fields) => fields[1])).toEqual([name])
  }
})

for (const { name, from } of pipeline.stages) {
  test(`the group of ${name}, destroyed or set back to 0, hands out again what is committed, and none is committed again`, async (context) => {
    requireRealRedis(context)
    await using world = await open()
    const { scope: app, redis } = world
    await using stages = running(app)
    await add(app, 0, 20)
    await ranked(redis, 20)
    const refused = (): number => {
      const all = (stages.events.recommitRefused ?? []) as Events['recommitRefused'][]
      return all.filter(({ stage }) => stage === name).reduce((sum, { entries }) => sum + entries, 0)
    }
    const held = await redis.xlen(app.keys.stream(from))
    await redis.xgroup('SETID', app.keys.stream(from), name, '0')
    await expectOnce(app, 20) // also while they are handed out again
    await until('all to be handed out again', refused, (entries) => entries === held)
    await redis.xgroup('DESTROY', app.keys.stream(from), name)
    await until('all to be handed out once more', refused, (entries) => entries === 2 * held)
    await add(app, 20, 5)
    await ranked(redis, 25)
    await expectOnce(app, 25)
    expect(await redis.hget('pipeline:counters', 'duplicates')).toBeNull()
  })
}

test('a group that is set forward, or whose entries are acknowledged by hand, is set back, and no order is lost', async (context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope: app, redis } = world
  const ids = await add(app, 0, 9)
  await redis.xreadgroup('GROUP', 'validate', 'dead', 'COUNT', 3, 'STREAMS', 'orders:raw', '>')
  await trim(app, validate) // takes the group at its word that nothing is acknowledged
  await redis.xack('orders:raw', 'validate', ids[1] ?? '')
  await redis.xgroup('SETID', 'orders:raw', 'validate', '$')
  await using stages = running(app)
  await ranked(redis, 9)
  await expectOnce(app, 9)
  expect(stages.events.groupRewound).toContainEqual({ stage: 'validate' })
})

test('what was acknowledged before commits were kept counts as committed', async (context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope: app, redis } = world
  const ids = await add(app, 0, 4)
  await redis.xreadgroup('GROUP', 'validate', 'old', 'COUNT', 3, 'STREAMS', 'orders:raw', '>')
  await redis.xack('orders:raw', 'validate', ids[0] ?? '', ids[2] ?? '')
  await redis.hset('pipeline:counters', { received: 4, admitted: 2 })
  await trim(app, validate)
  expect(await redis.zrange('pipeline:committed:validate', '0', '-1')).toEqual(['begun', ids[0], ids[2]])
  await redis.xgroup('SETID', 'orders:raw', 'validate', '0')
  await using _ = running(app)
  await ranked(redis, 2)
  await until(
    'both that were left to be admitted',
    () => redis.hget('pipeline:counters', 'admitted'),
    (admitted) => admitted === '4',
  )
})

test('orders that are gone before the first stage began are lost, not missed', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis)
  await redis.hset('pipeline:counters', { received: 3 })
  await ensureGroups(app)
  expect(await redis.hgetall('pipeline:counters')).toEqual({ received: '3' })
  expect((await readBooks(app)).balanced).toBe(false)
})

test('what a stage has committed is kept for as long as its stream holds it', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis)
  await ensureGroups(app)
  await using _ = running(app)
  await add(app, 0, 30)
  await ranked(redis, 30)
  for (const { name, from } of pipeline.stages) {
    await until(
      `${from} to be trimmed`,
      () => redis.xlen(app.keys.stream(from)),
      (length) => length === 0,
    )
    await until(
      `the commits of ${name} to be forgotten`,
      () => redis.zrange(app.keys.committed(name), '0', '-1'),
      (left) => left.length <= 1,
    )
    expect(await redis.zrange(app.keys.committed(name), '0', '-1')).toEqual(['begun'])
  }
})

test('while the group of a stage is missing its stream is not trimmed, whatever other groups have finished', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis)
  await ensureGroups(app)
  await redis.xgroup('CREATE', 'orders:raw', 'onlooker', '$')
  await add(app, 0, 3)
  await redis.xgroup('DESTROY', 'orders:raw', 'validate')
  await redis.xreadgroup('GROUP', 'onlooker', 'c', 'COUNT', 9, 'NOACK', 'STREAMS', 'orders:raw', '>')
  await trim(app, validate)
  expect(await redis.xlen('orders:raw')).toBe(3)
  await using _ = running(app)
  await ranked(redis, 3)
  await expectOnce(app, 3)
})

test('orders that a group has skipped wait, and are not written off; an idle stage is given them again', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis, readConfig({ BLOCK_MS: '20', CLAIM_IDLE_MS: '200' }))
  await ensureGroups(app)
  for (const stage of pipeline.stages) await trim(app, stage)
  await using stages = running(app)
  await add(app, 0, 2)
  await ranked(redis, 2)
  await until(
    'the stream to be trimmed',
    () => redis.xlen('orders:raw'),
    (length) => length === 0,
  )
  // In one step, so that no stage comes in between: written, and taken for read by the group.
  const body = JSON.stringify({ user_id: 'u', order_id: 'skipped', order_value: 1 })
  const batch = JSON.stringify([{ id: 'm', body }])
  await redis
    .multi()
    .xadd('orders:raw', '*', 'n', 1, 'c', 1, 'r', batch)
    .hincrby('pipeline:counters', 'received', 1)
    .xgroup('SETID', 'orders:raw', 'validate', '$')
    .exec()
  expect((await readBooks(app)).differences).toEqual([])
  expect(await writeOff(app, 'write')).toEqual({})
  await ranked(redis, 3)
  await expectOnce(app, 3)
  expect(stages.events.groupRewound).toEqual([{ stage: 'validate' }])
})

test('a full Redis is drained by stages that have not kept commits before', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer('--appendonly', 'no')
  if (!server) throw new Error('no redis-server')
  const redis = new Redis(server.url)
  const app = appOn(redis)
  await ensureGroups(app)
  await add(app, 0, 5)
  await redis.config('SET', 'maxmemory', '1')
  {
    await using _ = running(app)
    await ranked(redis, 5)
  }
  redis.disconnect()
})

test('where the counters are of another type no group is made', async () => {
  await using world = await emptyRedis()
  const scope = appOn(world.redis)
  await world.redis.set(scope.keys.counters, 'text')
  await expect(ensureGroups(scope)).rejects.toThrow('WRONGTYPE')
  expect(await world.redis.exists(scope.keys.stream('raw'), scope.keys.stream('valid'))).toBe(0)
})
