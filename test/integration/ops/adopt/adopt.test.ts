import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { expect, type TestContext, test } from 'vitest'
import { openApi } from '../../../../src/api/server.ts'
import type { PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { makeControlKeys, makePartitions } from '../../../../src/keys.ts'
import { type Adopting, adopt, preview } from '../../../../src/ops/adopt/adopt.ts'
import { adoptInvalid } from '../../../../src/ops/adopt/invalid.ts'
import { pythonSystem } from '../../../../src/ops/checks/python-system.ts'
import { statusLines } from '../../../../src/ops/commands/inspect/status.ts'
import { openApp } from '../../../../src/ops/open/open-app.ts'
import { foundLines } from '../../../../src/ops/terminal/adoption-text.ts'
import { textOf } from '../../../../src/ops/terminal/output.ts'
import { verify } from '../../../../src/ops/verify/verification.ts'
import { partitionFor } from '../../../../src/partitions.ts'
import { type Books, readBooks } from '../../../../src/reads/books.ts'
import { readStatus } from '../../../../src/reads/status.ts'
import { redactUrl } from '../../../../src/redact.ts'
import { newestInvalidId, readOldest } from '../../../../src/stages/invalid/oldest.ts'
import { replayEntries } from '../../../../src/stages/invalid/requeue.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { openTelemetry } from '../../../../src/telemetry.ts'
import { expectStats, getFrom } from '../../../support/expected.ts'
import { Oracle } from '../../../support/oracle.ts'
import { type Counted, connectAsPython, dumps, fillAsPython, rejectAsPython } from '../../../support/python-system.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { runOrders } from '../../../support/run-orders.ts'
import { shipped as pipeline } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis, envOf } from '../../../support/world.ts'

interface World extends AsyncDisposable {
  readonly url: string
  readonly redis: Redis
  readonly scope: PartitionScope
}

/** @param count of partitions; undefined for bare names */
async function open(context: TestContext, count?: number): Promise<World> {
  requireRealRedis(context)
  const { url, redis, [Symbol.asyncDispose]: close } = await emptyRedis()
  const partitions = makePartitions(count)
  const config = readConfig(envOf(url, undefined, { BLOCK_MS: '50', PARTITIONS: count ? `${count}` : '' }))
  const app = appOn(redis, config, {
    keys: partitions[0],
    partitions,
    control: makeControlKeys(partitions),
  } as Partial<PartitionScope>)
  return { url, redis, scope: app, [Symbol.asyncDispose]: close }
}

const quick: Adopting = { force: false, settleMs: 0, print: () => {} }
const never = new AbortController().signal

const order = (id: number, value = 10): object => ({ user_id: `user_${id}`, order_id: `o${id}`, order_value: value })

/** Rejected orders as the Python system pushes them, and as odd as it may be, oldest first; with the code of each. */
const rejected: (readonly [element: string | Buffer, code: string])[] = [
  [dumps({ order: 'not json', reason: 'Malformed JSON' }), 'malformed-json'],
  [
    dumps({
      order: order(1, -5),
      reason: 'order_value must be between 0 and 1000000000',
      ts: '2025-03-01T10:00:00.123456',
    }),
    'bad-value',
  ],
  [
    dumps({
      order: { ...order(2), items: [] },
      reason: 'Calculated total (0.0) does not match order_value (10.0)',
      ts: '2025-03-01T10:00:01+00:00',
    }),
    'total-mismatch',
  ],
  [dumps({ order: order(3), reason: 'Redis timed out', ts: 1_740_823_203.5, retries: 2 }), 'internal-error'],
  [dumps({ order: { order_id: 'o4' }, reason: 'KeyError: user_id', ts: 'yesterday' }), 'missing-field'],
  [
    '{"order": {"user_id": "user_5", "order_id": "o5", "order_value": NaN}, "reason": "order_value must be a number"}',
    'bad-value',
  ],
  [dumps({ order: dumps(order(6)), reason: 'Malformed JSON', ts: '2025-03-01 10:00:05' }), 'malformed-json'],
  [
    '{"order": {"user_id": 12345678901234567890, "order_id": "o7", "order_value": 1.0}, "reason": "user_id must be a non-empty string"}',
    'bad-identity',
  ],
  ['no element at all', 'malformed-json'],
  [Buffer.from([0xff, 0xfe, 0x41]), 'malformed-json'],
]

function oracleOf(counted: Counted, invalid = rejected.map(([, code]) => code)): Oracle {
  const oracle = new Oracle()
  for (const [user, totals] of counted) {
    oracle.users.set(user, totals)
    oracle.admitted += totals.orders
    oracle.cents += totals.cents
  }
  for (const code of invalid) oracle.codes.set(code, (oracle.codes.get(code) ?? 0) + 1)
  oracle.rejected = invalid.length
  oracle.received = oracle.admitted + invalid.length
  return oracle
}

/** The whole database as Redis would back it up. */
async function dump(redis: Redis): Promise<Record<string, string>> {
  const keys = (await redis.keys('*')).sort()
  return Object.fromEntries(
    await Promise.all(keys.map(async (key) => [key, (await redis.dumpBuffer(key))?.toString('base64') ?? ''])),
  )
}

/** Users, boards, global stats, books, counters and the invalid channel are what they must be. */
async function expectAdopted({ redis, scope: app }: World, oracle: Oracle): Promise<void> {
  await using server = await openApi(app)
  const get = getFrom(server.url)
  await expectStats(get, oracle)
  const { received, admitted, rejected, codes } = oracle
  expect(await get('/integrity')).toMatchObject({
    ...{
      balanced: true,
      received,
      admitted,
      duplicates: 0,
      rejected,
      waiting: 0,
      losses: [],
      differences: [],
      notes: [],
    },
    ...{ applied: admitted, invalid: { stream: rejected, list: rejected, groups: rejected } },
  })
  expect((await get('/orders/invalid/summary'))['codes'] ?? {}).toEqual(Object.fromEntries(codes))
  const { verdict, ledger, audit } = await verify(app, { deep: true, repair: false, force: false }, never)
  expect([verdict, ledger, audit?.differences]).toEqual(['right', [], []])
  expect(await redis.keys('*adopted*')).toEqual([])
}

const bodies = (fields: readonly [string, string[]][]): string[] => fields.map(([, of]) => of[3] ?? '')

test.for([undefined, 1, 5])(
  'a Redis filled by the Python system is converted exactly, %s partitions',
  async (count, context) => {
    await using world = await open(context, count)
    const { url, redis, scope: app } = world
    const counted = await fillAsPython(url, { seed: 7 + (count ?? 0) })
    await rejectAsPython(
      url,
      rejected.map(([element]) => element),
    )
    const before = await dump(redis)
    const dry = await preview(app, never)
    expect(await dump(redis)).toEqual(before)
    const oracle = oracleOf(counted)
    expect(dry).toMatchObject({
      nothing: false,
      survey: {
        users: { count: counted.size, orders: BigInt(oracle.admitted), minor: oracle.cents, both: 0, ours: 0 },
        problemCount: 0,
      },
      differences: [],
    })
    expect(Object.fromEntries(dry.survey.invalid)).toEqual(Object.fromEntries(oracle.codes))

    const { adopted } = await adopt(app, quick, never)
    expect(adopted).toEqual({
      orders: BigInt(oracle.admitted),
      minor: oracle.cents,
      users: counted.size,
      invalid: rejected.length,
    })
    await expectAdopted(world, oracle)
    const after = await dump(redis)
    expect(await adopt(app, quick, never)).toMatchObject({ nothing: true })
    expect(await dump(redis)).toEqual(after)
    expect(await pythonSystem(redis)).toEqual([])
    if (count !== undefined) {
      const bare = (await redis.keys('*')).filter((key) => !/^(\{p\d\}:|\{jobs\}:|pipeline:)/.test(key))
      expect(bare).toEqual([])
    }
    expect(
      textOf(statusLines(await readStatus(redis, app), app.format.money))
        .split('\n')
        .slice(0, 2),
    ).toEqual([
      `received ${oracle.received.toLocaleString('en')} = admitted ${oracle.admitted.toLocaleString('en')} + duplicates 0 + rejected 10 + lost 0 + waiting 0 (for validate)`,
      expect.stringContaining(`counted  ${oracle.admitted.toLocaleString('en')} orders`),
    ])
  },
)

test('invalid orders keep their order, times, bytes and reasons, and are replayed', async (context) => {
  await using world = await open(context)
  const { url, redis, scope: app } = world
  await rejectAsPython(
    url,
    rejected.map(([element]) => element),
  )
  await adopt(app, quick, never)
  const entries = await redis.xrange('orders:invalid', '-', '+')
  const list = (await redis.lrange('invalid_orders', 0, -1)).map((element) => JSON.parse(element))
  expect(list.map(({ id }) => id)).toEqual(entries.map(([id]) => id).reverse())
  const records = bodies(entries as never).map((text) => JSON.parse(text))
  const first = '2025-03-01T10:00:00.123Z'
  expect(records).toMatchObject([
    { order: null, raw: 'not json', code: 'malformed-json', reason: 'Malformed JSON', ts: first, attempts: 1 },
    { order: order(1, -5), code: 'bad-value', ts: first },
    {
      order: { items: [] },
      reason: 'Calculated total (0.0) does not match order_value (10.0)',
      ts: '2025-03-01T10:00:01.000Z',
    },
    { order: order(3), reason: 'Redis timed out', ts: '2025-03-01T10:00:03.500Z', python: { retries: 2 } },
    {
      order: { order_id: 'o4' },
      reason: 'KeyError: user_id',
      ts: '2025-03-01T10:00:03.500Z',
      python: { ts: 'yesterday' },
    },
    { order: null, raw: '{"user_id": "user_5", "order_id": "o5", "order_value": NaN}' },
    { order: order(6), ts: '2025-03-01T10:00:05.000Z' },
    { reason: 'user_id must be a non-empty string' },
    { order: null, raw: 'no element at all', reason: 'Malformed JSON' },
    { order: null, raw_base64: '//5B', reason: 'Malformed JSON' },
  ])
  expect(bodies(entries as never)[7]).toContain(
    '{"order":{"user_id": 12345678901234567890, "order_id": "o7", "order_value": 1.0},"code"',
  )
  expect(entries[1]?.[0]).toMatch(/^1740823200123-/)

  await ensureGroups(app)
  const until_ = await newestInvalidId(redis, app.partitions)
  const oldest = await readOldest(redis, app.partitions, { after: '0-0', until: until_, count: 100 })
  const ids = await replayEntries(app, oldest, { jobId: 'replay-1', limit: 100 })
  expect(ids).toHaveLength(9) // what was no text is not sent
  const books = await processAll(app, 10 + 9)
  // Three were good: one that a bug of the Python system rejected, one that it had as text, one with an id beyond 2^53.
  expect(books).toMatchObject({ balanced: true, admitted: 3, applied: 3, invalid: { stream: 7 } })
  await using server = await openApi(app)
  expect(await getFrom(server.url)('/users/user_6/stats')).toMatchObject({ order_count: 1, total_spend: 10 })
})

async function processAll(scope: PartitionScope, received: number): Promise<Books> {
  const stop = new AbortController()
  const running = pipeline.stages.map((stage) => runStage(scope, stage, () => {}, stop.signal))
  const done = (books: Books): boolean =>
    books.received === received && books.stages.every(({ waiting }) => waiting === 0)
  const books = await until('the stages to be done', () => readBooks(scope), done)
  stop.abort()
  await Promise.all(running)
  return books
}

test('sums that have drifted apart are said, and the hashes of the users are the truth', async (context) => {
  await using world = await open(context)
  const { url, scope: app } = world
  const counted = await fillAsPython(url, { orders: 300, users: 20 })
  const kill = connectAsPython(url)
  await kill.hset('user:float', { order_count: '100000', total_spend: '9999.99999999999871' })
  await kill.hset('user:tie', { order_count: '1', total_spend: '100000.00499999999999954' })
  await kill.hset('user:large', { order_count: '1', total_spend: '80000000000000.01' })
  await kill.hincrby('user:half', 'order_count', 3) // killed before it had added the amount
  await kill.hincrbyfloat('user:other half', 'total_spend', 0.1)
  await kill.zincrby('leaderboard:spend', 5, 'stranger')
  await kill.hincrby('global:stats', 'total_orders', 7)
  kill.disconnect()
  counted.set('float', { orders: 100_000, cents: 1_000_000n })
  counted.set('tie', { orders: 1, cents: 10_000_001n })
  counted.set('large', { orders: 1, cents: 8_000_000_000_000_001n })
  counted.set('half', { orders: 3, cents: 0n })
  counted.set('other half', { orders: 0, cents: 10n })
  const { differences } = await preview(app, never)
  expect(differences).toEqual([
    "global:stats says 307 orders, 99,998 less than the users' hashes add up to.",
    expect.stringMatching(
      /^global:stats says [\d.]+ revenue, 80000000110000\.12 less than the users' hashes add up to\.$/,
    ),
    expect.stringMatching(/^leaderboard:spend says .* less than/),
    "leaderboard:orders says 300 orders, 100,005 less than the users' hashes add up to.",
    '5 users have another score on leaderboard:spend than in their hash.',
    '5 users have another score on leaderboard:orders than in their hash.',
  ])
  await adopt(app, quick, never)
  await expectAdopted(world, oracleOf(counted, []))
})

test.for([
  ['total_spend', 'inf'],
  ['total_spend', 'nan'],
  ['total_spend', '1e+16'],
  ['total_spend', 'abc'],
  ['total_spend', ''],
  ['total_spend', '-0.01'],
  ['total_spend', '90071992547409.93'],
  ['order_count', '1.5'],
] as const)('a user whose %s is "%s" is named, and nothing is converted', async ([field, value], context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = appOn(world.redis, readConfig(envOf(world.url)))
  const other = connectAsPython(world.url)
  await other.hset('user:good', { order_count: '1', total_spend: '5' })
  await other.hset('user:bad', { order_count: '1', total_spend: '5', [field]: value })
  other.disconnect()
  const before = await dump(world.redis)
  const found = await adopt(app, quick, never)
  expect([found.survey.problemCount, found.adopted]).toEqual([1, undefined])
  expect(found.survey.problems[0]).toMatch(new RegExp(`^user:bad: ${field} is .*${value.replaceAll(/[+.]/g, '\\$&')}`))
  expect(foundLines(app, found).at(-1)).toMatch(/^user:bad: /)
  expect(await dump(world.redis)).toEqual(before)
})

test.for([undefined, 3])(
  'totals that orders has counted next to the Python system are added up, %s partitions',
  async (count, context) => {
    await using world = await open(context, count)
    const { url, redis, scope: app } = world
    const ours = connectAsPython(url)
    for (const keys of app.partitions) await ensureGroups({ ...app, redis: ours, keys })
    const oracle = oracleOf(await fillAsPython(url, { orders: 200, users: 10 }))
    await rejectAsPython(
      url,
      rejected.map(([element]) => element),
    )
    for (let id = 0; id < 30; id++) {
      const body = JSON.stringify(id % 10 === 9 ? order(id, -1) : order(id % 12, id))
      const sent = { ...JSON.parse(body), order_id: `ours-${id}` }
      await enqueue(ours, partitionFor(app.partitions, sent.user_id), [{ id: `m${id}`, body: JSON.stringify(sent) }])
      if (id % 10 === 9) oracle.codes.set('bad-value', (oracle.codes.get('bad-value') ?? 0) + 1)
      else {
        const known = oracle.users.get(sent.user_id) ?? { orders: 0, cents: 0n }
        oracle.users.set(sent.user_id, { orders: known.orders + 1, cents: known.cents + BigInt(id * 100) })
        oracle.admitted++
        oracle.cents += BigInt(id * 100)
      }
    }
    oracle.rejected += 3
    oracle.received += 30
    const stop = new AbortController()
    const running = app.partitions.flatMap((keys) =>
      pipeline.stages.map((stage) => runStage({ ...app, keys }, stage, () => {}, stop.signal)),
    )
    await until(
      'the stages to be done',
      async () => readBooks(app),
      ({ received, stages }) => received === 30 && stages.every(({ waiting }) => waiting === 0),
    )
    stop.abort()
    await Promise.all(running)
    ours.disconnect()
    await adopt(app, { ...quick, force: true }, never) // this test's own connections have written
    await expectAdopted(world, oracle)
    const ids = (await Promise.all(app.partitions.map(({ invalid }) => redis.xrange(invalid, '-', '+'))))
      .flat()
      .map(([id]) => id)
    expect(new Set(ids).size).toBe(13)
  },
)

/** Returns all that is left, except what differs in each run: who did it and when. */
async function contents(redis: Redis): Promise<Record<string, unknown>> {
  const keys = (await redis.keys('*'))
    .filter((key) => !/^\{jobs\}|pipeline:(manifest|audit.*|barrier)$/.test(key))
    .sort()
  const read = async (key: string): Promise<unknown> => {
    const type = await redis.type(key)
    if (type === 'hash') return redis.hgetall(key)
    if (type === 'zset') return redis.zrange(key, '0', '-1', 'WITHSCORES')
    return type === 'list' ? redis.lrange(key, 0, -1) : redis.xrange(key, '-', '+')
  }
  return Object.fromEntries(await Promise.all(keys.map(async (key) => [key, await read(key)])))
}

test.for([undefined, 2])(
  'cut after any of its writes and run again it comes to the same, %s partitions',
  async (count, context) => {
    await using world = await open(context, count)
    const { url, redis, scope: app } = world
    await rejectAsPython(
      url,
      rejected.map(([element]) => element),
    )
    const oracle = oracleOf(await fillAsPython(url, { orders: 400, users: 280 }))
    const filled = Object.entries(await dump(redis))
    const fill = async (): Promise<void> => {
      const restore = redis.pipeline().flushdb()
      for (const [key, dumped] of filled) restore.restore(key, 0, Buffer.from(dumped, 'base64'))
      await restore.exec()
    }
    const cutAt = async (write: number): Promise<boolean> => {
      const stop = new AbortController()
      const telemetry = openTelemetry(pino({ level: 'silent' }))
      let writes = 0
      telemetry.on('adoptionStep', () => ++writes === write && stop.abort('cut'))
      return adopt({ ...app, telemetry }, quick, stop.signal).then(
        () => false,
        () => true,
      )
    }
    await adopt(app, quick, never)
    await expectAdopted(world, oracle)
    const uncut = await contents(redis)
    let write = 1
    for (; ; write++) {
      await fill()
      if (!(await cutAt(write))) break
      await adopt(app, quick, never)
      expect([write, await contents(redis)]).toEqual([write, uncut])
    }
    expect(write).toBeGreaterThan(10)
  },
)

test('nothing of orders starts, and doctor says what to do, until it is adopted', async (context) => {
  await using world = await open(context)
  const { url, redis, scope: app } = world
  await fillAsPython(url, { orders: 20, users: 3 })
  const config = { ...app.config, logLevel: 'silent' as const }
  const start = async (): Promise<string> => {
    try {
      await using opened = await openApp(config, 'ask')
      return String(opened.instance)
    } catch (error) {
      return (error as Error).message
    }
  }
  const before = await dump(redis)
  const place = `Redis at ${redactUrl(url)}`
  expect(await start()).toBe(
    `${place} was filled by the Python system (global:stats has the field total_revenue): stop that system and run orders adopt first.`,
  )
  expect(await dump(redis)).toEqual(before)
  expect(await pythonSystem(redis)).toMatchObject([{ level: 'error', advice: expect.stringContaining('orders adopt') }])
  const orders = async (...args: string[]): Promise<string | undefined> => {
    await using run = runOrders(args, envOf(url))
    await run.exit()
    return run.stdout().trimEnd().split('\n').at(-1)
  }
  expect(await orders('adopt')).toMatch(/Nothing is changed yet: .* run orders adopt --yes\.$/)
  expect(await dump(redis)).toEqual(before)

  await redis.hset('pipeline:manifest', 'ADOPTION', new Date().toISOString()) // as after a kill
  expect(await start()).toBe(
    `${place} is being adopted from the Python system: let orders adopt --yes end first, or run it again.`,
  )
  expect(await pythonSystem(redis)).toMatchObject([{ level: 'error' }])
  expect(JSON.parse((await orders('adopt', '--yes', '--force', '--json')) ?? '')).toMatchObject({
    adopted: { users: 3, orders: 20 },
  })
  expect(await start()).toMatch(/-/)
  expect(await orders('adopt', '--yes', '--force')).toBe(
    `There is nothing to adopt: ${place} holds nothing of the Python system.`,
  )
})

test('a start notices invalid orders and users alone, and takes nothing else for them', async (context) => {
  await using world = await open(context)
  const { url, redis, scope: app } = world
  const noticed = async (): Promise<number> => (await pythonSystem(redis)).length
  await redis.lpush('invalid_orders', 'by hand')
  await redis.hset('user:a', { order_count: '1', total_spend_minor: '100' })
  await redis.zadd('leaderboard:spend', 100, 'a')
  expect(await noticed()).toBe(0)
  await redis.hset('user:a', 'total_spend', '1.5')
  expect(await noticed()).toBe(1)
  await redis.del('user:a', 'leaderboard:spend')
  await rejectAsPython(url, [dumps({ order: order(1), reason: 'x' })])
  expect(await noticed()).toBe(1)
  await redis.flushdb()
  await redis.rpush('global:stats', 'another type')
  await redis.set('invalid_orders', 'another type')
  await redis.set('leaderboard:spend', 'another type')
  expect(await noticed()).toBe(0)
  expect(app.partitions).toHaveLength(1)
})

test('a cluster, other settings and a repartition under way are refused, and nothing is changed', async (context) => {
  await using world = await open(context)
  const { url, redis, scope: app } = world
  await fillAsPython(url, { orders: 20, users: 3 })
  const refusal = async (more: object): Promise<string> =>
    adopt({ ...app, config: { ...app.config, ...more } }, quick, never).then(
      () => '',
      (error: Error) => error.message,
    )
  const before = await dump(redis)
  expect(await refusal({ redisCluster: true })).toMatch(/^orders adopt does not work on a Redis Cluster: adopt it on/)
  expect(await dump(redis)).toEqual(before)
  await redis.hset('pipeline:manifest', 'PARTITIONS', '4')
  expect(await refusal({})).toMatch(/was set up with PARTITIONS=4, this process has none: set PARTITIONS=4\.$/)
  const state = { id: 'r', from: 'none', to: 4, phase: 'move', queues: [] }
  await redis.hset('pipeline:manifest', { PARTITIONS: 'none', REPARTITION: JSON.stringify(state) })
  expect(await refusal({})).toBe('A repartition to 4 is under way: let it end first, by orders repartition --to 4.')
})

test('it refuses while another client writes', async (context) => {
  await using world = await open(context)
  const { url, redis, scope: app } = world
  await fillAsPython(url, { orders: 20, users: 3 })
  const worker = connectAsPython(url)
  await worker.hincrbyfloat('user:late', 'total_spend', 1)
  const before = await dump(redis)
  await expect(adopt(app, quick, never)).rejects.toThrow(
    /^A client at .* is connected whose last command was HINCRBYFLOAT: stop/,
  )
  expect(await dump(redis)).toEqual(before)
  worker.disconnect()
  // It is not seen where CLIENT LIST may not be used, but what it writes is.
  const busy = connectAsPython(url)
  const print = (): void => {}
  app.telemetry.listen(
    (event) => event === 'adoptionStep' && void busy.hincrbyfloat('global:stats', 'total_revenue', 1),
  )
  await expect(adopt(app, { force: true, settleMs: 50, print }, never)).rejects.toThrow(
    /changed meanwhile: stop every process/,
  )
  busy.disconnect()
  expect(await redis.hexists('pipeline:manifest', 'ADOPTION')).toBe(0)
  expect(await redis.hget('user:user_1', 'total_spend_minor')).toBeNull()
})

test('an entry that comes while the invalid channel is copied is not lost: nothing is put in its place', async (context) => {
  await using world = await open(context, 2)
  const { redis, scope: app } = world
  await redis.lpush('invalid_orders', ...rejected.slice(0, 2).map(([element]) => element))
  const [keys] = app.partitions
  if (!keys) throw new Error('no partition')
  let steps = 0
  const late = async (): Promise<void> => {
    // Two to begin with, one a stream that is built, and the last before the old ones are replaced.
    if (++steps === 4) await redis.xadd(keys.invalid, '*', 'code', 'bad-value', 'record', '{"late":true}')
  }
  const from = makePartitions(undefined)
  const move = {
    redis,
    config: app.config,
    format: app.format,
    pipeline: app.pipeline,
    from,
    to: app.partitions,
    alive: late,
    durable: async () => {},
  }
  await expect(adoptInvalid(move, new Date())).rejects.toThrow('was changed meanwhile')
  expect(await redis.xlen(keys.invalid)).toBe(1)
  expect(await redis.llen('invalid_orders')).toBe(2)
  move.alive = async () => {}
  expect(await adoptInvalid(move, new Date())).toBe(2)
  const lengths = await Promise.all(app.partitions.map(({ invalid }) => redis.xlen(invalid)))
  expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(3)
})

test.each([
  ['orders that came in and are nowhere', { received: 3 }],
  ['more orders counted than users have', { received: 5, admitted: 5, applied: 5, ranked: 5 }],
])('books that were not right before, by %s, are said, and the adoption ends', async (_, counters) => {
  await using world = await open({ skip: () => {} } as unknown as TestContext)
  const { redis, scope: app } = world
  await app.redis.hset('user:user_1', { order_count: 1, total_spend: '10.5' })
  await app.redis.hset(app.keys.counters, counters)
  await expect(adopt(app, quick, never)).rejects.toThrow(
    'Everything is converted, but the books do not balance: run orders verify --deep',
  )
  expect(await redis.hget('pipeline:manifest', 'ADOPTION')).toBeNull()
  expect(await redis.hgetall('user:user_1')).toEqual({ order_count: '1', total_spend_minor: '1050' })
  expect((await preview(app, never)).nothing).toBe(true)
  await verify(app, { deep: true, repair: false, force: false }, never)
})
