import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../src/app.ts'
import { readConfig } from '../../../src/config/config.ts'
import { enqueue } from '../../../src/ingest/enqueue.ts'
import type { RawRecord } from '../../../src/messages.ts'
import { runStage } from '../../../src/stages/runner/run.ts'
import { withCalendar as pipeline } from '../../support/stages.ts'
import { until } from '../../support/until.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

const config = readConfig({
  REPORT_TIMEZONE: 'Europe/Berlin',
  CALENDAR_KEEP: 'days:9999,weeks:9999,months:2400',
  CALENDAR_OPEN_DAYS: '3650', // of the days below
  BLOCK_MS: '20',
  CLAIM_IDLE_MS: '1000',
})
const nowMs = Date.parse('2026-11-03T12:00:00Z')

/** Two processes that run all stages, until disposed. */
function runTwice(app: PartitionScope): AsyncDisposable {
  const stop = new AbortController()
  const running = ['one', 'other'].flatMap((instance) =>
    pipeline.stages.map((stage) => runStage({ ...app, instance }, stage, () => {}, stop.signal)),
  )
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await Promise.all(running)
    },
  }
}

const order = (at: number, user: string, cents: number, time?: string | number): RawRecord => ({
  id: `m${at}`,
  body: JSON.stringify({ user_id: user, order_id: `o${at}`, order_value: cents / 100, order_timestamp: time }),
})

const hourMs = 3_600_000
/** By hand: Berlin is two hours ahead of Greenwich until 01:00 there on October 25, then one. */
const dayOf = (ms: number): string =>
  new Date(ms + (ms < Date.parse('2026-10-25T01:00:00Z') ? 2 : 1) * hourMs).toISOString().slice(0, 10)
const weekOf = (day: string): string => (day < '2026-10-26' ? 'W43' : day < '2026-11-02' ? 'W44' : 'W45')

type Sums = Record<string, Record<string, number>>

/** Adds up from the messages alone what Redis must hold. */
function openOracle() {
  const hashes: Sums = {}
  const boards: Sums = {}
  const add = (sums: Sums, key: string, field: string, by: number): void => {
    const fields = sums[key] ?? {}
    sums[key] = fields
    fields[field] = (fields[field] ?? 0) + by
  }
  const count = (user: string, ms: number, orders: number, cents: number, more: Record<string, number> = {}): void => {
    const day = dayOf(ms)
    const week = weekOf(day)
    for (const [field, by] of Object.entries({ orders, revenue: cents, ...more })) add(hashes, `day:${day}`, field, by)
    for (const prefix of [`${day.slice(8)}:`, `${week}:`, '']) {
      add(hashes, `monthly:${day.slice(0, 7)}:${user}`, `${prefix}orders`, orders)
      add(hashes, `monthly:${day.slice(0, 7)}:${user}`, `${prefix}spend`, cents)
    }
    for (const period of [day, `2026-${week}`, day.slice(0, 7)]) {
      add(boards, `${period}:orders`, user, orders)
      add(boards, `${period}:spend`, user, cents)
    }
  }
  /** A user without an order in a period is on neither of its boards. */
  const ranked = (): Sums => {
    const kept = Object.entries(boards).map(([key, users]) => {
      const orders = boards[key.replace('spend', 'orders')] ?? {}
      return [key, Object.fromEntries(Object.entries(users).filter(([user]) => Number(orders[user]) > 0))] as const
    })
    return Object.fromEntries(kept.filter(([, users]) => Object.keys(users).length > 0))
  }
  return { hashes, count, ranked }
}

async function readAll(redis: Redis): Promise<{ hashes: Sums; boards: Sums }> {
  const hashes: Sums = {}
  for (const key of [...(await redis.keys('day:*')), ...(await redis.keys('monthly:*'))]) {
    const fields = Object.entries(await redis.hgetall(key)).map(([field, value]) => [field, Number(value)] as const)
    hashes[key] = Object.fromEntries(fields)
  }
  const boards: Sums = {}
  for (const key of await redis.keys('leaderboard:2*')) {
    const flat = await redis.zrange(key, '0', '-1', 'WITHSCORES')
    const scores = flat.flatMap((user, at): [string, number][] => (at % 2 === 0 ? [[user, Number(flat[at + 1])]] : []))
    boards[key.slice('leaderboard:'.length)] = Object.fromEntries(scores)
  }
  return { hashes, boards }
}

test('two consumers and every message twice: each order and correction is counted once, in its own day, week and month', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis, config, { pipeline, now: () => new Date(nowMs) })
  const oracle = openOracle()
  // From October 24 to November 2: among them the day of 25 hours, the end of a week, and that of a month.
  const from = Date.parse('2026-10-24T00:00:00+02:00')
  const orders = Array.from({ length: 480 }, (_, at) => ({
    user: `u${at % 7}`,
    cents: 100 + at,
    ms: from + Math.floor(at / 2) * hourMs,
  }))
  for (const { user, cents, ms } of orders) oracle.count(user, ms, 1, cents)
  const placed = orders.map(({ user, cents, ms }, at) => order(at, user, cents, new Date(ms).toISOString()))
  // Each third order is corrected on another day than its own; user u6 takes back all.
  const corrections = orders.flatMap(({ user, cents, ms }, at): RawRecord[] => {
    if (at % 3 !== 0 && user !== 'u6') return []
    const later = Math.min(ms + ((at % 5) - 2) * 24 * hourMs, nowMs)
    const event =
      user === 'u6' ? 'cancelled' : (['cancelled', 'refunded', 'amended'] as const)[at % 9 === 0 ? 0 : at % 2 ? 1 : 2]
    const by = { cancelled: -cents, refunded: -40, amended: 7 - cents }[event]
    oracle.count(user, later, event === 'cancelled' ? -1 : 0, by, event === 'amended' ? {} : { [event]: -by })
    const more = { refunded: { amount: 0.4 }, amended: { order_value: 0.07 }, cancelled: {} }[event]
    const time = new Date(later).toISOString()
    const sent = {
      event: `order.${event}`,
      user_id: user,
      order_id: `o${at}`,
      event_id: `e${at}`,
      order_timestamp: time,
    }
    return [{ id: `c${at}`, body: JSON.stringify({ ...sent, ...more }) }]
  })
  await using _ = runTwice(app)
  const send = async (records: readonly RawRecord[]): Promise<void> => {
    for (const again of [0, 1]) {
      for (let at = 0; at < records.length; at += 9)
        await enqueue(
          redis,
          app.keys,
          records.slice(at, at + 9).map((one) => ({ ...one, id: `${one.id}-${again}` })),
        )
    }
  }
  const counted = (records: number) =>
    until(
      'all to be counted',
      () => redis.hmget('pipeline:counters', 'dated', 'ranked', 'duplicates'),
      (counts) => counts.join() === `${records},${records},${records}`,
    )
  await send(placed)
  await counted(placed.length)
  await send(corrections)
  await counted(placed.length + corrections.length)
  const found = await readAll(redis)
  expect(oracle.hashes['day:2026-10-25']).toBeDefined()
  expect(found.hashes).toEqual(oracle.hashes)
  expect(found.boards).toEqual(oracle.ranked())
})

test('what it writes expires with its month', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis, config, { pipeline, now: () => new Date(nowMs) })
  await using _ = runTwice(app)
  await enqueue(redis, app.keys, [order(1, 'u', 100, '2026-11-02'), order(2, 'u', 100, '2026-10-31')])
  const counted = (orders: number) =>
    until(
      'it to be counted',
      () => redis.hget('pipeline:counters', 'dated'),
      (dated) => dated === String(orders),
    )
  await counted(2)
  const expires = async (key: string) => new Date(Number(await redis.expiretime(key)) * 1_000).toISOString()
  const keys = ['day:2026-11-02', 'monthly:2026-11:u', 'leaderboard:2026-10:spend', 'monthly:2026-10:u']
  const expected = ['2226-12-02', '2226-12-02', '2226-11-02', '2226-11-02'].map((day) => `${day}T00:00:00.000Z`)
  expect(await Promise.all(keys.map(expires))).toEqual(expected)
  await redis.persist('day:2026-11-02') // only a new key is given a time to live: no commit pays for it again
  await enqueue(redis, app.keys, [order(3, 'u', 100, '2026-11-02')])
  await counted(3)
  expect(await redis.ttl('day:2026-11-02')).toBe(-1)
})

test('a leaderboard whose last user leaves as the next one comes still expires', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis, config, { pipeline, now: () => new Date(nowMs) })
  await using _ = runTwice(app)
  const record = (user: string, more: object) =>
    JSON.stringify({ user_id: user, order_id: `o-${user}`, minor: 100, order_timestamp: '2026-11-02', ...more })
  const write = async (dated: string, ...records: readonly string[]): Promise<void> => {
    await redis.xadd('orders:valid', '*', 'n', String(records.length), 'c', '1', 'r', `[${records.join()}]`)
    await until(
      'it to be counted',
      () => redis.hget('pipeline:counters', 'dated'),
      (found) => found === dated,
    )
  }
  await write('1', record('first', {}))
  await write('3', record('first', { minor: -100, correction: 'cancelled' }), record('second', {}))
  for (const key of ['leaderboard:2026-11-02:spend', 'leaderboard:2026-W45:orders', 'leaderboard:2026-11:spend']) {
    expect(await redis.zrange(key, '0', '-1')).toEqual(['second'])
    expect(await redis.ttl(key)).toBeGreaterThan(0)
  }
})

test('an order without a time is counted on the day it was sent to SQS, each record of an entry by its own', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis, config, { pipeline, now: () => new Date(nowMs) })
  await using _ = runTwice(app)
  const midnight = Date.parse('2026-11-01T23:00:00Z') // in Berlin
  const record = (at: number, time?: string): string =>
    `{"user_id":"u","order_id":"o${at}","minor":${10 ** at}${time === undefined ? '' : `,"order_timestamp":"${time}"`}}`
  const sent = `[${midnight - 1},2,${midnight},2]`
  const batch = [record(0), record(1, 'soon'), record(2), record(3, '2026-10-31T10:00'), record(4, '1999-12-31')]
  await redis.xadd('orders:valid', '*', 'n', '5', 'c', '1', 't', sent, 'r', `[${batch.join()}]`)
  await until(
    'all to be counted',
    () => redis.hget('pipeline:counters', 'dated'),
    (dated) => dated === '5',
  )
  expect(
    await Promise.all(['2026-11-01', '2026-11-02', '2026-10-31'].map((day) => redis.hgetall(`day:${day}`))),
  ).toEqual([
    { orders: '2', revenue: '11', undated: '2' },
    { orders: '2', revenue: '10100', undated: '1', misdated: '1' },
    { orders: '1', revenue: '1000' },
  ])
})

test.for([
  ['ahead', 3],
  ['behind', -3],
] as const)('a process whose clock is days %s counts an order on its own day', async ([, days]) => {
  await using world = await emptyRedis()
  const { redis } = world
  const [real, wrong] = [Date.now(), Date.now() + days * 24 * hourMs]
  const opened = readConfig({ BLOCK_MS: '20', CLAIM_IDLE_MS: '1000', CALENDAR_OPEN_DAYS: '2' })
  const app = appOn(redis, opened, { pipeline, now: () => new Date(wrong) })
  await using _ = runTwice(app)
  const yesterday = new Date(real - 24 * hourMs).toISOString()
  await enqueue(redis, app.keys, [order(1, 'u', 100, yesterday)])
  await until(
    'it to be counted',
    () => redis.hget('pipeline:counters', 'dated'),
    (dated) => dated === '1',
  )
  expect(await redis.hgetall(`day:${yesterday.slice(0, 10)}`)).toEqual({ orders: '1', revenue: '100' })
})
