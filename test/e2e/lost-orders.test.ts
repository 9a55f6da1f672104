import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { type Deletion, deleteUnread } from '../support/deletions.ts'
import { scrape } from '../support/exposition.ts'
import { Oracle } from '../support/oracle.ts'
import { requireRealRedis } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

const line = ['bridge', 'validate', 'aggregate', 'leaderboard']
const samples = (valid: number, seed = 1): string[] =>
  [...sampleOrders({ valid, invalid: 0, users: 20, seed })].map(({ body }) => body)

async function orders(env: Env, ...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  await using command = runOrders(args, env)
  const { code } = await command.exit()
  return { code, out: command.stdout(), err: command.stderr() }
}

const counter = async (redis: Redis, name: string): Promise<number> =>
  Number(await redis.hget('pipeline:counters', name))

async function counted(redis: Redis, name: string, accepted: (orders: number) => boolean): Promise<number> {
  return until(`the counter ${name} to change`, () => counter(redis, name), accepted)
}

/** Orders that the bridge has received and no stage has read, deleted. */
async function lose(env: Env, redis: Redis, count: number): Promise<void> {
  const before = await counter(redis, 'received')
  await using bridge = runOrders(['run', 'bridge'], env)
  await sendBodies(env, samples(count, 99))
  await counted(redis, 'received', (received) => received === before + count)
  await redis.del('orders:raw')
  await bridge.stop()
}

test('a bridge that is under backpressure because of orders that were deleted unread receives again', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs, { HIGH_WATER_ORDERS: '50' })
  await using bridge = runOrders(['run', 'bridge'], env)
  await sendBodies(env, samples(100))
  await until('the bridge to be under backpressure', () => bridge.events('backpressureOn').length > 0)
  await world.redis.del('orders:raw')
  const before = await counter(world.redis, 'received')
  await sendBodies(env, samples(100, 2))
  // Of what four pollers had in flight there are 40 at most.
  await counted(world.redis, 'received', (received) => received >= before + 50)
  expect(await bridge.stop()).toEqual({ code: 0, signal: null })
})

test('a drain ends, and says how many orders are missing', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs)
  await lose(env, world.redis, 30)
  await using all = runOrders(['run', ...line], env)
  await all.started()
  const drained = await orders(env, 'drain', '--timeout', '20')
  expect([drained.code, drained.out.split('\n').slice(1)]).toEqual([
    0,
    [
      'Drained: no order waits in any stage.',
      'Stage validate: 30 orders are missing from its stream; run orders verify for details.',
      'The bridge stays paused: run orders resume bridge to start it again.',
      '',
    ],
  ])
})

test('a loss is said once in the log, by the metric, doctor, status and verify until it is written off', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const { redis } = world
  const env = envOf(world.url, sqs)
  await lose(env, redis, 30)
  await using one = runOrders(['run', ...line, 'api'], env)
  await using two = runOrders(['run', 'validate'], env)
  await Promise.all([one.started(), two.started()])
  const lost = () => [...one.events('ordersLost'), ...two.events('ordersLost')]
  const said = await until('the log to say it', lost, ({ length }) => length > 0)
  expect(said).toMatchObject([
    {
      level: 50,
      stage: 'validate',
      orders: 30,
      note: 'They were deleted before validate had committed them: their senders must send them again. orders verify --write-off books them as lost.',
    },
  ])
  await sendBodies(env, samples(50))
  await counted(redis, 'ranked', (ranked) => ranked === 50)
  const url = await one.apiUrl()
  const metrics = async () => {
    const { sum } = await scrape(url)
    const of = (name: string): unknown[] => line.slice(1).map((stage) => sum(name, { stage }))
    return [of('orders_unaccounted'), of('orders_waiting'), sum('orders_integrity_differences')]
  }
  expect(await until('the books to be read', metrics, ([, , differences]) => differences !== undefined)).toEqual([
    [30, 0, 0],
    [0, 0, 0],
    0,
  ])
  const status = await orders(env, 'status')
  expect(status.out).toMatch(
    /^received 80 = admitted 50 \+ duplicates 0 \+ rejected 0 \+ lost 0 \+ waiting 0 \(for validate\)\n/,
  )
  expect(status.out).toContain(
    '\nStage validate: 30 orders are missing from its stream; run orders verify for details.\n',
  )
  const doctor = await orders(env, 'doctor')
  expect(doctor.out).toMatch(/^warning +missing orders +30 orders are missing from the stream of validate$/m)
  expect(doctor.out).toContain(
    '→ They were deleted unread: see OrdersLost in docs/runbook.md. orders verify --write-off books them as lost.',
  )

  const missing = 'Stage validate: 30 orders are missing from its stream: 30 wait by the counters, it holds 0.'
  const closing =
    'The books do not balance: orders were deleted unread. See OrdersLost in docs/runbook.md; --write-off books them as lost.'
  const found = await orders(env, 'verify')
  expect([found.code, found.out.split('\n').slice(-4)]).toEqual([1, ['', missing, closing, '']])
  expect(await (await fetch(`${url}/integrity`)).json()).toMatchObject({ balanced: false, losses: [missing], lost: 0 })
  const planned =
    'Would be written off as lost: validate 30. Nothing is booked yet: orders verify --write-off --yes does it.'
  const dry = await orders(env, 'verify', '--write-off')
  expect([dry.code, dry.out.split('\n').slice(-5)]).toEqual([1, ['', missing, planned, closing, '']])
  expect(await counter(redis, 'validate:lost')).toBe(0)

  const booked = await orders(env, 'verify', '--write-off', '--yes')
  expect([booked.code, booked.out.split('\n')]).toEqual([
    0,
    expect.arrayContaining([
      'received 80 = admitted 50 + duplicates 0 + rejected 0 + lost 30 + waiting 0',
      'Written off as lost: validate 30.',
    ]),
  ])
  const again = JSON.parse((await orders(env, 'verify', '--write-off', '--yes', '--json')).out)
  expect(again).toMatchObject({ verdict: 'right', written_off: { booked: true, orders: {} }, books: { lost: 30 } })
  const audit = (await orders(env, 'audit', '--json')).out
  expect(audit.match(/"action":"write-off"/g)).toHaveLength(1)
  expect(audit).toContain('"what":{"validate":30},"outcome":"done"')
  expect(await (await fetch(`${url}/integrity`)).json()).toMatchObject({ balanced: true, lost: 30, losses: [] })
  const quiet = await until('the metric to end', metrics, ([unaccounted]) => (unaccounted as number[])[0] === 0)
  expect(quiet[0]).toEqual([0, 0, 0])
  expect((await scrape(url)).sum('orders_booked_total', { counter: 'validate:lost' })).toBe(30)
  expect((await orders(env, 'doctor')).out).toMatch(/^ok +missing orders +none$/m)
  expect(lost()).toHaveLength(1)
})

test('--yes alone is refused', async () => {
  await using world = await emptyRedis()
  expect(await orders(envOf(world.url), 'verify', '--yes')).toEqual({
    code: 2,
    out: '',
    err: 'orders verify: --yes goes with --write-off: see orders verify --help.\n',
  })
})

test('a repartition with lost orders, booked and not, ends, and the books of the new partitions keep both', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const { redis } = world
  const env = envOf(world.url, sqs)
  {
    await lose(env, redis, 30)
    await using all = runOrders(['run', ...line], env)
    await sendBodies(env, samples(100))
    await counted(redis, 'ranked', (ranked) => ranked === 100)
    await all.stop()
  }
  expect((await orders(env, 'verify', '--write-off', '--yes')).code).toBe(0)
  await lose(env, redis, 20)
  const moved = await orders(env, 'repartition', '--to', '3', '--timeout', '20')
  expect([moved.code, moved.err]).toEqual([0, ''])
  expect(moved.out).toContain(
    'Stage validate: 20 orders are missing from its stream: 20 wait by the counters, it holds 0. The books of the new partitions keep this.\n',
  )
  expect(moved.out).toContain('Everything is moved, and the books balance.\n')
  const after = { ...env, PARTITIONS: '3' }
  const { books } = JSON.parse((await orders(after, 'verify', '--json')).out)
  const missing =
    'Partition 0: Stage validate: 20 orders are missing from its stream: 20 wait by the counters, it holds 0.'
  expect(books).toMatchObject({
    received: 150,
    admitted: 100,
    lost: 30,
    waiting: 20,
    losses: [missing],
    differences: [],
  })
  const booked = await orders(after, 'verify', '--deep', '--write-off', '--yes')
  expect([booked.code, booked.out]).toEqual([0, expect.stringContaining('lost 50 + waiting 0\n')])
})

test('deletions under load: all numbers are the oracle’s without what was deleted, and the write-off is exact meanwhile', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const { redis } = world
  const env = envOf(world.url, sqs, { BATCH_RECORDS: '50', BRIDGE_POLLERS: '8' })
  const bodies = samples(1_500)
  await using all = runOrders(['run', ...line, 'api'], env)
  await using more = runOrders(['run', 'validate', 'aggregate'], env)
  await Promise.all([all.started(), more.started()])
  const raw: string[] = []
  const valid: { user_id: string; minor: number }[] = []
  const places = [
    { stream: 'orders:raw', group: 'validate', most: 3 },
    { stream: 'orders:valid', group: 'aggregate', most: 2 },
  ] as const
  const hows = ['XDEL of waiting entries', 'XDEL of pending entries', 'XTRIM', 'DEL'] as const
  const strike = async (place: (typeof places)[number], how: Deletion): Promise<number> => {
    const gone = await deleteUnread<{ body: string } & { user_id: string; minor: number }>(redis, place, how)
    if (place.group === 'validate') raw.push(...gone.map(({ body }) => body))
    else valid.push(...gone)
    return gone.length
  }
  await sendBodies(env, bodies.slice(0, 150))
  await counted(redis, 'applied', (applied) => applied > 0) // what a stage that has never worked lacks, it has missed
  // A stage may be as fast as the sender: here orders wait for certain.
  for (const [at, place] of places.entries()) {
    await orders(env, 'pause', place.group)
    await until('both processes to pause', () =>
      [all, more].every((process) => process.events('paused').some(({ component }) => component === place.group)),
    )
    await sendBodies(env, bodies.slice(150 * (at + 1), 150 * (at + 2)))
    await until(`orders to be deleted before ${place.group}`, () => strike(place, 'XDEL of waiting entries'))
    await orders(env, 'resume', place.group)
  }
  let sending = true
  const sent = sendBodies(env, bodies.slice(450)).finally(() => {
    sending = false
  })
  const written: Promise<unknown>[] = []
  for (let at = 0; sending || (await counter(redis, 'received')) < bodies.length; at++) {
    const how = hows[Math.floor(at / 2) % hows.length] ?? 'DEL'
    await strike(places[at % 2] ?? places[0], how)
    if (at === 0 || at === 40) written.push(orders(env, 'verify', '--write-off', '--yes'))
  }
  await sent
  await Promise.all(written)

  const oracle = new Oracle()
  const left = new Map<string, number>()
  for (const body of raw) left.set(body, (left.get(body) ?? 0) + 1)
  for (const body of bodies) {
    const deleted = left.get(body) ?? 0
    if (deleted > 0) left.set(body, deleted - 1)
    else oracle.take(body)
  }
  for (const { user_id, minor } of valid) {
    const totals = oracle.users.get(user_id) ?? { orders: 0, cents: 0n }
    oracle.users.set(user_id, { orders: totals.orders - 1, cents: totals.cents - BigInt(minor) })
  }
  const applied = oracle.admitted - valid.length
  await counted(redis, 'ranked', (ranked) => ranked === applied)
  await orders(env, 'verify', '--write-off', '--yes')
  const verified = await orders(env, 'verify', '--deep', '--json')
  expect(JSON.parse(verified.out)).toMatchObject({
    verdict: 'right',
    books: {
      ...{ received: bodies.length, admitted: oracle.admitted, lost: raw.length, waiting: 0, applied },
      stages: [{ lost: raw.length }, { lost: valid.length }, { lost: 0 }],
    },
  })
  for (const [user, { orders: count, cents }] of oracle.users) {
    const expected = count === 0 ? {} : { order_count: `${count}`, total_spend_minor: `${cents}` }
    expect(await redis.hgetall(`user:${user}`)).toEqual(expected)
  }
})
