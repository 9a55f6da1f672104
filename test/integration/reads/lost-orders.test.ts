import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../src/app.ts'
import { enqueue } from '../../../src/ingest/enqueue.ts'
import { writeOff } from '../../../src/ops/verify/write-off.ts'
import { type Backlog, openBacklog } from '../../../src/reads/backlog.ts'
import { readBooks } from '../../../src/reads/books.ts'
import type { Stage } from '../../../src/stages/placed.ts'
import { ensureGroups } from '../../../src/stages/runner/groups.ts'
import { runStage } from '../../../src/stages/runner/run.ts'
import { type Deletion, deleteUnread } from '../../support/deletions.ts'
import { requireRealRedis } from '../../support/requires.ts'
import { shipped as pipeline } from '../../support/stages.ts'
import { until } from '../../support/until.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

const [validate, aggregate, leaderboard] = pipeline.stages as readonly [Stage, Stage, Stage]

async function open(): Promise<{ scope: PartitionScope; redis: Redis } & AsyncDisposable> {
  const { redis, [Symbol.asyncDispose]: close } = await emptyRedis()
  const app = appOn(redis)
  await ensureGroups(app)
  return { scope: app, redis, [Symbol.asyncDispose]: close }
}

/** Puts orders on orders:raw as the bridge does, one an entry. */
async function send({ redis, keys }: PartitionScope, count: number, name = 'o'): Promise<void> {
  for (let at = 0; at < count; at++) {
    const body = JSON.stringify({ user_id: `u${at % 7}`, order_id: `${name}${at}`, order_value: 1.5 })
    await enqueue(redis, keys, [{ id: `${name}${at}`, body }])
  }
}

/** Lets stages work until a counter says so many. */
async function work(scope: PartitionScope, stages: readonly Stage[], counter: string, orders: number): Promise<void> {
  const stop = new AbortController()
  const running = stages.map((stage) => runStage(scope, stage, () => {}, stop.signal))
  await until(
    `${counter} to be ${orders}`,
    () => scope.redis.hget(scope.keys.counters, counter),
    (found) => Number(found) === orders,
  )
  stop.abort()
  await Promise.all(running)
}

/** Each stage's waiting and missing orders. */
const numbersOf = ({ stages }: Backlog): (number | null)[][] =>
  stages.map(({ waiting, unaccounted }) => [waiting, unaccounted])

const nothing = [0, 0]

const deletions: [Deletion, left: number][] = [
  ['DEL', 0],
  ['XTRIM', 15],
  ['XDEL of waiting entries', 20],
  ['XDEL of pending entries', 25],
]

test.each(deletions)(
  'after %s what waits is what the streams hold, and the write-off books the rest',
  async (how, left) => {
    await using world = await open()
    const { scope: app, redis } = world
    await send(app, 30)
    await redis.xreadgroup('GROUP', 'validate', 'dead', 'COUNT', 5, 'STREAMS', 'orders:raw', '>')
    const readBacklog = openBacklog(app, { everyMs: 0 })
    expect(numbersOf(await readBacklog())).toEqual([[30, 0], nothing, nothing])
    await deleteUnread(redis, { stream: 'orders:raw', group: 'validate', most: 10 }, how)
    const lost = 30 - left
    expect(numbersOf(await readBacklog())).toEqual([[left, lost], nothing, nothing])
    const sentence = `Stage validate: ${lost} orders are missing from its stream: 30 wait by the counters, it holds ${left}.`
    expect(await readBooks(app)).toMatchObject({
      balanced: false,
      losses: [sentence],
      differences: [],
    })

    expect(await writeOff(app, 'plan')).toEqual({ validate: lost })
    expect(await redis.hget('pipeline:counters', 'validate:lost')).toBe(null)
    expect(await writeOff(app, 'write')).toEqual({ validate: lost })
    expect(await writeOff(app, 'write')).toEqual({})
    expect(numbersOf(await readBacklog())).toEqual([[left, 0], nothing, nothing])
    const books = { balanced: true, received: 30, admitted: 0, lost, waiting: left, losses: [] }
    expect(await readBooks(app)).toMatchObject(books)
    await ensureGroups(app)
    if (left > 0) await work(app, [validate], 'admitted', left)
    expect(numbersOf(await readBacklog())).toEqual([nothing, [left, 0], nothing])
  },
)

test('a reader that measured before a write-off and before more came in is right without measuring again', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  await send(app, 10)
  await redis.del('orders:raw')
  const readBacklog = openBacklog(app, { everyMs: 3_600_000 })
  expect(numbersOf(await readBacklog())[0]).toEqual([0, 10])
  await ensureGroups(app)
  await send(app, 4, 'p')
  expect(numbersOf(await readBacklog())[0]).toEqual([4, 10])
  await writeOff(app, 'write')
  expect(numbersOf(await readBacklog())[0]).toEqual([4, 0])
  await work(app, pipeline.stages, 'ranked', 4)
  expect(numbersOf(await readBacklog())).toEqual([nothing, nothing, nothing])
})

test('a reader measures nothing below the number from which it matters', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  await send(app, 10)
  await redis.del('orders:raw')
  const readBacklog = openBacklog(app, { everyMs: 0, from: 12 })
  expect(numbersOf(await readBacklog())[0]).toEqual([10, null])
  await ensureGroups(app)
  await send(app, 2, 'p')
  expect(numbersOf(await readBacklog())[0]).toEqual([2, 10])
})

test('each stage books its own loss', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  await send(app, 30)
  await work(app, [validate], 'admitted', 30)
  await deleteUnread(redis, { stream: 'orders:valid', group: 'aggregate', most: 1 }, 'XDEL of waiting entries')
  const applied = 30 - (numbersOf(await openBacklog(app)())[1]?.[1] ?? 0)
  expect(applied).toBeLessThan(30)
  await send(app, 20, 'p')
  await work(app, [validate], 'admitted', 50)
  await work(app, [aggregate], 'applied', applied + 20)
  await redis.xtrim('orders:counted', 'MAXLEN', 0)
  expect(await writeOff(app, 'write')).toEqual({ aggregate: 30 - applied, leaderboard: applied + 20 })
  await work(app, [leaderboard], 'applied', applied + 20)
  const books = await readBooks(app)
  expect(books).toMatchObject({ balanced: true, received: 50, admitted: 50, lost: 0, waiting: 0 })
  expect(books.stages.map(({ lost }) => lost)).toEqual([0, 30 - applied, applied + 20])
})

test('while more waits than can be measured a loss is not known, and not none; nothing is written off', async (context) => {
  requireRealRedis(context) // the emulator takes minutes for thousands of entries
  await using world = await open()
  const { scope: app, redis } = world
  await redis.hset('pipeline:counters', { received: 3_000 })
  const fill = redis.pipeline()
  for (let at = 0; at < 2_500; at++) fill.xadd('orders:raw', '*', 'n', '1', 'c', '1', 'r', 'junk')
  await fill.exec()
  const readBacklog = openBacklog(app, { everyMs: 0 })
  expect(numbersOf(await readBacklog())).toEqual([[3_000, null], nothing, nothing])
  const note =
    'Stage validate: too many orders wait to be measured, or it has not started yet; missing orders are not known.'
  expect(await readBooks(app)).toMatchObject({ balanced: true, losses: [], notes: [note] })
  expect(await writeOff(app, 'write')).toEqual({})
  await redis.xtrim('orders:raw', 'MAXLEN', 2_000)
  expect(numbersOf(await readBacklog())[0]).toEqual([2_000, 1_000])
  // A known number stays known while it cannot be measured again.
  for (let at = 0; at < 600; at++) fill.xadd('orders:raw', '*', 'n', '1', 'c', '1', 'r', 'junk')
  await fill.hincrby('pipeline:counters', 'received', 600).exec()
  expect(numbersOf(await readBacklog())[0]).toEqual([2_600, 1_000])
})

test('lost orders that come back are taken off what was written off, and no more than that', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  await send(app, 10)
  const entries = await redis.xrange('orders:raw', '-', '+')
  await redis.del('orders:raw')
  await writeOff(app, 'write')
  for (const [id, fields] of entries.slice(0, 6)) await redis.xadd('orders:raw', id, ...fields)
  await ensureGroups(app)
  const reported = 'Stage validate: its stream holds 6 more orders than came in: 0 wait by the counters, it holds 6.'
  expect(await readBooks(app)).toMatchObject({ balanced: false, losses: [], differences: [reported] })
  expect(await writeOff(app, 'write')).toEqual({ validate: -6 })
  expect(await readBooks(app)).toMatchObject({ balanced: true, lost: 4, waiting: 6 })
  await redis.hincrby('pipeline:counters', 'received', -5)
  expect(await writeOff(app, 'write')).toEqual({ validate: -4 })
  expect(await readBooks(app)).toMatchObject({ balanced: false, lost: 0 })
})

test('nothing is written off by a counter that is no number', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  await send(app, 10)
  await redis.hset('pipeline:counters', 'duplicates', 'many')
  await redis.del('orders:raw')
  expect(await writeOff(app, 'write')).toEqual({})
})

test('a backlog is read by the counters where the stream cannot be', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  await send(app, 10)
  await redis.del('orders:valid')
  await redis.set('orders:valid', 'text')
  expect(numbersOf(await openBacklog(app)())).toEqual([
    [10, 0],
    [0, null],
    [0, 0],
  ])
})

test('what a stage has missed that is being added is not taken for lost before its group counts it', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  await send(app, 10)
  await work(app, [validate, aggregate], 'applied', 10)
  await redis.del('orders:counted') // as if leaderboard had never been
  expect(numbersOf(await openBacklog(app)())).toEqual([nothing, nothing, [10, null]])
  expect(await readBooks(app)).toMatchObject({ balanced: true, losses: [] })
  expect(await writeOff(app, 'write')).toEqual({})
  await ensureGroups(app)
  expect(numbersOf(await openBacklog(app)())).toEqual([nothing, nothing, nothing])
  expect((await readBooks(app)).stages[2]).toMatchObject({ missed: 10, lost: 0 })
})
