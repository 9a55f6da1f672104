import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { userTotals } from '../../../../src/messages.ts'
import { openCountedFeed } from '../../../../src/ops/verify/counted-feed.ts'
import { deepCheck } from '../../../../src/ops/verify/deep-check.ts'
import { repair } from '../../../../src/ops/verify/repair.ts'
import { definePipeline } from '../../../../src/stages/define-pipeline.ts'
import type { Stage } from '../../../../src/stages/placed.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { trim } from '../../../../src/stages/runner/trim.ts'
import { defineStage, pass } from '../../../../src/stages/stage.ts'
import { Oracle } from '../../../support/oracle.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { openStages, runInTwoLoops } from '../../../support/running-stages.ts'
import { definitions, shipped as pipeline } from '../../../support/stages.ts'
import { expectUsers } from '../../../support/state.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const signal = new AbortController().signal
const config = readConfig({ BLOCK_MS: '50', CLAIM_IDLE_MS: '300' })

const open = () => openStages(config)

/** Orders of users with names that break careless code among them, and some that are refused. */
function bodyOf(id: number, users: number): string {
  const user = ['__proto__', '😀', 'a\u0000b', '*', '[x]', '0'][id % users] ?? `user_${id % users}`
  return id % 50 === 49 ? 'no json' : JSON.stringify({ user_id: user, order_id: `${id}`, order_value: (id % 97) / 4 })
}

async function send(
  { redis, keys }: PartitionScope,
  oracle: Oracle,
  users: number,
  from: number,
  to: number,
): Promise<void> {
  for (let first = from; first < to; first += 10) {
    const records = Array.from({ length: 10 }, (_, at) => ({ id: `m${first + at}`, body: bodyOf(first + at, users) }))
    for (const { body } of records) oracle.take(body)
    await enqueue(redis, keys, records)
  }
}

async function worked({ redis }: PartitionScope, { admitted }: Oracle): Promise<void> {
  const ranked = () => redis.hget('pipeline:counters', 'ranked')
  await until('all to be ranked', ranked, (count) => Number(count ?? 0) === admitted)
}

/** Sends until it is enough and all is ranked, and is some hundred orders ahead of the stages: they never stand still. */
async function feed(
  scope: PartitionScope,
  oracle: Oracle,
  users: number,
  { from, isEnough }: { from: number; isEnough: (sent: number) => boolean },
): Promise<void> {
  const ranked = () => scope.redis.hget('pipeline:counters', 'ranked')
  for (let sent = from; !isEnough(sent); sent += 250) {
    await send(scope, oracle, users, sent, sent + 250)
    await until('few to wait', ranked, (count) => Number(count ?? 0) > oracle.admitted - 500)
  }
  await worked(scope, oracle)
}

async function settled(scope: PartitionScope, orders: number, users: number): Promise<Oracle> {
  const oracle = new Oracle()
  await send(scope, oracle, users, 0, orders)
  await using _ = runInTwoLoops(scope)
  await worked(scope, oracle)
  return oracle
}

const right = { verdict: 'right', wrongUsers: 0, undecidedUsers: 0, differences: [] }

test('an empty system is right, and is right after a repair', async (context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope: app, redis } = world
  expect(await deepCheck(app, signal)).toMatchObject({ ...right, users: 0 })
  await redis.zadd('leaderboard:spend', 5, 'stranger')
  expect(await deepCheck(app, signal)).toMatchObject({ verdict: 'wrong', wrongUsers: 1 })
  expect(await repair(app, signal)).toMatchObject({ users: 0 })
  expect(await deepCheck(app, signal)).toMatchObject({ ...right, users: 0 })
  await redis.flushdb() // no stream, no group
  expect(await deepCheck(app, signal)).toMatchObject({ ...right, users: 0 })
  expect((await redis.keys('*')).sort()).toEqual([])
})

test('users, global stats and leaderboards of a settled system are the same to the cent', async (context) => {
  requireRealRedis(context)
  await using world = await open()
  const oracle = await settled(world.scope, 200, 40)
  const sum = { orders: BigInt(oracle.admitted), minor: oracle.cents }
  expect(await deepCheck(world.scope, signal)).toMatchObject({
    ...right,
    users: oracle.users.size,
    sums: { users: sum, global: sum, leaderboards: sum },
  })
})

const wrong: [what: string, how: (redis: Redis) => Promise<unknown>, users: string[]][] = [
  ['a score that is too high', (redis) => redis.zincrby('leaderboard:spend', 1, '😀'), ['😀']],
  ['a score that is too low', (redis) => redis.zincrby('leaderboard:orders', -1, '__proto__'), ['__proto__']],
  ['a score with a fraction', (redis) => redis.zincrby('leaderboard:spend', 0.5, '0'), ['0']],
  ['a score without an end', (redis) => redis.zadd('leaderboard:spend', '+inf', '0'), ['0']],
  ['a member that is missing', (redis) => redis.zrem('leaderboard:spend', '[x]', 'user_9'), ['[x]', 'user_9']],
  ['a member too many', (redis) => redis.zadd('leaderboard:orders', 0, 'stranger'), ['stranger']],
  ['a leaderboard that is gone', (redis) => redis.del('leaderboard:orders'), []],
  ["a user's hash that was raised", (redis) => redis.hincrby('user:*', 'order_count', 1), ['*']],
  ["a user's hash that was lowered", (redis) => redis.hincrby('user:a\u0000b', 'total_spend_minor', -1), ['a\u0000b']],
  ["a user's hash that is gone", (redis) => redis.del('user:user_7'), ['user_7']],
  ['global orders that were changed', (redis) => redis.hincrby('global:stats', 'total_orders', 3), []],
  ['global revenue that was changed', (redis) => redis.hincrby('global:stats', 'total_revenue_minor', -1), []],
  ['global stats that are gone', (redis) => redis.del('global:stats'), []],
  ['a global total that is no number', (redis) => redis.hset('global:stats', 'total_revenue_minor', 'abc'), []],
]

test.for(wrong)('%s is found, and fixed by the users', async ([what, tamper, users], context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope: app, redis } = world
  await settled(app, 60, 12)
  await tamper(redis)
  const found = await deepCheck(app, signal)
  expect(found.verdict).toBe('wrong')
  expect(found.differences.length).toBeGreaterThan(0)
  const all = what === 'a leaderboard that is gone'
  if (!all) expect(found.examples.map(({ user_id }) => user_id).sort()).toEqual(users.sort())
  expect(found.wrongUsers).toBe(all ? 12 : users.length)
  await repair(app, signal)
  expect(await deepCheck(app, signal)).toMatchObject(right)
  expect(await redis.keys('*rebuilt*')).toEqual([])
  expect(await redis.ttl('leaderboard:spend')).toBe(-1)
})

test.for([
  { users: 40, orders: 5_000 },
  { users: 2_500, orders: 6_000 }, // more than a page of a scan, which has 1,000
])('everything balances at every moment while all stages work: $users users', async ({ users, orders }, context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope: app } = world
  const oracle = new Oracle()
  await send(app, oracle, users, 0, 1_000)
  await using _ = runInTwoLoops(app)
  let working = true
  let audits = 0
  const isEnough = (sent: number): boolean => sent >= orders && audits >= 3
  const done = feed(app, oracle, users, { from: 1_000, isEnough }).finally(() => {
    working = false
  })
  for (; working; audits++) expect(await deepCheck(app, signal)).toMatchObject(right)
  await done
  expect(audits).toBeGreaterThan(2)
  const sum = { orders: BigInt(oracle.admitted), minor: oracle.cents }
  const sums = { users: sum, global: sum, leaderboards: sum }
  expect(await deepCheck(app, signal)).toMatchObject({ ...right, users: oracle.users.size, sums })
  await expectUsers(world.redis, oracle)
})

test('leaderboards and global stats are repaired while all stages work, again and again, and end exact', async (context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope: app, redis } = world
  const oracle = new Oracle()
  await send(app, oracle, 2_000, 0, 2_000)
  await using _ = runInTwoLoops(app)
  let working = true
  let repairs = 0
  const isEnough = (sent: number): boolean => sent >= 6_000 && repairs >= 2
  const done = feed(app, oracle, 2_000, { from: 2_000, isEnough }).finally(() => {
    working = false
  })
  for (; working; repairs++) {
    await redis.zincrby('leaderboard:spend', 1_000_000, 'user_77')
    await redis.zrem('leaderboard:orders', 'user_99', '__proto__')
    await redis.zadd('leaderboard:spend', 5, 'stranger')
    await redis.hincrby('global:stats', 'total_orders', 7)
    await redis.hincrby('global:stats', 'total_revenue_minor', -7)
    await repair(app, signal)
    expect(await deepCheck(app, signal)).toMatchObject(right)
  }
  await done
  expect(repairs).toBeGreaterThan(1)
  await expectUsers(world.redis, oracle)
})

test('users whose records wait for a leaderboard that stands still are undecided; what is wrong is reported all the same', async (context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope: app, redis } = world
  const oracle = await settled(app, 60, 12)
  const [validate, aggregate] = pipeline.stages as [Stage, Stage]
  {
    await using _ = runInTwoLoops(app, [validate, aggregate])
    await send(app, oracle, 12, 600, 610) // users 0 to 9
    const applied = () => redis.hget('pipeline:counters', 'applied')
    await until('all to be counted', applied, (count) => Number(count) === oracle.admitted)
  }
  const found = await deepCheck(app, signal)
  const stalled =
    '10 users could not be compared: the leaderboard has stalled before records of theirs. Start it, and run it again.'
  const undecided = { verdict: 'undecided', wrongUsers: 0, undecidedUsers: 10, differences: [stalled] }
  expect(found).toMatchObject(undecided)
  await redis.xreadgroup('GROUP', 'leaderboard', 'dead', 'STREAMS', 'orders:counted', '>')
  expect(await deepCheck(app, signal)).toEqual(found)

  await redis.zincrby('leaderboard:spend', 1e9, 'user_6') // a correction that waits may lower it
  await redis.zincrby('leaderboard:spend', -1, 'user_11') // nothing waits for it
  expect(await deepCheck(app, signal)).toMatchObject({ verdict: 'wrong', wrongUsers: 1, undecidedUsers: 10 })
  await repair(app, signal) // has what waits, too
  expect(await deepCheck(app, signal)).toMatchObject(right)
  await using _ = runInTwoLoops(app)
  await worked(app, oracle)
  await expectUsers(world.redis, oracle)
})

/** The client with something done before each call of a command. */
function before(redis: Redis, command: string, act: (args: unknown[]) => Promise<unknown>): Redis {
  return new Proxy(redis, {
    get: (target, name) => {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      if (name !== command) return value.bind(target)
      return async (...args: unknown[]) => {
        await act(args)
        return Reflect.apply(value, target, args)
      }
    },
  })
}

test('a gap in what came by is noticed: it starts over, and after three times it says that it could not decide', async (context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope: app, redis } = world
  await settled(app, 200, 12)
  let gaps = 0
  const trimmed = (most: number) =>
    before(redis, 'scan', async () => {
      // As if an entry had come and been trimmed before it was read.
      if (gaps++ < most)
        await redis.multi().hincrby('pipeline:counters', 'applied', 1).hincrby('pipeline:counters', 'ranked', 1).exec()
    })
  expect(await deepCheck({ ...app, redis: trimmed(2) }, signal)).toMatchObject(right)
  gaps = 0
  const undecided = await deepCheck({ ...app, redis: trimmed(3) }, signal)
  expect(undecided).toMatchObject({
    verdict: 'undecided',
    differences: [expect.stringMatching(/^The check could not be completed: /)],
  })
  gaps = 0
  await expect(repair({ ...app, redis: trimmed(3) }, signal)).rejects.toMatchObject({ code: 'ORD_REDIS_REPLY' })
})

test('what an onlooker has not read is not trimmed, and is when it has ended', async (context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope: app, redis } = world
  const oracle = await settled(app, 200, 12)
  const trimmed = async (): Promise<number> => {
    for (const stage of pipeline.stages) await trim(app, stage)
    return redis.xlen('orders:counted')
  }
  expect(await trimmed()).toBe(0)
  {
    await using tail = await openCountedFeed(app, signal)
    expect(await redis.pttl('pipeline:trim-hold')).toBeGreaterThan(0)
    await redis.pexpire('pipeline:trim-hold', 60_000) // it may run out before the work below is done
    await send(app, oracle, 12, 200, 400)
    {
      await using _ = runInTwoLoops(app)
      await worked(app, oracle)
    }
    expect(await trimmed()).toBeGreaterThan(0)
    let records = 0
    const moment = await tail.now(() => records++)
    expect(moment?.applied).toBe(BigInt(oracle.admitted))
    expect(records).toBeGreaterThan(0)
    expect(await redis.pttl('pipeline:trim-hold')).toBeGreaterThan(0)
  }
  expect(await trimmed()).toBe(0)
})

test('an onlooker that has not gone on for a thousand entries holds no more', async (context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope: app, redis } = world
  const put = async (count: number): Promise<void> => {
    const asked = redis.pipeline()
    for (let i = 0; i < count; i++) asked.xadd('orders:counted', '*', 'foreign', '1')
    await asked.exec()
    await redis.xgroup('SETID', 'orders:counted', 'leaderboard', '$')
    await redis.del('pipeline:committed:leaderboard') // as before the first commit: the group is taken at its word
  }
  const leaderboard = pipeline.stages.find(({ from }) => from === 'counted') as (typeof pipeline.stages)[number]
  await redis.set('pipeline:trim-hold', '0-0') // for ever
  await put(1_000)
  while ((await redis.zscore('pipeline:committed:leaderboard', 'begun')) === null) await trim(app, leaderboard)
  expect(await redis.xlen('orders:counted')).toBe(1_000)
  await put(1)
  while ((await redis.zscore('pipeline:committed:leaderboard', 'begun')) === null) await trim(app, leaderboard)
  expect(await redis.xlen('orders:counted')).toBe(0)
})

test('a repair that is killed before any of its writes has set only what is right, and can be run again', async (context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope: app, redis } = world
  const oracle = await settled(app, 60, 12)
  const right = Number(await redis.hget('global:stats', 'total_orders'))
  for (let writes = 0, killed = true; killed; writes++) {
    await redis.hincrby('global:stats', 'total_orders', -3)
    await redis.zincrby('leaderboard:spend', 1, 'user_7')
    let left = writes
    const dying = before(app.redis, 'evalsha', async () => {
      if (left-- <= 0) throw new Error('killed')
    })
    killed = await repair({ ...app, redis: dying }, signal).then(
      () => false,
      ({ message }: Error) => message === 'killed',
    )
    expect([right - 3, right]).toContain(Number(await redis.hget('global:stats', 'total_orders')))
    if (killed) await repair(app, signal)
    else expect(writes).toBeGreaterThan(1)
    await expectUsers(redis, oracle)
  }
})

test('a repair adds what it found once, even if another one comes between the comparison and the write', async (context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope: app, redis } = world
  const oracle = await settled(app, 60, 12)
  await redis.hincrby('global:stats', 'total_orders', -3)
  let others = 0
  const late = before(app.redis, 'evalsha', async () => {
    if (others++ === 0) await repair(app, signal)
  })
  await repair({ ...app, redis: late }, signal)
  await expectUsers(redis, oracle)
})

test('what is counted between the comparison and the write stays counted, and is ranked', async (context) => {
  requireRealRedis(context)
  await using world = await open()
  const { scope: app, redis } = world
  const oracle = await settled(app, 60, 12)
  const [validate, aggregate] = pipeline.stages as [Stage, Stage]
  let between = 0
  const late = before(app.redis, 'evalsha', async () => {
    if (between++ > 0) return
    await using _ = runInTwoLoops(app, [validate, aggregate])
    await send(app, oracle, 12, 600, 620)
    const applied = () => redis.hget('pipeline:counters', 'applied')
    await until('all to be counted', applied, (count) => Number(count) === oracle.admitted)
  })
  await redis.hincrby('global:stats', 'total_orders', -3)
  await redis.del('leaderboard:spend', 'leaderboard:orders')
  await repair({ ...app, redis: late }, signal)
  await expectUsers(redis, oracle) // before the leaderboard has seen them
})

/** Between aggregate and leaderboard: it passes on all totals. */
const checked = defineStage({
  name: 'checked',
  takes: userTotals,
  passes: { channel: 'checked', record: userTotals },
  counts: 'checked',
  decide: (totals) => pass({ effects: [], emit: totals }),
})
const withChecked = definePipeline([definitions.validate, definitions.aggregate, checked, definitions.leaderboard])

test('with a stage between aggregate and leaderboard, what waits for either of them is not wrong', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const scope = appOn(world.redis, config, { pipeline: withChecked })
  await ensureGroups(scope)
  const oracle = new Oracle()
  await send(scope, oracle, 7, 0, 20)
  const countOf = (name: string) => async () => Number(await world.redis.hget('pipeline:counters', name))
  const [validate, aggregate, between, board] = withChecked.stages as [Stage, Stage, Stage, Stage]
  for (const [stages, counter] of [
    [[validate, aggregate], 'applied'],
    [[between], 'checked'],
  ] as const) {
    await using _ = runInTwoLoops(scope, stages)
    await until(`all to be ${counter}`, countOf(counter), (count) => count === oracle.admitted)
    const found = await deepCheck(scope, signal)
    expect(found).toMatchObject({ verdict: 'undecided', wrongUsers: 0, undecidedUsers: 7 })
  }
  await using _ = runInTwoLoops(scope, [board])
  await worked(scope, oracle)
  expect(await deepCheck(scope, signal)).toMatchObject(right)
  await world.redis.del('leaderboard:spend')
  await repair(scope, signal)
  await expectUsers(world.redis, oracle)
})
