import type { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import type { PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { makeKeys } from '../../../../src/keys.ts'
import { admittedOrder, type RawRecord, userTotals } from '../../../../src/messages.ts'
import type { Stage } from '../../../../src/stages/placed.ts'
import { commit } from '../../../../src/stages/runner/commit.ts'
import { batchCommitter } from '../../../../src/stages/runner/commit-batch.ts'
import { decodeEntry, type Entry } from '../../../../src/stages/runner/entry.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { generationSeconds } from '../../../../src/stages/runner/ledger.ts'
import { type Plan, planBatch } from '../../../../src/stages/runner/plan.ts'
import { hincrby, pass, rank } from '../../../../src/stages/stage.ts'
import { spawnRedisServer } from '../../../support/redis-server.ts'
import { requireRealRedis, requireRedisServer } from '../../../support/requires.ts'
import { aggregate, leaderboard, shipped as pipeline, place, validate } from '../../../support/stages.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const config = readConfig({})
const currentGeneration = async (redis: Redis): Promise<number> =>
  Math.floor(Number((await redis.time())[0]) / generationSeconds(config))

async function open(): Promise<{ scope: PartitionScope; redis: Redis } & AsyncDisposable> {
  const { redis, [Symbol.asyncDispose]: close } = await emptyRedis()
  const app = appOn(redis, config)
  await ensureGroups(app)
  return { scope: app, redis, [Symbol.asyncDispose]: close }
}

let message = 0
const raw = (order: object | string): RawRecord => ({
  id: `message-${message++}`,
  body: typeof order === 'string' ? order : JSON.stringify(order),
})
const order = (order_id: string, order_value = 10, user_id = 'u') => ({ user_id, order_id, order_value })

async function read(scope: PartitionScope, stage: Stage, consumer: string, count = 100): Promise<Entry[]> {
  const stream = scope.keys.stream(stage.from)
  const reply = await scope.redis.xreadgroupBuffer(
    'GROUP',
    stage.name,
    consumer,
    'COUNT',
    count,
    'STREAMS',
    stream,
    '>',
  )
  const [, entries] = (reply as [Buffer, [Buffer, Buffer[]][]][] | null)?.[0] ?? [undefined, []]
  return entries.map(([id, fields]) => decodeEntry(pipeline, String(id), fields, stage.from))
}

function plan(scope: PartitionScope, stage: Stage, entries: Entry[], known = new Map<string, string>()): Plan {
  const onDecideFailed = (): void => {}
  return planBatch(
    {
      stage,
      channel: pipeline.channel(stage.from),
      keys: scope.keys,
      format: scope.format,
      now: new Date(0),
      known,
      onDecideFailed,
    },
    entries,
  )
}

/** The reply, but for when it was. */
async function commitAs(scope: PartitionScope, stage: Stage, consumer: string, planned: Plan): Promise<object> {
  const committer = { stage, keys: scope.keys, consumer }
  const generation = await currentGeneration(scope.redis)
  const from = await microseconds(scope)
  const reply = await commit(scope, committer, planned, generation)
  if (reply.status !== 'committed') return reply
  const { atMs, invalidIds: _, ...rest } = reply
  expect(atMs * 1_000).toBeGreaterThan(from - 1)
  expect(atMs * 1_000).toBeLessThan((await microseconds(scope)) + 1)
  return rest
}

async function microseconds({ redis }: PartitionScope): Promise<number> {
  const [seconds, micros] = await redis.time()
  return Number(seconds) * 1_000_000 + Number(micros)
}

/** Everything Redis holds, to see that nothing changed. */
async function snapshot(redis: Redis): Promise<unknown[]> {
  const keys = (await redis.keys('*')).sort()
  return Promise.all(
    keys.map(async (key) => {
      const type = await redis.type(key)
      if (type === 'hash') return [key, await redis.hgetall(key)]
      if (type === 'zset') return [key, await redis.zrange(key, '0', '-1', 'WITHSCORES')]
      if (type === 'list') return [key, await redis.lrange(key, 0, -1)]
      return [key, await redis.xrange(key, '-', '+')]
    }),
  )
}

test('an entry held by two consumers is committed once; the second learns which are left and changes nothing', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  await enqueue(redis, app.keys, [raw(order('1'))])
  await enqueue(redis, app.keys, [raw(order('2'))])
  const entries = await read(app, validate, 'first')
  const [one, two] = entries
  if (!one || !two) throw new Error('two entries expected')
  expect(await commitAs(app, validate, 'second', plan(app, validate, [one]))).toEqual({
    status: 'committed',
    passed: 1,
    duplicates: 0,
    rejected: 0,
  })

  const before = await snapshot(redis)
  expect(await commitAs(app, validate, 'first', plan(app, validate, entries))).toEqual({
    status: 'stale',
    held: [two.id],
    again: 0,
  })
  expect(await snapshot(redis)).toEqual(before)

  expect(await commitAs(app, validate, 'first', plan(app, validate, [two]))).toMatchObject({
    status: 'committed',
    passed: 1,
  })
  expect(await commitAs(app, validate, 'first', plan(app, validate, [two]))).toEqual({
    status: 'stale',
    held: [],
    again: 0,
  })
  expect(await redis.hgetall('pipeline:counters')).toEqual({ received: '2', admitted: '2' })
})

test('the same identity is admitted once: within a batch, in a later batch, and with another payload it is a conflict', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  await enqueue(redis, app.keys, [raw(order('1')), raw(order('1')), raw(order('2'))])
  expect(await commitAs(app, validate, 'c', plan(app, validate, await read(app, validate, 'c')))).toEqual({
    status: 'committed',
    passed: 2,
    duplicates: 1,
    rejected: 0,
  })

  await enqueue(redis, app.keys, [raw(order('1', 11)), raw(order('1', 11)), raw(order('3'))])
  const entries = await read(app, validate, 'c')
  const before = await snapshot(redis)
  const reply = await commitAs(app, validate, 'c', plan(app, validate, entries))
  expect(reply).toEqual({
    status: 'differs',
    held: [
      [0, expect.stringMatching(/1000$/)],
      [1, expect.stringMatching(/1000$/)],
    ],
  })
  expect(await snapshot(redis)).toEqual(before)

  const known = new Map([['order 1 u1', await recordedValue(redis)]])
  expect(await commitAs(app, validate, 'c', plan(app, validate, entries, known))).toEqual({
    status: 'committed',
    passed: 1,
    duplicates: 0,
    rejected: 2,
  })
  expect(await redis.hgetall('pipeline:counters')).toEqual({
    received: '6',
    admitted: '3',
    duplicates: '1',
    rejected: '2',
    'rejected:conflict': '2',
  })
})

/** The value of order 1, the only one whose amount is 10. */
async function recordedValue(redis: Redis): Promise<string> {
  for (const bucket of await redis.keys('ledger:*')) {
    const found = (await redis.hvals(bucket)).find((value) => value.endsWith('1000'))
    if (found !== undefined) return found
  }
  return ''
}

describe('corrections', () => {
  const correction = (event: string, event_id: string, more: object = {}): RawRecord =>
    raw({ user_id: 'u', order_id: '1', event: `order.${event}`, event_id, ...more })

  /** Everything of the line committed as the stages do it, one batch a stage. */
  async function pass(app: PartitionScope, records: readonly RawRecord[]): Promise<void> {
    await enqueue(app.redis, app.keys, records)
    for (const stage of [validate, aggregate, leaderboard]) {
      const commitBatch = batchCommitter(app, {
        stage,
        name: 'c',
        stream: app.keys.stream(stage.from),
        reader: app.redis,
      })
      const entries = await read(app, stage, 'c')
      if (entries.length > 0) await commitBatch(entries)
    }
  }

  async function stateOf(redis: Redis) {
    const [user, global, counters, spend, orders] = await Promise.all([
      redis.hgetall('user:u'),
      redis.hgetall('global:stats'),
      redis.hgetall('pipeline:counters'),
      redis.zscore('leaderboard:spend', 'u'),
      redis.zscore('leaderboard:orders', 'u'),
    ])
    return { user, global, counters, scores: [orders, spend] }
  }

  test('an order and its corrections in one batch count as one after the other', async () => {
    await using world = await open()
    const { scope: app, redis } = world
    await pass(app, [
      raw(order('1')),
      correction('refunded', 'e1', { amount: 2.5 }),
      raw(order('1')), // again, after it was corrected
      correction('amended', 'e2', { order_value: 20 }),
      correction('refunded', 'e1', { amount: 2.5 }), // again
      correction('refunded', 'e3', { amount: 20.01 }), // too much
      raw(order('2', 5)),
    ])
    expect(await stateOf(redis)).toEqual({
      user: { order_count: '2', total_spend_minor: '2500' },
      global: { total_orders: '2', total_revenue_minor: '2500' },
      counters: {
        received: '7',
        admitted: '2',
        corrected: '2',
        'corrected:refunded': '1',
        'corrected:amended': '1',
        duplicates: '2',
        rejected: '1',
        'rejected:refund-exceeds': '1',
        applied: '4',
        'applied:corrections': '2',
        ranked: '4',
      },
      scores: ['2', '2500'],
    })
  })

  test('in batches of their own: a second cancellation is a duplicate, and a user without orders leaves the boards', async () => {
    await using world = await open()
    const { scope: app, redis } = world
    await pass(app, [correction('cancelled', 'early')])
    await pass(app, [raw(order('1'))])
    await pass(app, [correction('refunded', 'r', { amount: 4 })])
    expect((await stateOf(redis)).scores).toEqual(['1', '600'])
    await pass(app, [correction('cancelled', 'c1')])
    await pass(app, [correction('cancelled', 'c2'), correction('cancelled', 'c1'), raw(order('1'))])
    await pass(app, [correction('amended', 'a', { order_value: 3 }), correction('refunded', 'r', { amount: 5 })])
    const invalid = (await redis.lrange('invalid_orders', 0, -1)).map((line) => JSON.parse(line).reason)
    expect(invalid.reverse()).toEqual([
      'Order 1 of user u is not known',
      'Order 1 of user u is cancelled',
      'Event r of order 1 of user u was already accepted with another payload',
    ])
    expect(await stateOf(redis)).toEqual({
      user: { order_count: '0', total_spend_minor: '0' },
      global: { total_orders: '0', total_revenue_minor: '0' },
      counters: expect.objectContaining({
        received: '9',
        admitted: '1',
        corrected: '2',
        duplicates: '3',
        rejected: '3',
        applied: '3',
        'applied:corrections': '3',
      }),
      scores: [null, null],
    })
  })

  const orders = (order_count: string, total_spend_minor: string) => ({ user: { order_count, total_spend_minor } })
  const rejected = (code: string) => ({ counters: { [`rejected:${code}`]: '1' } })
  test.each([
    ['an order that was corrected', ['refunded', { amount: 1 }], raw(order('1', 10)), orders('2', '1900')],
    ['an order in conflict', ['refunded', { amount: 1 }], raw(order('1', 11)), orders('2', '2000')],
    [
      'a correction',
      ['refunded', { amount: 1 }],
      correction('refunded', 'e', { amount: 1 }),
      rejected('unknown-order'),
    ],
    [
      'a correction in conflict',
      ['refunded', { amount: 1 }],
      correction('refunded', 'e', { amount: 2 }),
      rejected('unknown-order'),
    ],
    ['a second cancellation', ['cancelled', {}], correction('cancelled', 'e2'), rejected('unknown-order')],
  ] as const)(
    '%s is decided again if a failover loses what it was planned by',
    async (_, [event, more], sent, state) => {
      await using world = await open()
      const { scope: app, redis } = world
      await pass(app, [raw(order('1')), correction(event, 'e', more)])
      const buckets = await redis.keys('ledger:*')
      let plans = 0
      app.telemetry.on('planned', () => {
        if (++plans === 2) void redis.del(buckets) // before its commit, on the same connection
      })
      await pass(app, [sent])
      expect(await stateOf(redis)).toMatchObject(state)
      expect(await redis.hget('pipeline:counters', 'aggregate:rejected')).toBe(null)
    },
  )
})

test('a job learns the verdict on each of its orders, and the id of the rejected one', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  const ofJob = (body: object, jobId: string): RawRecord => ({ ...raw(body), jobId })
  await enqueue(redis, app.keys, [ofJob(order('1'), 'a'), ofJob(order('1'), 'b'), ofJob(order('2', -1), 'c')])
  await commitAs(app, validate, 'c', plan(app, validate, await read(app, validate, 'c')))
  const outcomes = await Promise.all(['a', 'b', 'c'].map((job) => redis.hgetall(app.keys.outcome(job))))
  const [[id] = []] = await redis.xrange(app.keys.invalid, '-', '+')
  expect(outcomes).toEqual([{ admitted: '1' }, { duplicate: '1' }, { 'bad-value': '1', invalid_id: id }])
})

test('a message that was rejected and comes again is a duplicate, in the invalid channel once', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  const bad = raw('not json')
  for (let delivery = 0; delivery < 3; delivery++) {
    await enqueue(redis, app.keys, [bad])
    await commitAs(app, validate, 'c', plan(app, validate, await read(app, validate, 'c')))
  }
  await enqueue(redis, app.keys, [raw('not json')])
  await commitAs(app, validate, 'c', plan(app, validate, await read(app, validate, 'c')))
  expect(await redis.hgetall('pipeline:counters')).toEqual({
    received: '4',
    duplicates: '2',
    rejected: '2',
    'rejected:malformed-json': '2',
  })
  expect(await redis.llen('invalid_orders')).toBe(2)
  expect(await redis.xlen('orders:invalid')).toBe(2)
})

test('a plan for another generation of the ledger changes nothing and names the right one', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  await enqueue(redis, app.keys, [raw(order('1'))])
  const planned = plan(app, validate, await read(app, validate, 'c'))
  const generation = await currentGeneration(redis)
  const before = await snapshot(redis)
  const reply = await commit(app, { stage: validate, keys: app.keys, consumer: 'c' }, planned, generation - 1)
  expect(reply).toEqual({ status: 'generation', generation })
  expect(await snapshot(redis)).toEqual(before)
})

test('the ledger remembers across a change of generation, and its buckets expire by themselves', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  await enqueue(redis, app.keys, [raw(order('1'))])
  await commitAs(app, validate, 'c', plan(app, validate, await read(app, validate, 'c')))
  const generation = await currentGeneration(redis)
  const [bucket = ''] = await redis.keys(`ledger:${generation}:*`)
  const left = await redis.ttl(bucket)
  expect(left).toBeGreaterThan(generationSeconds(config))
  expect(left).toBeLessThanOrEqual(2 * generationSeconds(config))
  // An order that was admitted in the last generation is known in this one.
  await redis.rename(bucket, bucket.replace(`:${generation}:`, `:${generation - 1}:`))
  await enqueue(redis, app.keys, [raw(order('1'))])
  const reply = await commitAs(app, validate, 'c', plan(app, validate, await read(app, validate, 'c')))
  expect(reply).toEqual({ status: 'committed', passed: 0, duplicates: 1, rejected: 0 })
})

test('the first record of a generation removes the count of the one that nothing can ask for any more', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  const generation = await currentGeneration(redis)
  const counts = Object.fromEntries([-4, -3, -2, -1, 4].map((away) => [String(generation + away), '7']))
  await redis.hset(app.keys.ledgerCounts, counts)
  await enqueue(redis, app.keys, [raw(order('1')), raw(order('2'))])
  await commitAs(app, validate, 'c', plan(app, validate, await read(app, validate, 'c')))
  const { [generation - 4]: _, ...kept } = counts
  expect(await redis.hgetall(app.keys.ledgerCounts)).toEqual({ ...kept, [generation]: '2' })
})

test('totals are the values after the commit, one record per user, exact beyond 14 digits; ranks are what the hashes say', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  await redis.hset('user:rich', { order_count: 7, total_spend_minor: '9007199254730000' })
  await enqueue(redis, app.keys, [
    raw(order('1', 100, 'rich')),
    raw(order('2', 0.01, 'rich')),
    raw(order('3', 5, 'poor')),
  ])
  for (const stage of [validate, aggregate] as readonly Stage[])
    await commitAs(app, stage, 'c', plan(app, stage, await read(app, stage, 'c')))
  const [[, fields = []] = []] = await redis.xrange('orders:counted', '-', '+')
  expect(fields).toEqual([
    'n',
    '3',
    'r',
    JSON.stringify([
      { user_id: 'rich', orders: 2, order_count: 9, total_spend_minor: 9_007_199_254_740_001 },
      { user_id: 'poor', orders: 1, order_count: 1, total_spend_minor: 500 },
    ]),
    'c',
    '1',
  ])
  await redis.zadd('leaderboard:orders', 50, 'poor')
  await commitAs(app, leaderboard, 'c', plan(app, leaderboard, await read(app, leaderboard, 'c')))
  expect(await redis.zrange('leaderboard:spend', '0', '-1', 'WITHSCORES')).toEqual([
    'poor',
    '500',
    'rich',
    '9007199254740001',
  ])
  expect(await redis.zscore('leaderboard:orders', 'poor')).toBe('1')
  expect(await redis.hget('pipeline:counters', 'ranked')).toBe('3')
})

test('a key of the wrong type, or a sum that cannot grow, is refused before anything is written', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  await enqueue(redis, app.keys, [raw(order('1', 1, 'a')), raw(order('2', 1, 'b'))])
  await commitAs(app, validate, 'c', plan(app, validate, await read(app, validate, 'c')))
  const entries = await read(app, aggregate, 'c')
  for (const [key, value] of [
    ['user:b', 'text'],
    ['global:stats', 'text'],
  ] as const) {
    await redis.set(key, value)
    await expect(commitAs(app, aggregate, 'c', plan(app, aggregate, entries))).rejects.toThrow('WRONGTYPE')
    await redis.del(key)
  }
  for (const value of ['many', '1.5', '007', '9100000000000000000']) {
    await redis.hset('user:b', 'order_count', value)
    await expect(commitAs(app, aggregate, 'c', plan(app, aggregate, entries))).rejects.toThrow(
      'is no integer that can grow',
    )
  }
  await redis.del('user:b')
  expect(await redis.exists('user:a', 'global:stats', 'orders:counted')).toBe(1) // the stream that its group made, empty
  expect(await commitAs(app, aggregate, 'c', plan(app, aggregate, entries))).toMatchObject({
    status: 'committed',
    passed: 2,
  })
})

test('where the commits of a stage are of another type, the error names their key, and nothing is written', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  await enqueue(redis, app.keys, [raw(order('1'))])
  const entries = await read(app, validate, 'c')
  const key = app.keys.committed('validate')
  await redis.del(key)
  await redis.hset(key, 'of another', 'type')
  const before = await snapshot(redis)
  await expect(commitAs(app, validate, 'c', plan(app, validate, entries))).rejects.toThrow(`${key} cannot be used`)
  expect(await snapshot(redis)).toEqual(before)
  const [pending] = await redis.xpending(app.keys.stream('raw'), 'validate')
  expect(pending).toBe(1)
})

test('a decision that throws rejects its record only', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  const moody = place({
    name: 'aggregate',
    takes: admittedOrder,
    counts: 'applied',
    decide: ({ user_id, minor }, keys) => {
      if (user_id === 'bad') throw new Error('a bug of ours')
      return pass({ effects: [hincrby(keys.userStats(user_id), 'total_spend_minor', minor)] })
    },
  })
  await enqueue(redis, app.keys, [raw(order('1', 1, 'good')), raw(order('2', 1, 'bad')), raw(order('3', 1, 'good'))])
  await commitAs(app, validate, 'c', plan(app, validate, await read(app, validate, 'c')))
  const reply = await commitAs(app, moody, 'c', plan(app, moody, await read(app, moody, 'c')))
  expect(reply).toEqual({ status: 'committed', passed: 2, duplicates: 0, rejected: 1 })
  expect(await redis.hgetall('user:good')).toEqual({ total_spend_minor: '200' })
  const [kept = ''] = await redis.lrange('invalid_orders', 0, -1)
  expect(JSON.parse(kept)).toMatchObject({
    code: 'internal-error',
    reason: 'Stage aggregate failed on this order',
    order: { order_id: '2' },
  })
})

test('the pipeline drains a Redis that is full, while new orders are refused', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  const { Redis } = await import('ioredis')
  const redis = new Redis(server.url)
  const app = appOn(redis, config)
  await ensureGroups(app)
  await enqueue(redis, app.keys, [raw(order('1')), raw('{}')])
  await redis.config('SET', 'maxmemory', '1')
  await expect(enqueue(redis, app.keys, [raw(order('2'))])).rejects.toThrow('OOM')
  for (const stage of [validate, aggregate, leaderboard] as readonly Stage[]) {
    expect(await commitAs(app, stage, 'c', plan(app, stage, await read(app, stage, 'c')))).toMatchObject({
      status: 'committed',
      passed: 1,
    })
  }
  expect(await redis.hgetall('pipeline:counters')).toEqual({
    received: '2',
    admitted: '1',
    applied: '1',
    ranked: '1',
    rejected: '1',
    'rejected:missing-field': '1',
  })
  redis.disconnect()
})

test('every key of a script is named in KEYS and shares one slot: a Redis Cluster takes them all', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer('--cluster-enabled', 'yes')
  if (!server) throw new Error('no redis-server')
  const { Redis } = await import('ioredis')
  const redis = new Redis(server.url)
  await redis.cluster('ADDSLOTSRANGE', 0, 16383)
  const app = appOn(redis, config, { keys: makeKeys(3) })
  for (;;) if ((await redis.cluster('INFO')).includes('cluster_state:ok')) break
  await ensureGroups(app)
  await enqueue(redis, app.keys, [raw(order('1', 1, 'a')), raw(order('2', 2, '{b}')), raw('[]')])
  for (const stage of [validate, aggregate, leaderboard] as readonly Stage[]) {
    expect(await commitAs(app, stage, 'c', plan(app, stage, await read(app, stage, 'c')))).toMatchObject({
      status: 'committed',
      passed: 2,
    })
  }
  expect(await redis.hget('{p3}:user:{b}', 'total_spend_minor')).toBe('200')
  expect((await redis.keys('*')).every((key) => key.startsWith('{p3}:'))).toBe(true)
  redis.disconnect()
})

const line: readonly Stage[] = [validate, aggregate, leaderboard]

test('a user beyond 2^53 minor units is ranked, and does not disturb the others of the batch', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  await redis.hset('user:whale', { order_count: 90_071, total_spend_minor: '9007199254740990' })
  await enqueue(redis, app.keys, [
    raw(order('1', 1e9, 'whale')),
    raw(order('2', 5, 'small')),
    raw(order('3', 1e9, 'whale')),
  ])
  for (const stage of line) await commitAs(app, stage, 'c', plan(app, stage, await read(app, stage, 'c')))
  expect(await redis.hget('user:whale', 'total_spend_minor')).toBe('9007399254740990')
  expect(await redis.zrange('leaderboard:spend', '0', '-1')).toEqual(['small', 'whale'])
  expect(await redis.hgetall('pipeline:counters')).toEqual({ received: '3', admitted: '3', applied: '3', ranked: '3' })
})

test('a score beyond 64 bits, which only another program can have written, is ranked as it is', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  const stage = leaderboard
  const record = { user_id: 'u', orders: 1, order_count: 1, total_spend_minor: 1e300 }
  await redis.hset('user:u', { order_count: 1, total_spend_minor: '1e300' })
  await redis.xadd('orders:counted', '*', 'n', '1', 'r', JSON.stringify([record]))
  await commitAs(app, stage, 'c', plan(app, stage, await read(app, stage, 'c')))
  expect(Number(await redis.zscore('leaderboard:spend', 'u'))).toBe(1e300)
})

test('a score is the number that the text of a field stands for, in whatever form; text that is no number is 0', async () => {
  const spends = {
    '0': 0,
    '7': 7,
    '007': 7,
    ' 7': 7,
    '-7': -7,
    '0x10': 16,
    '': 0,
    seven: 0,
    inf: 0,
    nan: 0,
    '999999999999999': 999_999_999_999_999,
    '1000000000000001': 1_000_000_000_000_001,
    '9007199254740991': 9_007_199_254_740_991,
  }
  await using world = await open()
  const { scope: app, redis } = world
  const records = []
  for (const [user_id, text] of Object.entries(spends).map(([text], at) => [`u${at}`, text] as const)) {
    await redis.hset(`user:${user_id}`, { order_count: 1, total_spend_minor: text })
    records.push({ user_id, orders: 1, order_count: 1, total_spend_minor: 1 })
  }
  await redis.xadd('orders:counted', '*', 'n', `${records.length}`, 'r', JSON.stringify(records))
  await commitAs(app, leaderboard, 'c', plan(app, leaderboard, await read(app, leaderboard, 'c')))
  const scores = await redis.zmscore('leaderboard:spend', ...records.map(({ user_id }) => user_id))
  expect(scores.map(Number)).toEqual(Object.values(spends))
})

test('what no commit could carry out is rejected before it begins, record by record', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  const key = app.keys.own('odd', 'hash')
  const odd = place({
    name: 'aggregate',
    takes: admittedOrder,
    passes: { channel: 'counted', record: userTotals },
    counts: 'applied',
    decide: ({ user_id }) => {
      if (user_id === 'fraction') return pass({ effects: [hincrby(key, 'x', 0.5)] })
      if (user_id === 'nan') return pass({ effects: [hincrby(key, 'x', Number.NaN)] })
      if (user_id === 'totals')
        return pass({ effects: [hincrby(key, 'x', 1)], totals: { key: app.keys.globalStats, head: {} } })
      if (user_id === 'plain')
        return pass({
          effects: [hincrby(key, 'half \ud83d', 1)],
          emit: { user_id, orders: 1, order_count: 1, total_spend_minor: 1 },
        })
      return pass({ effects: [hincrby(key, 'x', 1)], totals: { key, head: { user_id } } })
    },
  })
  const users = ['fraction', 'nan', 'totals', 'plain', 'fine']
  await enqueue(
    redis,
    app.keys,
    users.map((user, at) => raw(order(String(at), 1, user))),
  )
  await commitAs(app, validate, 'c', plan(app, validate, await read(app, validate, 'c')))
  const reply = await commitAs(app, odd, 'c', plan(app, odd, await read(app, odd, 'c')))
  expect(reply).toEqual({ status: 'committed', passed: 2, duplicates: 0, rejected: 3 })
  expect(await redis.hgetall(key)).toEqual({ 'half \ufffd': '1', x: '1' })
  const [[, fields = []] = []] = await redis.xrange('orders:counted', '-', '+')
  expect(JSON.parse(fields[3] ?? '')).toEqual([
    { user_id: 'plain', orders: 1, order_count: 1, total_spend_minor: 1 },
    { user_id: 'fine', orders: 1, 'half \ufffd': 1, x: 1 }, // whatever the batch added to of that hash
  ])
})

test('a batch may have more fields and members than a Lua call takes arguments', async (context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope: app, redis } = world
  const wide = place({
    name: 'aggregate',
    takes: admittedOrder,
    counts: 'applied',
    decide: ({ order_id }, keys) =>
      pass({
        effects: Array.from({ length: 30 }, (_, i) => [
          hincrby(keys.own('wide', 'hash'), `${order_id}-${i}`, i + 1),
          rank(`${order_id}-${i}`, [keys.own('wide', 'hash')], [{ board: keys.own('wide', 'board'), fields: ['1-1'] }]),
        ]).flat(),
      }),
  })
  await enqueue(
    redis,
    app.keys,
    Array.from({ length: 400 }, (_, i) => raw(order(`${i}`))),
  )
  await commitAs(app, validate, 'c', plan(app, validate, await read(app, validate, 'c')))
  expect(await commitAs(app, wide, 'c', plan(app, wide, await read(app, wide, 'c')))).toMatchObject({ passed: 400 })
  expect([await redis.hlen('wide:hash'), await redis.zcard('wide:board')]).toEqual([12_000, 12_000])
})

test('every entry of a batch is recorded as committed, however many there are', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  const add = redis.pipeline()
  for (let at = 0; at < 2_001; at++) {
    const records = JSON.stringify([{ user_id: 'u', order_id: `${at}`, minor: 5 }])
    add.xadd('orders:valid', '*', 'n', 1, 'r', records)
  }
  await add.exec()
  const entries = await read(app, aggregate, 'c', 3_000)
  expect(await commitAs(app, aggregate, 'c', plan(app, aggregate, entries))).toMatchObject({ passed: 2_001 })
  const committed = await redis.zrange(app.keys.committed(aggregate.name), 0, '-1')
  expect(committed.toSorted()).toEqual(entries.map(({ id }) => id).toSorted())
})

test('entries that the bridge did not write are counted as received where they are judged', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  await redis.xadd('orders:raw', '*', 'n', '2', 'r', JSON.stringify([raw(order('1')), raw('[]')]))
  await redis.xadd('orders:raw', '*', 'n', '7', 'r', 'nonsense')
  await commitAs(app, validate, 'c', plan(app, validate, await read(app, validate, 'c')))
  expect(await redis.hgetall('pipeline:counters')).toMatchObject({ received: '9', admitted: '1', rejected: '8' })
})

test('two messages with one id are two messages', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  await enqueue(redis, app.keys, [
    { id: 'same', body: 'one' },
    { id: 'same', body: 'two' },
    { id: 'same', body: 'one' },
  ])
  await commitAs(app, validate, 'c', plan(app, validate, await read(app, validate, 'c')))
  expect(await redis.hgetall('pipeline:counters')).toMatchObject({ received: '3', rejected: '2', duplicates: '1' })
})

test('names that are one key to Redis are counted as one', async () => {
  await using world = await open()
  const { scope: app, redis } = world
  const records = ['a\ud800', 'a\ud801', 'a\ud800'].map((user_id, at) => ({
    user_id,
    order_id: `${at}`,
    minor: at + 5,
  }))
  await redis.xadd('orders:valid', '*', 'n', '3', 'r', JSON.stringify(records))
  await commitAs(app, aggregate, 'c', plan(app, aggregate, await read(app, aggregate, 'c')))
  expect(await redis.hgetall('user:a\ufffd')).toEqual({ order_count: '3', total_spend_minor: '18' })
  expect(await redis.hgetall('global:stats')).toEqual({ total_orders: '3', total_revenue_minor: '18' })
})

test('what an entry says of when its orders were sent is taken or left, and never holds it up', async () => {
  const sentOf = (t: string): readonly number[] =>
    decodeEntry(
      pipeline,
      '1-0',
      ['n', '1', 'r', '[]', 't', t].map((text) => Buffer.from(text)),
      'raw',
    ).sent
  expect(sentOf('[1764000000000,3,1764000000001,2]')).toEqual([1_764_000_000_000, 3, 1_764_000_000_001, 2])
  const wrong = ['', '[]', '[1]', '[1,2,3]', '[01,1]', '[1,01]', '[-1,1]', '[1e9,1]', '[1,"2"]', '[1,2', 'null', '{}']
  for (const text of wrong) expect(sentOf(text), text).toEqual([])
  expect(sentOf(`[${Array.from({ length: 100_000 }, () => '1,1').join(',')}]`)).toEqual([])
})
