import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { App } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { openQueues } from '../../../../src/control/job-queues.ts'
import { holdLock } from '../../../../src/control/lock.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { type Keys, makeControlKeys, makePartitions } from '../../../../src/keys.ts'
import { checkCalendar } from '../../../../src/ops/calendar/check.ts'
import type { Repartition } from '../../../../src/ops/manifest/repartition.ts'
import { repartition } from '../../../../src/ops/repartition/phases.ts'
import { textOf } from '../../../../src/ops/terminal/output.ts'
import { verificationLines } from '../../../../src/ops/terminal/verification-text.ts'
import { verify } from '../../../../src/ops/verify/verification.ts'
import { partitionFor } from '../../../../src/partitions.ts'
import { readCounters, waitingFor } from '../../../../src/reads/counters.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { trim } from '../../../../src/stages/runner/trim.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { withCalendar as pipeline, shipped } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const { signal } = new AbortController()
const dayMs = 86_400_000

function partitioned(redis: Redis, count: number): App {
  const partitions = makePartitions(count)
  const config = readConfig({ BLOCK_MS: '20', START_WAIT_MS: '0', CALENDAR_KEEP: 'days:60', LEDGER_BUCKETS: '64' })
  const keys = partitions[0] as Keys
  return appOn(redis, config, { pipeline, partitions, control: makeControlKeys(partitions), keys })
}

/** Sends orders of 40 users and the last 30 days, takes every seventh back today, and has them processed. */
async function fill(app: App, count: number): Promise<void> {
  const { pipeline } = app
  const scopes = app.partitions.map((keys) => ({ ...app, keys }))
  for (const scope of scopes) await ensureGroups(scope)
  const stop = new AbortController()
  const running = scopes.flatMap((scope) =>
    pipeline.stages.map((stage) => runStage(scope, stage, () => {}, stop.signal)),
  )
  const send = async (orders: readonly { readonly user_id: string; readonly [name: string]: unknown }[]) => {
    const received = (await readCounters(app.redis, app.partitions))['received'] ?? 0
    for (const [at, order] of orders.entries()) {
      const record = { id: `m${received + at}`, body: JSON.stringify(order) }
      await enqueue(app.redis, partitionFor(app.partitions, order.user_id), [record])
    }
    await until('all to be processed', async () => {
      const counters = await readCounters(app.redis, app.partitions)
      const isDone = pipeline.stages.every((stage) => waitingFor(stage, counters) === 0)
      return counters['received'] === received + orders.length && isDone
    })
  }
  const now = Date.now()
  const orders = Array.from({ length: count }, (_, at) => ({
    user_id: `u${at % 40}`,
    order_id: `${count}-${at}`,
    order_value: 1 + at / 4,
    order_timestamp: at % 50 === 0 ? 'unknown' : now - (at % 31) * dayMs,
  }))
  await send(orders)
  await send(
    orders
      .filter((_, at) => at % 7 === 0)
      .map(({ user_id, order_id }) => ({ event: 'order.cancelled', user_id, order_id, order_timestamp: now })),
  )
  stop.abort()
  await Promise.all(running)
  for (const scope of scopes) for (const stage of pipeline.stages) await trim(scope, stage, { thorough: true })
}

/** Reads what the calendar holds, over all partitions, and that nothing of it is for ever. */
async function contents(redis: Redis, { partitions }: App): Promise<object> {
  const days: Record<string, number> = {}
  const users: Record<string, unknown> = {}
  const boards: Record<string, string[]> = {}
  for (const keys of partitions) {
    const own = (name: string): string => name.slice(keys.day('').length - 'day:'.length)
    const names = await redis.keys(`${keys.day('').slice(0, -'day:'.length)}*`)
    for (const name of names.filter((one) => /^(day:|monthly:|leaderboard:\d)/.test(own(one)))) {
      expect(await redis.ttl(name), name).toBeGreaterThan(0)
      if (own(name).startsWith('leaderboard:'))
        boards[own(name)] = [...(boards[own(name)] ?? []), ...(await redis.zrange(name, '0', '-1', 'WITHSCORES'))]
      else if (own(name).startsWith('monthly:')) {
        const userId = own(name).slice('monthly:2026-11:'.length)
        expect(partitionFor(partitions, userId)).toBe(keys)
        users[own(name)] = await redis.hgetall(name)
      } else {
        for (const [field, value] of Object.entries(await redis.hgetall(name)))
          days[`${own(name)} ${field}`] = (days[`${own(name)} ${field}`] ?? 0) + Number(value)
      }
    }
  }
  return {
    days,
    users,
    boards: Object.fromEntries(Object.entries(boards).map(([name, flat]) => [name, pairsOf(flat)])),
  }
}

const pairsOf = (flat: readonly string[]): string[] =>
  flat.flatMap((user, at) => (at % 2 === 0 ? [`${user} ${flat[at + 1]}`] : [])).sort()

async function moved(redis: Redis, from: number, to: number): Promise<App> {
  await using queues = openQueues(redis)
  await using lock = await holdLock(redis, () => {}, signal)
  const begun: Repartition = { id: `${from} to ${to}`, from, to, phase: 'drain', queues: [] }
  const app = partitioned(redis, from)
  await repartition({ app, queues, lock, timeoutMs: 60_000, force: false, print: () => {} }, begun, signal)
  return partitioned(redis, to)
}

test('from eight to three partitions the calendar is as it was, and adds up to the totals', async () => {
  await using world = await emptyRedis()
  const before = partitioned(world.redis, 8)
  await fill({ ...before, pipeline: shipped }, 40) // the calendar begins on a system with orders
  await fill(before, 150)
  const had = await contents(world.redis, before)
  expect(Object.keys((had as { days: object }).days).length).toBeGreaterThan(60)
  const { totals } = await checkCalendar(before, 'check', signal)
  expect(totals).toMatchObject({ missing: { orders: 0n, minor: 0n }, start: { before: { orders: 34n } } })
  const after = await moved(world.redis, 8, 3)
  expect(await contents(world.redis, after)).toEqual(had)
  const right = { verdict: 'right', scores: 0, differences: [], totals }
  expect(await checkCalendar(after, 'check', signal)).toMatchObject(right)
  for (const keys of before.partitions.slice(3)) {
    expect(await world.redis.keys(`${keys.day('').slice(0, -4)}*`)).toEqual([keys.layoutKey])
  }
})

test('verify --deep finds scores that are not those of the users, and --repair sets them', async () => {
  await using world = await emptyRedis()
  const app = partitioned(world.redis, 2)
  await fill(app, 100)
  const had = await contents(world.redis, app)
  const options = { deep: true, repair: false, force: false }
  expect(await verify(app, options, signal)).toMatchObject({
    verdict: 'right',
    calendar: { verdict: 'right', scores: 0 },
  })
  const today = app.format.calendar.dayAt(Date.now())
  const { week, month } = app.format.calendar.periodsAt(today)
  const [keys] = app.partitions as [Keys]
  const [ranked = ''] = await app.redis.zrange(keys.periodBoard(month.name, 'spend'), '0', '0')
  await world.redis.zincrby(keys.periodBoard(month.name, 'spend'), 5, ranked)
  await world.redis.zrem(keys.periodBoard(month.name, 'orders'), ranked)
  await world.redis.zadd(keys.periodBoard(week.name, 'orders'), 3, 'unknown')
  const found = await verify(app, options, signal)
  expect(found).toMatchObject({
    verdict: 'wrong',
    audit: { verdict: 'right' },
    calendar: { verdict: 'wrong', scores: 3 },
  })
  expect(found.calendar?.differences).toEqual([
    expect.stringMatching(/^3 scores of days, weeks or months are not those of their users: /),
  ])
  const repaired = await verify(app, { ...options, repair: true }, signal)
  expect(repaired).toMatchObject({ verdict: 'right', calendarRepaired: 3, calendar: { verdict: 'right', scores: 0 } })
  expect(await contents(world.redis, app)).toEqual(had)
})

test('verify --deep finds a day that its users do not add up to, and --repair sets it by them', async () => {
  await using world = await emptyRedis()
  const app = partitioned(world.redis, 2)
  await fill(app, 100)
  const today = app.format.calendar.dayAt(Date.now())
  await app.redis.hincrby((app.partitions[1] as Keys).day(today), 'revenue', 1)
  const { verdict, scores, differences } = await checkCalendar(app, 'check', signal)
  expect([verdict, scores]).toEqual(['wrong', 0])
  expect(differences).toEqual([
    expect.stringMatching(new RegExp(`^The users' orders of ${today} add up to .+; the day says .+\\.$`)),
    expect.stringMatching(/^Partition 1: The days of \S+ add up to .+; the calendar has counted .+\.$/),
  ])
  const repair = () => verify(app, { deep: true, repair: true, force: false }, signal)
  expect(await repair()).toMatchObject({ verdict: 'right', calendarRepaired: 1 })
  await app.redis.hset((app.partitions[1] as Keys).day(today), 'revenue', 'no number')
  expect(await repair()).toMatchObject({ verdict: 'right', calendarRepaired: 1 })
})

/** Sends orders and has them counted until it is disposed: of 40 users, on two days, and now and then of a new user. */
async function flowing(app: App): Promise<AsyncDisposable> {
  const stop = new AbortController()
  const scopes = app.partitions.map((keys) => ({ ...app, keys }))
  for (const scope of scopes) await ensureGroups(scope)
  const running = scopes.flatMap((scope) =>
    app.pipeline.stages.map((stage) => runStage(scope, stage, () => {}, stop.signal)),
  )
  const send = async (): Promise<void> => {
    for (let at = 0; !stop.signal.aborted; at++) {
      const user_id = at % 100 === 99 ? `new${at}` : `u${at % 40}`
      const order = {
        user_id,
        order_id: `flow-${at}`,
        order_value: 1 + at,
        order_timestamp: Date.now() - (at % 2) * dayMs,
      }
      await enqueue(app.redis, partitionFor(app.partitions, user_id), [{ id: `f${at}`, body: JSON.stringify(order) }])
    }
  }
  const sending = send()
  const counted = async () => (await readCounters(app.redis, app.partitions))['dated'] ?? 0
  const before = await counted()
  await until('orders to flow', async () => (await counted()) > before + 50)
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await Promise.all([sending, ...running])
    },
  }
}

test('the days are compared exactly while orders flow: right where they are, wrong where one is', async (context) => {
  requireRealRedis(context) // the emulator, which is in this process, counts nothing while it runs a script of the check
  await using world = await emptyRedis()
  const app = partitioned(world.redis, 2)
  await fill(app, 100)
  await using _ = await flowing(app)
  for (let times = 0; times < 5; times++) {
    const { verdict, differences, notes } = await checkCalendar(app, 'check', signal)
    expect({ verdict, differences, notes }).toEqual({ verdict: 'right', differences: [], notes: [] })
  }
  const today = app.format.calendar.dayAt(Date.now())
  await app.redis.hincrby((app.partitions[1] as Keys).day(today), 'revenue', 1)
  const { verdict, differences } = await checkCalendar(app, 'check', signal)
  expect(verdict).toBe('wrong')
  expect(differences[0]).toMatch(new RegExp(`^The users' orders of ${today} add up to .+; the day says .+\\.$`))
})

test('a day with more users than are read at one moment is not compared while orders flow, and verify says what to do', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const app = partitioned(world.redis, 1)
  await using _ = await flowing(app)
  const [keys] = app.partitions as [Keys]
  const today = app.format.calendar.dayAt(Date.now())
  const write = world.redis.pipeline()
  for (let at = 0; at <= 5_000; at++)
    write.hset(keys.monthly(today.slice(0, 7), `idle${at}`), `${today.slice(8)}:orders`, 0)
  await write.exec()
  const found = await verify(app, { deep: true, repair: false, force: false }, signal)
  expect(found).toMatchObject({ verdict: 'undecided', calendar: { verdict: 'undecided', differences: [] } })
  const text = verificationLines(found, app)
    .map((line) => textOf(line))
    .join('\n')
  expect(text).toMatch(/\n(The day \S+ was|2 days .+ were) not compared .+\. For that: orders pause calendar, /)
  expect(text).toMatch(/\nNothing wrong was found, but not all of the calendar could be compared: see above\.\n*$/)
})
