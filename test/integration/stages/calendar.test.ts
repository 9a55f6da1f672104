import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../src/app.ts'
import { readConfig } from '../../../src/config/config.ts'
import { enqueue } from '../../../src/ingest/enqueue.ts'
import type { RawRecord } from '../../../src/messages.ts'
import { runStage } from '../../../src/stages/runner/run.ts'
import { withCalendar as pipeline } from '../../support/stages.ts'
import { until } from '../../support/until.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

const settings = { REPORT_TIMEZONE: 'Europe/Berlin', BLOCK_MS: '20', CLAIM_IDLE_MS: '1000' }
const config = readConfig(settings)
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

test('two consumers and every message twice: each order is counted once, on its day, in its week and in its month', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis, config, { pipeline, now: () => new Date(nowMs) })
  const hourMs = 3_600_000
  // From October 24 to November 2: among them the day of 25 hours, the end of a week, and that of a month.
  const from = Date.parse('2026-10-24T00:00:00+02:00')
  const orders = Array.from({ length: 480 }, (_, at) => ({
    user: `u${at % 7}`,
    cents: 100 + at,
    ms: from + Math.floor(at / 2) * hourMs,
  }))
  const records = orders.map(({ user, cents, ms }, at) => order(at, user, cents, new Date(ms).toISOString()))
  await using _ = runTwice(app)
  for (const again of [0, 1]) {
    for (let at = 0; at < records.length; at += 9)
      await enqueue(
        redis,
        app.keys,
        records.slice(at, at + 9).map((one) => ({ ...one, id: `${one.id}-${again}` })),
      )
  }
  await until(
    'all to be counted',
    () => redis.hmget('pipeline:counters', 'dated', 'ranked', 'duplicates'),
    (counts) => counts.join() === '480,480,480',
  )
  // By hand: Berlin is two hours ahead of Greenwich until 01:00 there on October 25, then one.
  const dayOf = (ms: number): string =>
    new Date(ms + (ms < Date.parse('2026-10-25T01:00:00Z') ? 2 : 1) * hourMs).toISOString().slice(0, 10)
  const weekOf = (day: string): string => (day < '2026-10-26' ? 'W43' : day < '2026-11-02' ? 'W44' : 'W45')
  const days: Record<string, Record<string, number>> = {}
  const users: Record<string, Record<string, number>> = {}
  const add = (sums: Record<string, number> = {}, field: string, by: number) => {
    sums[field] = (sums[field] ?? 0) + by
    return sums
  }
  for (const { user, cents, ms } of orders) {
    const day = dayOf(ms)
    days[day] = add(add(days[day], 'orders', 1), 'revenue', cents)
    const month = `monthly:${day.slice(0, 7)}:${user}`
    for (const prefix of [`${day.slice(8)}:`, `${weekOf(day)}:`, ''])
      users[month] = add(add(users[month], `${prefix}orders`, 1), `${prefix}spend`, cents)
  }
  expect(days['2026-10-25']?.['orders']).toBe(50)
  const found = async (pattern: string) => {
    const keys = (await redis.keys(pattern)).sort()
    const hashes = await Promise.all(keys.map((key) => redis.hgetall(key)))
    return Object.fromEntries(keys.map((key, at) => [key, hashes[at]]))
  }
  const texts = (sums: Record<string, Record<string, number>>, prefix = '') =>
    Object.fromEntries(
      Object.entries(sums).map(([key, fields]) => [
        prefix + key,
        Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, String(value)])),
      ]),
    )
  expect(await found('day:*')).toEqual(texts(days, 'day:'))
  expect(await found('monthly:*')).toEqual(texts(users))
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
  const keys = ['day:2026-11-02', 'monthly:2026-11:u', 'day:2026-10-31', 'monthly:2026-10:u']
  const expected = ['2029-01-02', '2029-01-02', '2028-12-02', '2028-12-02'].map((day) => `${day}T00:00:00.000Z`)
  expect(await Promise.all(keys.map(expires))).toEqual(expected)
  await redis.persist('day:2026-11-02') // only a new key is given a time to live: no commit pays for it again
  await enqueue(redis, app.keys, [order(3, 'u', 100, '2026-11-02')])
  await counted(3)
  expect(await redis.ttl('day:2026-11-02')).toBe(-1)
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
