import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../src/app.ts'
import { enqueue } from '../../../src/ingest/enqueue.ts'
import { type Books, readBooks } from '../../../src/reads/books.ts'
import { readCounters, waitingFor } from '../../../src/reads/counters.ts'
import { readOldest } from '../../../src/stages/invalid/oldest.ts'
import { discardEntry, replayEntries } from '../../../src/stages/invalid/requeue.ts'
import type { Stage } from '../../../src/stages/placed.ts'
import { ensureGroups } from '../../../src/stages/runner/groups.ts'
import { runStage } from '../../../src/stages/runner/run.ts'
import { shipped as pipeline } from '../../support/stages.ts'
import { until } from '../../support/until.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

const [validate, aggregate, leaderboard] = pipeline.stages as readonly [Stage, Stage, Stage]

const body = (id: number, order_value = 1.5): string =>
  JSON.stringify({ user_id: `u${id % 7}`, order_id: `${id}`, order_value })

/** Puts bodies on orders:raw as the bridge does, ten an entry. */
async function send({ redis, keys }: PartitionScope, bodies: readonly string[], name = 'm'): Promise<void> {
  for (let from = 0; from < bodies.length; from += 10) {
    const records = bodies.slice(from, from + 10).map((text, at) => ({ id: `${name}${from + at}`, body: text }))
    await enqueue(redis, keys, records)
  }
}

/** Lets stages work until none of their orders waits and so many have been received. */
async function processAll(scope: PartitionScope, stages: readonly Stage[], orders?: number): Promise<void> {
  const stop = new AbortController()
  const running = stages.map((stage) => runStage(scope, stage, () => {}, stop.signal))
  const done = ({ received, stages: books }: Books): boolean =>
    Number(received) >= (orders ?? 0) &&
    stages.every(({ name }) => books.find(({ stage }) => stage === name)?.waiting === 0)
  await until('the stages to be done', () => readBooks(scope), done)
  stop.abort()
  await Promise.all(running)
}

async function open(): Promise<{ scope: PartitionScope; redis: Redis; books(): Promise<Books> } & AsyncDisposable> {
  const { redis, [Symbol.asyncDispose]: close } = await emptyRedis()
  const app = appOn(redis)
  await ensureGroups(app)
  return { scope: app, redis, books: () => readBooks(app), [Symbol.asyncDispose]: close }
}

const balanced = { balanced: true, losses: [], differences: [] }

test('the books of an empty system balance, with groups or without', async () => {
  await using world = await open()
  expect(await world.books()).toMatchObject({ ...balanced, received: 0, waiting: 0 })
  await world.redis.flushdb()
  expect(await world.books()).toMatchObject({ ...balanced, stages: [{ measured: 0 }, {}, {}] })
})

test('the books balance in every phase: waiting, in flight, half processed, rejected, replayed, discarded, done', async () => {
  await using world = await open()
  const { scope: app, redis, books } = world
  const good = Array.from({ length: 100 }, (_, id) => body(id))
  await send(app, [...good, ...good.slice(0, 20), body(3, 9), body(4, 9), 'no json', '{}', '[]'])
  expect(await books()).toMatchObject({ ...balanced, received: 125, waiting: 125, stages: [{ measured: 125 }, {}, {}] })
  await redis.xreadgroup('GROUP', 'validate', 'dead', 'COUNT', 5, 'STREAMS', 'orders:raw', '>')
  expect(await books()).toMatchObject({ ...balanced, waiting: 125 })
  await processAll(app, [validate])
  const judged = { received: 125, admitted: 100, duplicates: 20, rejected: 5, waiting: 0 }
  expect(await books()).toMatchObject({ ...balanced, ...judged, stages: [{}, { waiting: 100, measured: 100 }, {}] })
  await processAll(app, [aggregate])
  expect(await books()).toMatchObject({ ...balanced, applied: 100, stages: [{}, {}, { waiting: 100, measured: 100 }] })
  await processAll(app, [leaderboard])
  const invalid = { stream: 5, list: 5, groups: 5, balanced: true }
  expect(await books()).toMatchObject({ ...balanced, totals: { orders: 100, minor: 15_000 }, invalid })

  const [first, second, ...more] = await readOldest(redis, app.partitions, { after: '0-0', until: '+', count: 10 })
  if (!first || !second) throw new Error('five invalid orders expected')
  await replayEntries(app, [first], { jobId: 'replay-1', limit: 1 }, { body: body(500), by: 'me' })
  await replayEntries(app, more, { jobId: 'replay-2', limit: 10 })
  await discardEntry(app, second, { reason: 'a test', by: 'me' })
  const replayed = { received: 129, waiting: 4, invalid: { stream: 0, list: 0, groups: 0, balanced: true } }
  expect(await books()).toMatchObject({ ...balanced, ...replayed })
  await processAll(app, pipeline.stages)
  expect(await books()).toMatchObject({ ...balanced, received: 129, admitted: 101, rejected: 8, waiting: 0 })
})

test('the books balance whenever they are read while all stages work', async () => {
  await using world = await open()
  const { scope: app, books } = world
  let working = true
  const worked = send(
    app,
    Array.from({ length: 3_000 }, (_, id) => body(id % 2_500)),
  ).then(async () => {
    await processAll(app, pipeline.stages)
    working = false
  })
  const unbalanced: Books[] = []
  let reads = 0
  while (working) {
    const read = await books()
    if (!read.balanced) unbalanced.push(read)
    reads++
  }
  await worked
  expect(unbalanced).toEqual([])
  expect(reads).toBeGreaterThan(20)
})

test('entries that others put on orders:raw are no difference, whatever they say to hold', async () => {
  await using world = await open()
  const { scope: app, redis, books } = world
  for (const n of ['0', '-1', '1e9', 'abc', '', '2.5']) await redis.xadd('orders:raw', '*', 'n', n, 'r', 'junk')
  await redis.xadd('orders:raw', '*', 'x', 'y')
  expect(await books()).toMatchObject({ ...balanced, received: 0, waiting: 0 })
  await processAll(app, pipeline.stages, 7)
  expect(await books()).toMatchObject({ ...balanced, received: 7, rejected: 7 })
})

test('an entry of a later stage counts what its field n says, and as one order where that cannot be', async () => {
  await using world = await open()
  const { redis, books } = world
  await redis.hset('pipeline:counters', { received: 10_016, admitted: 10_016 })
  for (const n of ['10', '0', 'abc', '10001', '2.5', ' 1 ']) {
    await redis.xadd('orders:valid', '*', 'n', n, 'c', '1', 'r', '[]')
  }
  await redis.xadd('orders:valid', '*', 'c', '1', 'r', '[]')
  expect(await books()).toMatchObject({ ...balanced, stages: [{}, { waiting: 10_016, measured: 10_016 }, {}] })
})

test('more than can be looked at is not measured, and still checked for what cannot be', async () => {
  await using world = await open()
  const { scope: app, redis, books } = world
  for (let at = 0; at <= 2_000; at++) await redis.xadd('orders:raw', '*', 'n', '1', 'c', '1', 'r', 'junk')
  await redis.hset('pipeline:counters', { received: 2_001 })
  expect(await books()).toMatchObject({ ...balanced, stages: [{ waiting: 2_001, measured: null }, {}, {}] })
  await redis.xreadgroup('GROUP', 'validate', 'c', 'COUNT', 2_001, 'STREAMS', 'orders:raw', '>')
  expect(await books()).toMatchObject({ ...balanced, stages: [{ waiting: 2_001, measured: null }, {}, {}] })
  await redis.hset('pipeline:counters', { rejected: 2_003 })
  const reported = 'Stage validate: 2 more orders have gone out than came in.'
  expect(await books()).toMatchObject({ balanced: false, differences: [reported] })
  await redis.flushdb()
  await ensureGroups(app)
  await send(app, [JSON.stringify('x'.repeat(900_000)), ...Array.from({ length: 9 }, () => 'x'.repeat(900_000))])
  expect(await books()).toMatchObject({ ...balanced, stages: [{ waiting: 10, measured: null }, {}, {}] })
})

test('a stream that is lost stays a loss, also when its group is created again', async () => {
  await using world = await open()
  const { scope: app, redis, books } = world
  await send(app, [JSON.stringify({ user_id: 'u', order_id: '1', order_value: 1 })])
  const reported = 'Stage validate: 1 order is missing from its stream: 1 wait by the counters, it holds 0.'
  await redis.del('orders:raw')
  expect(await books()).toMatchObject({ balanced: false, losses: [reported], differences: [] })
  await ensureGroups(app)
  expect(await books()).toMatchObject({ balanced: false, losses: [reported], differences: [] })
})

test('a counter or a total that is no number is a difference, not an error', async () => {
  await using world = await open()
  await world.redis.hset('global:stats', 'total_orders', 'abc')
  await world.redis.hset('pipeline:counters', 'received', 'abc')
  const differences = ['The counter received is not a whole number.', 'The global stats are not numbers.']
  expect(await world.books()).toMatchObject({ balanced: false, totals: { orders: 0 }, differences })
})

const tamperings: [what: string, how: (redis: Redis) => Promise<unknown>, sentences: string[]][] = [
  [
    'a pending entry that is gone from its stream',
    async (redis) => {
      const read = await redis.xreadgroup('GROUP', 'validate', 'dead', 'COUNT', 1, 'STREAMS', 'orders:raw', '>')
      const [[, [[id]]]] = read as [[string, [[string, string[]]]]]
      await redis.xdel('orders:raw', id)
    },
    ['Stage validate: 10 orders are missing from its stream: 40 wait by the counters, it holds 30.'],
  ],
  [
    'an entry that is gone before it was delivered',
    async (redis) => redis.xtrim('orders:raw', 'MAXLEN', 3),
    ['Stage validate: 10 orders are missing from its stream: 40 wait by the counters, it holds 30.'],
  ],
  [
    'a counter that was raised',
    (redis) => redis.hincrby('pipeline:counters', 'received', 1),
    ['Stage validate: 1 order is missing from its stream: 41 wait by the counters, it holds 40.'],
  ],
  [
    'a counter that was lowered',
    (redis) => redis.hincrby('pipeline:counters', 'ranked', -1),
    ['Stage leaderboard: 1 order is missing from its stream: 1 wait by the counters, it holds 0.'],
  ],
  [
    'a counter that is no number',
    (redis) => redis.hset('pipeline:counters', 'ranked', 'many'),
    [
      'Stage leaderboard: 60 orders are missing from its stream: 60 wait by the counters, it holds 0.',
      'The counter ranked is not a whole number.',
    ],
  ],
  [
    'global stats that were changed',
    (redis) => redis.hincrby('global:stats', 'total_orders', -2),
    ['The global stats count 58 orders, the stage has 60.'],
  ],
  [
    'an invalid order that is gone from the list',
    (redis) => redis.rpop('invalid_orders'),
    ['The invalid channel holds 2 in its stream, 1 in its list, 2 in its groups.'],
  ],
  [
    'an invalid order that is gone from its group',
    (redis) => redis.del('invalid:malformed-json'),
    ['The invalid channel holds 2 in its stream, 2 in its list, 0 in its groups.'],
  ],
]

test.each(tamperings)('%s is found', async (_, tamper, sentences) => {
  await using world = await open()
  const { scope: app, redis, books } = world
  await send(app, [...Array.from({ length: 60 }, (_, id) => body(id)), 'no json', 'neither'])
  await processAll(app, pipeline.stages)
  await send(
    app,
    Array.from({ length: 40 }, (_, id) => body(1_000 + id)),
    'later ',
  )
  expect(await books()).toMatchObject(balanced)
  await tamper(redis)
  const { losses, differences, balanced: right } = await books()
  expect([right, [...losses, ...differences]]).toEqual([false, sentences])
})

test('a key of another type is named, what it holds is not known, and the rest of the books stands', async () => {
  await using world = await open()
  const { scope: app, redis, books } = world
  await send(app, ['no json', body(1)])
  await processAll(app, pipeline.stages)
  await redis.set('invalid_orders', 'text')
  const unread = ['invalid_orders is a string, not a list: it cannot be read, see orders doctor.']
  const invalid = { stream: 1, list: null, groups: 1, balanced: null }
  expect(await books()).toMatchObject({ balanced: null, received: 2, invalid, differences: unread, unread })
  await redis.hset('global:stats', 'total_orders', 7)
  const differences = [...unread, 'The global stats count 7 orders, the stage has 1.']
  expect(await books()).toMatchObject({ balanced: false, totals: { orders: 7 }, invalid, differences, unread })
})

test('a stage that is added to a running system misses what had gone by, and nothing waits for it for ever', async () => {
  await using world = await open()
  const { scope: app, redis, books } = world
  const { keys } = app
  await send(app, [...Array.from({ length: 100 }, (_, id) => body(id)), 'no json'])
  await processAll(app, [validate, aggregate])
  await redis.xtrim('orders:counted', 'MAXLEN', 0)
  await send(
    app,
    Array.from({ length: 30 }, (_, id) => body(200 + id)),
    'later ',
  )
  await processAll(app, [validate, aggregate])
  await redis.xgroup('DESTROY', 'orders:counted', 'leaderboard') // as if it had never been

  await Promise.all(Array.from({ length: 8 }, () => ensureGroups(app)))
  expect(await redis.hget('pipeline:counters', 'leaderboard:missed')).toBe('100')
  const added = { in: 130, passed: 0, missed: 100, waiting: 30, measured: 30 }
  expect(await books()).toMatchObject({ ...balanced, stages: [{}, {}, added] })
  await processAll(app, pipeline.stages)
  const done = { in: 130, passed: 30, missed: 100, waiting: 0, measured: 0 }
  const after = await books()
  expect(after).toMatchObject({ ...balanced, stages: [{}, {}, done] })
  const counters = await readCounters(redis, [keys])
  expect(pipeline.stages.map((stage) => waitingFor(stage, counters))).toEqual([0, 0, 0])
  await ensureGroups(app)
  expect(await books()).toEqual(after)

  await redis.xgroup('DESTROY', 'orders:counted', 'leaderboard') // a group again, for a stage that has worked before
  await ensureGroups(app)
  expect(await books()).toMatchObject({ ...balanced, stages: [{}, {}, done] })
})

test('a first stage that comes after the orders misses none, and what others put there is not counted', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  await send(
    app,
    Array.from({ length: 50 }, (_, id) => body(id)),
  )
  await world.redis.xadd('orders:raw', '*', 'n', '7', 'r', 'junk')
  await ensureGroups(app)
  expect(await world.redis.hgetall('pipeline:counters')).toEqual({ received: '50' })
  expect(await readBooks(app)).toMatchObject({ ...balanced, waiting: 50 })
})
