import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { deepCheck } from '../../../../src/ops/verify/deep-check.ts'
import { repair } from '../../../../src/ops/verify/repair.ts'
import { verify } from '../../../../src/ops/verify/verification.ts'
import type { Stage } from '../../../../src/stages/placed.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { openStages, runInTwoLoops } from '../../../support/running-stages.ts'
import { shipped as pipeline } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'

const signal = new AbortController().signal
const config = readConfig({ BLOCK_MS: '50', CLAIM_IDLE_MS: '300' })
const right = { verdict: 'right', wrongUsers: 0, undecidedUsers: 0, differences: [] }
const [validate, aggregate, leaderboard] = pipeline.stages as [Stage, Stage, Stage]

const open = () => openStages(config)

interface Sent {
  readonly user: string
  readonly minor: number
  /** The rest of the order after its correction: in the number of orders, and of its amount. */
  readonly left: { readonly orders: number; readonly minor: number }
  readonly bodies: readonly [order: string, correction: string]
}

/** An order and its one correction. Every third user loses all orders again. */
function sentOf(id: number, users: number): Sent {
  const user = `user_${id % users}`
  const minor = 100 + (id % 97) * 25
  const order = { user_id: user, order_id: `${id}` }
  const bodies = (correction: object): [string, string] => [
    JSON.stringify({ ...order, order_value: minor / 100 }),
    JSON.stringify({ ...order, event_id: 'e', ...correction }),
  ]
  const cancelled = { left: { orders: 0, minor: 0 }, bodies: bodies({ event: 'order.cancelled' }) }
  const refunded = { left: { orders: 1, minor: minor - 50 }, bodies: bodies({ event: 'order.refunded', amount: 0.5 }) }
  const amended = { left: { orders: 1, minor: 7 }, bodies: bodies({ event: 'order.amended', order_value: 0.07 }) }
  const by = (id % users) % 3 === 0 ? cancelled : id % 2 === 0 ? refunded : amended
  return { user, minor, ...by }
}

const counter =
  ({ redis }: PartitionScope, name: string) =>
  async (): Promise<number> =>
    Number(await redis.hget('pipeline:counters', name))

async function send({ redis, keys }: PartitionScope, bodies: readonly string[]): Promise<void> {
  for (let from = 0; from < bodies.length; from += 10) {
    const some = bodies.slice(from, from + 10)
    await enqueue(
      redis,
      keys,
      some.map((body) => ({ id: body, body })),
    )
  }
}

const sendOrders = (scope: PartitionScope, all: readonly Sent[]): Promise<void> =>
  send(
    scope,
    all.map(({ bodies }) => bodies[0]),
  )
const sendCorrections = (scope: PartitionScope, all: readonly Sent[]): Promise<void> =>
  send(
    scope,
    all.map(({ bodies }) => bodies[1]),
  )

/** Sends orders, and the corrections of those before, until it is enough. @returns all that was corrected */
async function feed(scope: PartitionScope, users: number, isEnough: (sent: number) => boolean): Promise<Sent[]> {
  const all: Sent[] = []
  let before: Sent[] = []
  for (let from = 0; ; from += 200) {
    const last = isEnough(from)
    const fresh = last ? [] : Array.from({ length: 200 }, (_, at) => sentOf(from + at, users))
    await send(scope, [...before.map(({ bodies }) => bodies[1]), ...fresh.map(({ bodies }) => bodies[0])])
    all.push(...fresh)
    await until('all to be admitted', counter(scope, 'admitted'), (count) => count === all.length)
    await until('few to wait', counter(scope, 'ranked'), (count) => count > 2 * all.length - 1_000)
    before = fresh
    if (last) break
  }
  await until('all to be ranked', counter(scope, 'ranked'), (count) => count === 2 * all.length)
  return all
}

async function expectLeft(redis: Redis, all: readonly Sent[]): Promise<void> {
  const users = Map.groupBy(all, ({ user }) => user)
  const ranked = { orders: 0, minor: 0 }
  for (const [user, own] of users) {
    const orders = own.reduce((sum, { left }) => sum + left.orders, 0)
    const minor = own.reduce((sum, { left }) => sum + left.minor, 0)
    const hash = await redis.hmget(`user:${user}`, 'order_count', 'total_spend_minor')
    const scores = [await redis.zscore('leaderboard:orders', user), await redis.zscore('leaderboard:spend', user)]
    expect([user, hash, scores]).toEqual([
      user,
      [`${orders}`, `${minor}`],
      orders > 0 ? [`${orders}`, `${minor}`] : [null, null],
    ])
    ranked.orders += orders
    ranked.minor += minor
  }
  expect(await redis.hmget('global:stats', 'total_orders', 'total_revenue_minor')).toEqual([
    `${ranked.orders}`,
    `${ranked.minor}`,
  ])
}

test.for([40, 1_500])('with corrections everything balances at every moment: %i users', async (users, context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope, redis } = world
  await using _ = runInTwoLoops(scope)
  let working = true
  let checks = 0
  const done = feed(scope, users, (sent) => sent >= 4_000 && checks >= 3).finally(() => {
    working = false
  })
  for (; working; checks++) expect(await deepCheck(scope, signal)).toMatchObject(right)
  const all = await done
  expect(checks).toBeGreaterThan(2)
  await expectLeft(redis, all)
  const gone = new Set(all.filter(({ left }) => left.orders === 0).map(({ user }) => user))
  expect(gone.size).toBeGreaterThan(users / 4)
  expect(await verify(scope, { deep: true, repair: false, force: false }, signal)).toMatchObject({ verdict: 'right' })
})

test('boards and global stats are repaired while corrections flow, again and again, and end exact', async (context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope, redis } = world
  await using _ = runInTwoLoops(scope)
  let working = true
  let repairs = 0
  const done = feed(scope, 600, (sent) => sent >= 4_000 && repairs >= 3).finally(() => {
    working = false
  })
  for (; working; repairs++) {
    await redis.zincrby('leaderboard:spend', 1_000_000, 'user_77')
    await redis.zadd('leaderboard:orders', 5, 'user_3') // whose orders are all taken back
    await redis.zrem('leaderboard:orders', 'user_100')
    await redis.hincrby('global:stats', 'total_orders', 7)
    await redis.hincrby('global:stats', 'total_revenue_minor', -7)
    await repair(scope, signal)
    expect(await deepCheck(scope, signal)).toMatchObject(right)
  }
  const all = await done
  expect(repairs).toBeGreaterThan(2)
  await expectLeft(redis, all)
})

/** Ten orders, each with its correction. */
async function settled(scope: PartitionScope): Promise<Sent[]> {
  const all = Array.from({ length: 10 }, (_, id) => sentOf(id, 10))
  await using _ = runInTwoLoops(scope)
  await sendOrders(scope, all)
  await until('all to be admitted', counter(scope, 'admitted'), (count) => count === 10)
  await sendCorrections(scope, all)
  await until('all to be ranked', counter(scope, 'ranked'), (count) => count === 20)
  return all
}

test.for([
  [
    'a user without an order who is on a board',
    (redis: Redis) => redis.zadd('leaderboard:spend', 0, 'user_3'),
    'user_3',
  ],
  [
    'a score that a correction was to lower',
    (redis: Redis) => redis.zadd('leaderboard:spend', 125, 'user_1'),
    'user_1',
  ],
  ['global stats that are gone', (redis: Redis) => redis.del('global:stats'), undefined],
  ['an empty total', (redis: Redis) => redis.hset('global:stats', 'total_orders', ''), undefined],
  ['a total that Redis cannot add to', (redis: Redis) => redis.hset('global:stats', 'total_orders', '007'), undefined],
] as const)('%s is found, and repaired by the users', async ([, tamper, user], context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope, redis } = world
  const all = await settled(scope)
  await tamper(redis)
  const found = await deepCheck(scope, signal)
  expect(found.verdict).toBe('wrong')
  expect(found.examples.map(({ user_id }) => user_id)).toEqual(user === undefined ? [] : [user])
  const repaired = await verify(scope, { deep: false, repair: true, force: false }, signal)
  expect(repaired).toMatchObject({ verdict: 'right', repaired: { users: 10 } })
  await expectLeft(redis, all)
})

test("a user's own totals that are wrong are not spread over boards and global stats", async (context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope, redis } = world
  await settled(scope)
  await redis.hincrby('user:user_1', 'order_count', 1)
  const repairing = verify(scope, { deep: false, repair: true, force: false }, signal)
  await expect(repairing).rejects.toMatchObject({ code: 'ORD_BOOKS' })
})

test('a correction that is counted before its order leaves totals below 0 for a while, which are right', async (context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope, redis } = world
  const slow = { ...scope, config: { ...config, claimIdleMs: 600_000 } } // no other process takes the entry of the dead one
  const sum = (orders: bigint, minor: bigint): object => ({ orders, minor })
  const { bodies, user } = sentOf(3, 10)
  {
    await using _ = runInTwoLoops(slow, [validate])
    await send(scope, [bodies[0]])
    await until('the order to be admitted', counter(scope, 'admitted'), (count) => count === 1)
    await redis.xreadgroup('GROUP', aggregate.name, 'dead', 'STREAMS', 'orders:valid', '>')
    await send(scope, [bodies[1]])
    await until('it to be corrected', counter(scope, 'corrected'), (count) => count === 1)
  }
  {
    await using _ = runInTwoLoops(slow, [aggregate, leaderboard])
    await until('the correction to be ranked', counter(scope, 'ranked'), (count) => count === 1)
    expect(await redis.hmget(`user:${user}`, 'order_count', 'total_spend_minor')).toEqual(['-1', '-175'])
    const sums = { users: sum(-1n, -175n), global: sum(-1n, -175n), leaderboards: sum(-1n, -175n) }
    expect(await deepCheck(scope, signal)).toMatchObject({ ...right, users: 1, sums })
    await redis.zadd('leaderboard:spend', -175, user)
    expect(await deepCheck(scope, signal)).toMatchObject({ verdict: 'wrong', wrongUsers: 1 })
    await repair(scope, signal)
    expect(await deepCheck(scope, signal)).toMatchObject(right)
    expect(await redis.exists('leaderboard:spend', 'leaderboard:orders')).toBe(0)
  }
  await using _ = runInTwoLoops(scope, [aggregate, leaderboard])
  await until('the order to be ranked', counter(scope, 'ranked'), (count) => count === 2)
  expect(await deepCheck(scope, signal)).toMatchObject({ ...right, sums: { users: sum(0n, 0n) } })
  await expectLeft(redis, [sentOf(3, 10)])
})

/** The client with something done before each call of a command. */
function before(redis: Redis, command: string, act: () => Promise<unknown>): Redis {
  return new Proxy(redis, {
    get: (target, name) => {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      if (name !== command) return value.bind(target)
      return async (...args: unknown[]) => {
        await act()
        return Reflect.apply(value, target, args)
      }
    },
  })
}

test('totals that another client wrote, or that a replay put back, are not taken for those of the user', async (context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope, redis } = world
  const all = await settled(scope)
  const totals = JSON.stringify([{ user_id: 'user_1', orders: 1, order_count: 9, total_spend_minor: 9_000 }])
  const put = async (): Promise<void> => {
    await redis.xadd('orders:counted', '*', 'n', '1', 'r', totals, 'c', '1', 'g', leaderboard.name)
    await redis.xadd('orders:counted', '*', 'n', '1', 'r', totals)
  }
  const busy = before(before(scope.redis, 'scan', put), 'evalsha', put)
  const sum = { orders: 6n }
  const sums = { users: sum, global: sum, leaderboards: sum }
  expect(await deepCheck({ ...scope, redis: busy }, signal)).toMatchObject({ users: 10, sums })
  await redis.del('leaderboard:spend')
  await repair({ ...scope, redis: busy }, signal)
  await expectLeft(redis, all)
})

test.for([
  ['the beginning and the scan', 'scan'],
  ['the comparison and the write', 'evalsha'],
] as const)('what is corrected between %s is in the repaired boards', async ([, command], context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope, redis } = world
  const all = Array.from({ length: 10 }, (_, id) => sentOf(id, 10))
  {
    await using _ = runInTwoLoops(scope)
    await sendOrders(scope, all)
    await until('all to be ranked', counter(scope, 'ranked'), (count) => count === 10)
  }
  let corrected = false
  const late = before(scope.redis, command, async () => {
    if (corrected) return
    corrected = true
    await using _ = runInTwoLoops(scope, [validate, aggregate])
    await sendCorrections(scope, all)
    await until('all to be counted', counter(scope, 'applied'), (count) => count === 20)
  })
  await redis.del('leaderboard:spend', 'leaderboard:orders')
  await repair({ ...scope, redis: late }, signal)
  await expectLeft(redis, all) // before the leaderboard has seen them
})
