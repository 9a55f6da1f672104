import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { App } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { type Keys, makeControlKeys, makePartitions } from '../../../../src/keys.ts'
import { adoptBooks } from '../../../../src/ops/adopt/books.ts'
import { checkCalendar } from '../../../../src/ops/calendar/check.ts'
import { readDatedTotals } from '../../../../src/ops/calendar/totals.ts'
import { clearOld } from '../../../../src/ops/repartition/clear.ts'
import type { Move } from '../../../../src/ops/repartition/move.ts'
import { moveMonths, sumCalendarBooks, sumDays, writeCalendar } from '../../../../src/ops/repartition/move-calendar.ts'
import { moveUsers, sumUsers } from '../../../../src/ops/repartition/move-users.ts'
import { writeBooks } from '../../../../src/ops/repartition/write-books.ts'
import { textOf } from '../../../../src/ops/terminal/output.ts'
import { verificationLines } from '../../../../src/ops/terminal/verification-text.ts'
import { acknowledge } from '../../../../src/ops/verify/acknowledge.ts'
import { verificationOf, verificationReply } from '../../../../src/ops/verify/reply.ts'
import { verify } from '../../../../src/ops/verify/verification.ts'
import type { Sum } from '../../../../src/order/money.ts'
import { partitionFor } from '../../../../src/partitions.ts'
import { readBooks } from '../../../../src/reads/books.ts'
import { readCounters, waitingFor } from '../../../../src/reads/counters.ts'
import { leaveCalendar } from '../../../../src/stages/layout/leave.ts'
import { rewire } from '../../../../src/stages/layout/rewire.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { trim } from '../../../../src/stages/runner/trim.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { shipped, withCalendar } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const { signal } = new AbortController()
const dayMs = 86_400_000

function openOn(redis: Redis, count: number, more: Partial<App> = {}): App {
  const partitions = makePartitions(count)
  const config = readConfig({ BLOCK_MS: '20', START_WAIT_MS: '0', LEDGER_BUCKETS: '64', CLAIM_IDLE_MS: '300' })
  const keys = partitions[0] as Keys
  return appOn(redis, config, {
    pipeline: withCalendar,
    partitions,
    control: makeControlKeys(partitions),
    keys,
    ...more,
  })
}

/** Runs stages in every partition until all that came is processed, or until some other condition. */
async function work(app: App, names = app.pipeline.names): Promise<void> {
  await rewire(app)
  const stop = new AbortController()
  const stages = app.pipeline.stages.filter(({ name }) => names.includes(name))
  const running = app.partitions.flatMap((keys) =>
    stages.map((stage) => runStage({ ...app, keys }, stage, () => {}, stop.signal)),
  )
  try {
    await until('all to be processed', async () => {
      const counters = await readCounters(app.redis, app.partitions)
      return stages.every((stage) => waitingFor(stage, counters) === 0)
    })
  } finally {
    stop.abort()
    await Promise.all(running)
  }
}

/** Removes what every stage of the pipeline has processed, as its stages do now and then. */
async function trimAll(app: App): Promise<void> {
  for (const keys of app.partitions) {
    for (const stage of app.pipeline.stages) await trim({ ...app, keys }, stage, { thorough: true })
  }
}

let sent = 0
const send = async (app: App, ...all: readonly { readonly user_id: string; readonly [name: string]: unknown }[]) => {
  for (const order of all) {
    const record = { id: `m${++sent}`, body: JSON.stringify(order) }
    await enqueue(app.redis, partitionFor(app.partitions, order.user_id), [record])
  }
}
const orders = (from: number, count: number) =>
  Array.from({ length: count }, (_, at) => ({
    user_id: `u${(from + at) % 7}`,
    order_id: `o${from + at}`,
    order_value: (100 + from + at) / 100,
    order_timestamp: Date.now() - (at % 20) * dayMs,
  }))
const minorOf = (from: number, count: number): bigint =>
  BigInt(Array.from({ length: count }, (_, at) => 100 + from + at).reduce((sum, one) => sum + one, 0))
const cancelled = ({ user_id, order_id }: ReturnType<typeof orders>[number]) => ({
  event: 'order.cancelled',
  user_id,
  order_id,
})

const right = {
  verdict: 'right',
  scores: 0,
  differences: [],
  totals: { missing: { orders: 0n, minor: 0n }, months: [] },
}

test('on a system with orders the calendar says what came before, however far each stage is', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = openOn(world.redis, 2)
  const chain = { ...app, pipeline: shipped }
  const old = orders(0, 30)
  await send(app, ...old)
  await work(chain)
  await trimAll(chain)
  // Five wait for aggregate when the calendar begins, and a correction of an order that was counted before.
  await send(app, ...orders(30, 5), cancelled(old[0] as (typeof old)[number]))
  await work(chain, ['validate'])
  await work(app, ['calendar'])
  const before = { orders: 30n, minor: minorOf(0, 30) }
  expect(await checkCalendar(app, 'check', signal)).toMatchObject({ ...right, totals: { start: { before } } })
  await work(app, ['aggregate'])
  await send(app, ...orders(35, 5))
  await work(app, ['validate', 'aggregate'])
  expect(await checkCalendar(app, 'check', signal)).toMatchObject({ ...right, totals: { start: { before } } })
  await work(app)
  const found = await verify(app, { deep: true, repair: false, force: false }, signal)
  expect(found).toMatchObject({ verdict: 'right', calendar: { ...right, totals: { start: { before } } } })
  expect(verificationReply.parse(verificationOf(found, app.format.money)).calendar).toEqual({
    ...{ verdict: 'right', wrong_scores: 0, since: expect.any(String), differences: [], notes: [expect.any(String)] },
    before: { orders: 30, revenue_minor: 3_435 },
    ...{ days: { orders: 9, revenue_minor: Number(minorOf(30, 10)) - 100 }, missing: { orders: 0, revenue_minor: 0 } },
  })
  expect(found.calendar?.totals.inDays).toEqual({ orders: 9n, minor: minorOf(30, 10) - 100n })
  expect(
    verificationLines(found, app)
      .map((line) => textOf(line))
      .join('\n'),
  ).toMatch(/30 orders and 34.35 were counted before the calendar began at \d{4}-.+Z, and are in no day\./)
})

test('with CALENDAR=off it leaves the stream; back again it says what it has missed, and counts on', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = openOn(world.redis, 1)
  const off = openOn(world.redis, 1, {
    pipeline: shipped,
    config: readConfig({ CALENDAR: 'off', BLOCK_MS: '20', LEDGER_BUCKETS: '64', CLAIM_IDLE_MS: '300' }),
  })
  await send(app, ...orders(0, 10))
  await work(app)
  await send(app, ...orders(10, 6))
  await work(off)
  await trimAll(off)
  const [keys] = app.partitions as [Keys]
  expect(await world.redis.xlen(keys.stream('valid'))).toBe(0)
  await work(app)
  const before = { orders: 6n, minor: minorOf(10, 6) }
  expect(await checkCalendar(app, 'check', signal)).toMatchObject({ ...right, totals: { start: { before } } })
  await send(app, ...orders(16, 3), cancelled(orders(0, 1)[0] as ReturnType<typeof orders>[number]))
  await work(app)
  const found = await checkCalendar(app, 'check', signal)
  const inDays = { orders: 12n, minor: minorOf(0, 10) + minorOf(16, 3) - 100n }
  expect(found).toMatchObject({ ...right, totals: { start: { before }, inDays } })
  const books = await readBooks(app)
  expect(books).toMatchObject({ balanced: true, losses: [], differences: [] })
  expect(books.stages.find(({ stage }) => stage === 'calendar')).toMatchObject({ passed: 14, missed: 6, lost: 0 })
})

test('with CALENDAR=off it leaves orders that aggregate has yet to count; back again it counts none of them twice', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = openOn(world.redis, 1)
  const [keys] = app.partitions as [Keys]
  await send(app, ...orders(0, 10))
  await work(app)
  await send(app, ...orders(10, 6))
  await work(app, ['validate', 'calendar'])
  const config = readConfig({ CALENDAR: 'off' })
  await leaveCalendar({ ...app, keys, pipeline: shipped, config })
  await send(app, ...orders(16, 3))
  await work({ ...app, pipeline: shipped }, ['validate'])
  await work(app)
  await trimAll(app)
  const inDays = { orders: 19n, minor: minorOf(0, 19) }
  const found = await checkCalendar(app, 'check', signal)
  expect(found).toMatchObject({ ...right, totals: { inDays, start: { before: { orders: 0n, minor: 0n } } } })
  expect(await readBooks(app)).toMatchObject({ balanced: true, losses: [], differences: [] })
})

test('a calendar that runs on after it was taken out can leave later', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = openOn(world.redis, 1)
  const [keys] = app.partitions as [Keys]
  await send(app, ...orders(0, 5))
  await work(app)
  const off = { ...app, keys, pipeline: shipped, config: readConfig({ CALENDAR: 'off' }) }
  await leaveCalendar(off)
  await ensureGroups({ ...app, keys }) // its process has only paused, and its loop begins again
  await leaveCalendar(off)
  expect(await world.redis.xinfo('GROUPS', keys.stream('valid'))).toHaveLength(1)
})

test('while a process runs the calendar, another one with CALENDAR=off leaves it there', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = openOn(world.redis, 1)
  const [keys] = app.partitions as [Keys]
  await rewire(app)
  await ensureGroups({ ...app, keys })
  await world.redis.xgroup('CREATECONSUMER', keys.stream('valid'), 'calendar', 'alive')
  const off = readConfig({ CALENDAR: 'off' })
  await leaveCalendar({ ...app, keys, pipeline: shipped, config: off })
  expect(await world.redis.hget(keys.stages, 'observer calendar')).toBe('valid')
  const quick = { ...off, claimIdleMs: 0 } // nothing counts as alive
  await leaveCalendar({ ...app, keys, pipeline: shipped, config: quick })
  expect(await world.redis.hexists(keys.stages, 'observer calendar')).toBe(0)
  expect(await world.redis.xinfo('GROUPS', keys.stream('valid'))).toHaveLength(1)
})

test('a month that expires is no difference; a day that another client changes is one', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = openOn(world.redis, 1)
  const [keys] = app.partitions as [Keys]
  await send(app, ...orders(0, 40))
  await work(app)
  const { calendar } = app.format
  const today = calendar.dayAt(Date.now())
  await world.redis.hincrby(keys.day(today), 'revenue', 1)
  const differences = async () => (await checkCalendar(app, 'check', signal)).differences.join()
  expect(await differences()).toMatch(/The days of \S+ add up to .+; the calendar has counted/)
  const repaired = await verify(app, { deep: true, repair: true, force: false }, signal)
  expect(repaired).toMatchObject({ verdict: 'right', calendarRepaired: 1 })
  await world.redis.del(keys.day(today))
  expect(await verify(app, { deep: true, repair: true, force: false }, signal)).toMatchObject({ verdict: 'right' })
  expect(await world.redis.ttl(keys.day(today))).toBeGreaterThan(0)
  expect(await differences()).toBe('')
  // Two years later all of it has expired.
  const later = { ...app, now: () => new Date(Date.now() + 26 * 31 * dayMs) }
  const names = await world.redis.keys('{p0}:day:*')
  await world.redis.del(...names, ...(await world.redis.keys('{p0}:monthly:*')))
  await world.redis.del(...(await world.redis.keys('{p0}:leaderboard:2*')))
  expect(await checkCalendar(later, 'check', signal)).toMatchObject({ ...right, totals: { inDays: { orders: 40n } } })
  // The same by a CALENDAR_KEEP that was raised after they had expired.
  const nextMonth = { ...app, now: () => new Date(Date.now() + 32 * dayMs) }
  expect(await checkCalendar(nextMonth, 'check', signal)).toMatchObject({ differences: [] })
  await send(app, ...orders(40, 4))
  await work(later, ['validate', 'aggregate', 'calendar'])
  expect(await checkCalendar(later, 'check', signal)).toMatchObject({ ...right, totals: { inDays: { orders: 44n } } })
})

test('two repairs at once add once what a day lacks', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = openOn(world.redis, 1)
  const [keys] = app.partitions as [Keys]
  await send(app, ...orders(0, 4))
  await work(app)
  const day = app.format.calendar.dayAt(Date.now())
  await world.redis.hincrby(keys.day(day), 'orders', -1)
  const repair = async (): Promise<number> => (await checkCalendar(app, 'set', signal)).daysSet
  const set = await Promise.all([repair(), repair()])
  expect([...set, await repair()].sort()).toEqual([0, 0, 1])
  expect(await checkCalendar(app, 'check', signal)).toMatchObject(right)
})

test('at every moment the days and what came before add up to the totals', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = openOn(world.redis, 2)
  await send(app, ...orders(0, 20))
  await work({ ...app, pipeline: shipped })
  let sending = true
  const done = (async () => {
    for (let from = 20; from < 100; from += 20) {
      await send(app, ...orders(from, 20), ...orders(from - 20, 5).map(cancelled))
      await work(app, from % 40 === 0 ? ['validate', 'aggregate'] : undefined)
    }
    await work(app)
  })().finally(() => {
    sending = false
  })
  let checks = 0
  for (; sending; checks++) {
    expect(await readDatedTotals(app)).toMatchObject({ missing: { orders: 0n, minor: 0n }, months: [] })
  }
  await done
  expect(checks).toBeGreaterThan(5)
})

function moveOf({ redis, config, format, pipeline, partitions: from }: App, { partitions: to }: App): Move {
  const nothing = async (): Promise<void> => {}
  return { redis, config, format, pipeline, from, to, alive: nothing, durable: nothing }
}

/** Moves users and the calendar to another number of partitions, as a repartition does once nothing moves. */
async function repartitioned(app: App, to: number): Promise<App> {
  const after = openOn(app.redis as Redis, to)
  const { redis } = app
  const move = moveOf(app, after)
  const [days, books] = [await sumDays(move), await sumCalendarBooks(move)]
  const counters = await readCounters(redis, app.partitions)
  await moveUsers(move)
  await moveMonths(move)
  const sums: Sum[] = []
  for (const keys of after.partitions) sums.push(await sumUsers(move, keys))
  await writeBooks(move, counters, sums)
  for (const _ of ['killed', 'again']) await writeCalendar(move, days, books)
  await clearOld(move)
  return after
}

test('from three partitions to eight and back the days and what came before add up to the totals', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const three = openOn(world.redis, 3)
  await send(three, ...orders(0, 30))
  await work({ ...three, pipeline: shipped })
  await trimAll({ ...three, pipeline: shipped })
  await send(three, ...orders(30, 30), ...orders(0, 3).map(cancelled))
  await work(three)
  const { totals } = await checkCalendar(three, 'check', signal)
  expect(totals).toMatchObject({ ...right.totals, start: { before: { orders: 30n } }, inDays: { orders: 27n } })
  const eight = await repartitioned(three, 8)
  expect(await checkCalendar(eight, 'check', signal)).toMatchObject({ ...right, totals })
  await send(eight, ...orders(60, 20))
  await work(eight)
  const inDays = { orders: 47n, minor: totals.inDays.minor + minorOf(60, 20) }
  expect(await checkCalendar(eight, 'check', signal)).toMatchObject({ ...right, totals: { ...totals, inDays } })
  const again = await repartitioned(eight, 3)
  expect(await checkCalendar(again, 'check', signal)).toMatchObject({ ...right, totals: { ...totals, inDays } })
})

test('orders that are adopted after the calendar began came before it', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = openOn(world.redis, 1)
  const [keys] = app.partitions as [Keys]
  await send(app, ...orders(0, 5))
  await work(app)
  await world.redis.hset(keys.userStats('old'), { order_count: '3', total_spend_minor: '700' })
  await adoptBooks(moveOf(app, app))
  await work(app)
  const before = { orders: 3n, minor: 700n }
  expect(await checkCalendar(app, 'check', signal)).toMatchObject({ ...right, totals: { start: { before } } })
})

test('totals that the days do not add up to are found, and accepted by --acknowledge', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = openOn(world.redis, 2)
  const [, other] = app.partitions as [Keys, Keys]
  await send(app, ...orders(0, 30))
  await work(app)
  await world.redis.hincrby(other.calendarBooks, 'before:revenue', 5)
  const text = 'Since the calendar began the totals have 30 orders and 34.30 more; its days have 30 orders and 34.35.'
  expect(await checkCalendar(app, 'check', signal)).toMatchObject({ verdict: 'wrong', differences: [text] })
  // An order that the calendar has lost explains it: its amount is not known.
  await world.redis.hincrby(other.counters, 'calendar:lost', 1)
  expect(await checkCalendar(app, 'check', signal)).toMatchObject({
    ...{ verdict: 'right', differences: [] },
    notes: [
      expect.any(String),
      expect.stringContaining('34.35: 1 order was lost or rejected by aggregate or calendar.'),
    ],
  })
  await world.redis.hincrby(other.counters, 'calendar:lost', -1)
  await world.redis.hincrby(other.calendarBooks, `${app.format.calendar.dayAt(Date.now()).slice(0, 7)}:orders`, 2)
  const { differences } = await checkCalendar(app, 'check', signal)
  expect(differences).toHaveLength(2)
  expect((await acknowledge(app, signal)).days).toEqual(differences)
  expect(await checkCalendar(app, 'check', signal)).toMatchObject(right)
  expect((await acknowledge(app, signal)).days).toEqual([])
})
