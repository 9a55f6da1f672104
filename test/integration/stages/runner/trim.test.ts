import { expect, test } from 'vitest'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import type { Stage } from '../../../../src/stages/placed.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { trim } from '../../../../src/stages/runner/trim.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { withRevenue } from '../../../support/sample-stages.ts'
import { validate } from '../../../support/stages.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

test('a stream that does not exist is left so, and nothing is remembered for it', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  expect(await trim(appOn(redis), validate)).toBe(0)
  expect(await redis.keys('*')).toEqual([])
})

test('a stream without the group of its stage keeps every entry', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis)
  const ids = await enqueue(redis, app.keys, [{ id: 'm1', body: '{}' }])
  await redis.xgroup('CREATE', 'orders:raw', 'auditor', '$')
  expect(await trim(app, validate)).toBe(0)
  expect((await redis.xrange('orders:raw', '-', '+')).map(([id]) => id)).toEqual(ids)
})

test('a stream that every group has finished is emptied, and its committed ids are forgotten', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis)
  await ensureGroups(app)
  await trim(app, validate)
  const ids: string[] = []
  for (const id of ['m1', 'm2', 'm3']) ids.push(...(await enqueue(redis, app.keys, [{ id, body: '{}' }])))
  await redis.xreadgroup('GROUP', 'validate', 'c', 'STREAMS', 'orders:raw', '>')
  await redis.zadd(app.keys.committed('validate'), ...ids.flatMap((id) => [Number(id.split('-')[0]), id]))
  expect(await trim(app, validate)).toBe(0) // all are pending
  await redis.xack('orders:raw', 'validate', ...ids)

  expect(await trim(app, validate)).toBe(3)
  expect(await redis.xlen('orders:raw')).toBe(0)
  expect(await redis.zrange(app.keys.committed('validate'), '0', '-1')).toEqual(['begun'])
  expect(await trim(app, validate)).toBe(0)
  expect(await redis.zrange(app.keys.committed('validate'), '0', '-1')).toEqual(['begun'])
})

test('the commits of a stage that ran before they were recorded are taken over in several calls', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis)
  await ensureGroups(app)
  await redis.xgroup('CREATE', 'orders:raw', 'onlooker', '0') // keeps all entries
  const add = redis.pipeline()
  for (let entry = 1; entry <= 1_500; entry++) add.xadd('orders:raw', `${entry}-0`, 'n', 1, 'r', '[]')
  await add.exec()
  await redis.xreadgroup('GROUP', 'validate', 'c', 'COUNT', 1_500, 'STREAMS', 'orders:raw', '>')
  await redis.xack('orders:raw', 'validate', ...Array.from({ length: 1_500 }, (_, at) => `${at + 1}-0`))
  const committed = app.keys.committed('validate')
  expect(await trim(app, validate)).toBe(0)
  expect(await redis.zrange(committed, '0', '0')).toEqual(['begins 1000-0'])
  await trim(app, validate)
  expect(await redis.zrange(committed, '0', '0')).toEqual(['begun'])
  expect(await redis.zcard(committed)).toBe(1_501)
})

test('entries whose number agrees with the commits are not scanned, though others are pending', async (context) => {
  requireRealRedis(context) // the emulator reports no lag
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis)
  await ensureGroups(app)
  await redis.xgroup('CREATE', 'orders:raw', 'onlooker', '0')
  await trim(app, validate)
  const ids: string[] = []
  for (const id of ['m1', 'm2', 'm3']) ids.push(...(await enqueue(redis, app.keys, [{ id, body: '{}' }])))
  await redis.xreadgroup('GROUP', 'validate', 'c', 'COUNT', 2, 'STREAMS', 'orders:raw', '>')
  const [first = ''] = ids
  await redis.zadd(app.keys.committed('validate'), Number(first.split('-')[0]), first)
  await redis.xack('orders:raw', 'validate', first)
  const scanned = new Map<string, string>()
  await trim(app, validate, { scanned })
  expect(scanned.get('validate')).toBe('')
  await trim(app, validate, { scanned, thorough: true })
  expect(scanned.get('validate')).toBe(first)
})

test('how far the entries of each stage of a stream are compared with its commits is remembered for that stage', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis, undefined, { pipeline: withRevenue })
  await ensureGroups(app)
  const aggregate = withRevenue.stage('aggregate') as Stage
  await trim(app, aggregate)
  const stream = app.keys.stream(aggregate.from)
  for (const ms of [1, 2, 3]) await redis.xadd(stream, `${ms}-0`, 'n', 1, 'c', 1)
  for (const [name, committed] of [
    ['aggregate', 1],
    ['revenue', 2],
  ] as const) {
    await redis.xreadgroup('GROUP', name, 'c', 'STREAMS', stream, '>')
    for (let ms = 1; ms <= committed; ms++) {
      await redis.zadd(app.keys.committed(name), ms, `${ms}-0`)
      await redis.xack(stream, name, `${ms}-0`)
    }
  }
  const scanned = new Map<string, string>()
  await trim(app, aggregate, { scanned, thorough: true })
  expect(Object.fromEntries(scanned)).toEqual({ aggregate: '1-0', revenue: '2-0' })
})
