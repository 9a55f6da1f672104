import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { readConfig } from '../../../../src/config/config.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { verify } from '../../../../src/ops/verify/verification.ts'
import { rewire } from '../../../../src/stages/layout/rewire.ts'
import { generationNow } from '../../../../src/stages/runner/ledger.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { root } from '../../../support/markdown.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { runOrders } from '../../../support/run-orders.ts'
import { sendBodies } from '../../../support/send.ts'
import { withCalendar } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, type Env, emptyRedis, emptySqs, envOf } from '../../../support/world.ts'

/**
 * Redis as 1.0.0 left it, which was stopped while each stage was paused: three orders are ranked, three are rejected, and in
 * each stream some wait. `<generation>` stands for the one of the ledger.
 */
const left = z
  .record(
    z.string(),
    z.object({
      hash: z.record(z.string(), z.string()).optional(),
      zset: z.array(z.string()).optional(),
      list: z.array(z.string()).optional(),
      string: z.string().optional(),
      stream: z.array(z.tuple([z.string()], z.string())).optional(),
      groups: z.record(z.string(), z.string()).optional(),
    }),
  )
  .parse(JSON.parse(readFileSync(join(root, 'test/cases/release-1.0.0.json'), 'utf8')))

async function load(redis: Redis): Promise<void> {
  const generation = String(await generationNow(appOn(redis)))
  const now = (text: string): string => text.replace('<generation>', generation)
  for (const [name, { hash = {}, zset = [], list = [], string, stream = [], groups = {} }] of Object.entries(left)) {
    const key = now(name)
    for (const [field, value] of Object.entries(hash)) await redis.hset(key, now(field), value)
    for (let at = 0; at < zset.length; at += 2) await redis.zadd(key, zset[at + 1] ?? '', zset[at] ?? '')
    for (const value of list) await redis.rpush(key, value)
    if (string !== undefined) await redis.set(key, string)
    for (const [id, ...fields] of stream) await redis.xadd(key, id, ...fields)
    for (const [group, last] of Object.entries(groups)) await redis.xgroup('CREATE', key, group, last)
  }
}

async function printed(env: Env, ...args: string[]): Promise<string> {
  await using run = runOrders(args, env)
  await run.exit()
  return run.stdout() + run.stderr()
}

test('continues with what 1.0.0 has left: waiting orders are counted, known ones recognized, rejected ones replayed', async (context) => {
  requireRealRedis(context)
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  await load(redis.redis)
  const env = envOf(redis.url, sqs, { LEDGER_BUCKETS: '65536' })
  await using system = runOrders(['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'jobs'], env)
  await system.started()
  for (const stage of ['validate', 'aggregate', 'leaderboard']) {
    expect(await printed(env, 'resume', stage)).toContain('Before that it was paused by ada')
  }
  await sendBodies(env, [
    '{"user_id":"a","order_id":"o1","order_value":10.5}', // counted by 1.0.0
    '{"user_id":"b","order_id":"o2","order_value":7}', // waited for leaderboard
    '{"user_id":"c","order_id":"o1","order_value":3}', // waited for aggregate
    '{"user_id":"c","order_id":"o2","order_value":5}', // waited for validate, with another value
    '{"user_id":"c","order_id":"o3","order_value":6}',
  ])
  const counters = await until(
    'all to be ranked and the rest to be judged',
    () => redis.redis.hgetall('pipeline:counters'),
    ({ received, ranked, duplicates, rejected }) =>
      received === '16' && ranked === '7' && duplicates === '5' && rejected === '4',
  )
  expect(counters).toMatchObject({ admitted: '7', applied: '7', 'rejected:conflict': '2' })
  expect(await redis.redis.zrange('leaderboard:spend', '0', '-1', 'WITHSCORES')).toEqual([
    ...['b', '1200'],
    ...['c', '1300'],
    ...['a', '3050'],
  ])
  expect(await printed(env, 'replay', '10', '--code', 'missing-field', '--wait')).toMatch(/missing-field +1$/m)
  expect(await redis.redis.lindex('invalid_orders', 0)).toContain('"attempts":2')
  expect(JSON.parse(await printed(env, 'verify', '--deep', '--json'))).toMatchObject({ verdict: 'right' })
})

test('what 1.0.0 has counted is corrected to the cent, and the calendar says that it came before', async (context) => {
  requireRealRedis(context)
  await using redis = await emptyRedis()
  const config = readConfig(envOf(redis.url, undefined, { CALENDAR: 'on', LEDGER_BUCKETS: '65536', BLOCK_MS: '50' }))
  const app = appOn(redis.redis, config, { pipeline: withCalendar })
  await load(redis.redis)
  await rewire(app)
  const stop = new AbortController()
  const running = app.pipeline.stages.map((stage) => runStage(app, stage, () => {}, stop.signal))
  const counters = (): Promise<Record<string, string>> => redis.redis.hgetall('pipeline:counters')
  const send = (...bodies: readonly string[]) =>
    enqueue(
      redis.redis,
      app.keys,
      bodies.map((body) => ({ id: hash('sha1', body), body })),
    )
  await until('what waited to be counted', counters, ({ ranked, dated }) => ranked === '6' && dated === '2')
  const correction = (event: string, user_id: string, order_id: string, more: object = {}): string =>
    JSON.stringify({ event: `order.${event}`, user_id, order_id, event_id: event, ...more })
  const corrections = [
    correction('refunded', 'a', 'o1', { amount: 10.51 }), // more than the 10.5 that 1.0.0 has counted
    correction('refunded', 'a', 'o1', { amount: 4.25 }),
    correction('cancelled', 'b', 'o1'), // ranked by 1.0.0
    correction('amended', 'b', 'o2', { order_value: 1 }), // waited for leaderboard
    correction('cancelled', 'c', 'o1'), // waited for aggregate
  ]
  await send(...corrections, '{"user_id":"a","order_id":"o1","order_value":10.5}')
  await until('all to be judged', counters, ({ corrected, ranked, dated, duplicates }) => {
    return corrected === '4' && ranked === '10' && dated === '6' && duplicates === '3'
  })
  await send(...corrections.map((body) => `${body} `)) // again, by other messages
  await until('all to be known', counters, ({ duplicates }) => duplicates === '7')
  stop.abort()
  await Promise.all(running)
  expect(await counters()).toMatchObject({ 'rejected:refund-exceeds': expect.any(String), admitted: '6' })
  expect(await redis.redis.hgetall('user:b')).toEqual({ order_count: '1', total_spend_minor: '100' })
  expect(await redis.redis.hgetall('user:a')).toEqual({ order_count: '2', total_spend_minor: '2625' })
  expect(await redis.redis.zrange('leaderboard:spend', '0', '-1', 'WITHSCORES')).toEqual([
    ...['b', '100'],
    ...['c', '400'],
    ...['a', '2625'],
  ])
  const verified = await verify(app, { deep: true, repair: false, force: false }, new AbortController().signal)
  const before = { orders: 4n, minor: 4_250n } // the global stats of 1.0.0
  const inDays = { orders: 0n, minor: -1_125n }
  expect(verified).toMatchObject({ verdict: 'right', calendar: { totals: { start: { before }, inDays } } })
  expect(await redis.redis.hgetall('global:stats')).toEqual({ total_orders: '4', total_revenue_minor: '3125' })
})
