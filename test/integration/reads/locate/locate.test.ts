import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Server } from '../../../../src/api/open-server.ts'
import { openApi } from '../../../../src/api/server.ts'
import type { PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { pauseComponent, resumeComponent } from '../../../../src/control/pauses.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { makeKeys } from '../../../../src/keys.ts'
import { retryDue } from '../../../../src/ops/jobs/retries.ts'
import { locationLines } from '../../../../src/ops/terminal/location-text.ts'
import { textOf } from '../../../../src/ops/terminal/output.ts'
import { formatOf } from '../../../../src/order/format.ts'
import { readCounters, waitingFor } from '../../../../src/reads/counters.ts'
import { findOwners, locateOrder, type OrderLocation } from '../../../../src/reads/locate/locate.ts'
import { readOldest } from '../../../../src/stages/invalid/oldest.ts'
import { discardEntry, replayEntries } from '../../../../src/stages/invalid/requeue.ts'
import type { Stage } from '../../../../src/stages/placed.ts'
import { commit } from '../../../../src/stages/runner/commit.ts'
import { decodeEntry } from '../../../../src/stages/runner/entry.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { generationSeconds } from '../../../../src/stages/runner/ledger.ts'
import { planBatch } from '../../../../src/stages/runner/plan.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { wrap } from '../../../support/envelopes.ts'
import { getFrom } from '../../../support/expected.ts'
import { received } from '../../../support/received.ts'
import { spawnRedisCluster } from '../../../support/redis-cluster.ts'
import { requireRealRedis, requireRedisServer } from '../../../support/requires.ts'
import { runOrders } from '../../../support/run-orders.ts'
import { shipped as pipeline, withCalendar } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { adminToken, appOn, emptyRedis, envOf } from '../../../support/world.ts'

const [validate, aggregate, leaderboard] = pipeline.stages as readonly [Stage, Stage, Stage]

const stack = new AsyncDisposableStack()
let redis: Redis
let scope: PartitionScope
let url: string
let server: Server

beforeAll(async () => {
  const world = stack.use(await emptyRedis())
  redis = world.redis
  url = world.url
  scope = appOn(redis, readConfig(envOf(url, undefined, { BLOCK_MS: '50' })))
  server = stack.use(await openApi(scope))
})
afterAll(() => stack.disposeAsync())
beforeEach(async () => {
  await redis.flushdb()
  await ensureGroups(scope)
})

const body = (order_value: unknown = 1.5, order_id: unknown = 'o', user_id: unknown = 'u'): string =>
  JSON.stringify({ user_id, order_id, order_value })

let messages = 0
const send = async (...bodies: string[]): Promise<string[]> => {
  const opened = await received(bodies.map((Body) => ({ MessageId: `m${++messages}`, Body })))
  return enqueue(
    redis,
    scope.keys,
    opened.map(({ record }) => record),
  )
}

/** Lets stages work until none of their orders waits. */
async function work(...stages: Stage[]): Promise<void> {
  const stop = new AbortController()
  const running = stages.map((stage) => runStage(scope, stage, () => {}, stop.signal))
  await until(
    'the stages to be done',
    () => readCounters(redis, scope.partitions),
    (counters) => stages.every((stage) => waitingFor(stage, counters) === 0),
  )
  stop.abort()
  await Promise.all(running)
}

const trace = (orderId = 'o', userId = 'u'): Promise<OrderLocation> => locateOrder(scope, { userId, orderId })
const done = ({ received, admitted, applied, ranked }: OrderLocation): string =>
  [received, admitted, applied, ranked].map((step) => step.done).join(' ')
const timeOf = (id = ''): string => new Date(Number(id.split('-')[0])).toISOString()

test('an order that was never sent is not found, and what that means is said', async () => {
  const found = await trace()
  expect(found).toMatchObject({ where: 'unknown', amount: null, waiting: [], invalid: [], settled: true })
  expect(done(found)).toBe('unknown no no no')
  expect(found.received.because).toBe(
    'It is in none of the streams. It may still wait in SQS, which cannot be searched.',
  )
  expect(found.admitted.because).toBe('The ledger does not have it, and its user has no counted order.')
  await redis.flushdb() // no streams, no groups
  expect(await trace()).toMatchObject({
    where: 'unknown',
    scanned: Array(5).fill({ entries: 0, of: 0, whole: true, more: false }),
  })
})

test('step by step: undelivered, pending, admitted, applied, ranked; what is exact and what is not', async () => {
  const [raw] = await send(body(1, 'other'), body(150.75))
  const waiting = { stream: 'orders:raw', entry: raw, since: timeOf(raw), message: `m${messages}` }
  expect(await trace()).toMatchObject({
    where: 'waiting',
    received: { done: 'yes', not_before: null, not_after: timeOf(raw) },
    admitted: { done: 'no' },
    waiting: [{ ...waiting, held_by: [{ stage: 'validate', state: 'undelivered' }] }],
  })

  await redis.xreadgroup('GROUP', 'validate', 'dead', 'COUNT', 5, 'STREAMS', 'orders:raw', '>')
  const held = { stage: 'validate', state: 'pending', consumer: 'dead', deliveries: 1, held_ms: expect.any(Number) }
  expect(await trace()).toMatchObject({ where: 'waiting', waiting: [{ ...waiting, held_by: [held] }] })

  await redis.xgroup('SETID', 'orders:raw', 'validate', '0')
  await redis.xgroup('DELCONSUMER', 'orders:raw', 'validate', 'dead')
  await work(validate)
  const [[valid = ''] = []] = await redis.xrange('orders:valid', '-', '+')
  const admitted = await trace()
  expect(admitted).toMatchObject({
    where: 'waiting',
    amount: 15_075,
    admitted: { done: 'yes', not_before: timeOf(valid), not_after: timeOf(valid) },
    applied: { done: 'no', because: 'It waits for aggregate.' },
    ranked: { done: 'no' },
    waiting: [{ stream: 'orders:valid', entry: valid, held_by: [{ stage: 'aggregate', state: 'undelivered' }] }],
  })

  await work(aggregate)
  await redis.xtrim('orders:valid', 'MAXLEN', 0)
  const applied = await trace()
  expect(done(applied)).toBe('yes yes yes unknown')
  expect(applied).toMatchObject({
    where: 'applied',
    admitted: { because: 'The ledger has it, and keeps no exact times.' },
    ranked: {
      because: '2 of 2 orders of its user are not ranked yet; this one may be among them.',
    },
    waiting: [],
    counted: [{ stream: 'orders:counted', orders: 2, held_by: [{ stage: 'leaderboard', state: 'undelivered' }] }],
  })
  const generationMs = scope.config.ledgerDays * 86_400_000
  const from = Math.floor(Date.parse(applied.at) / generationMs) * generationMs
  expect(applied.admitted).toMatchObject({ not_before: new Date(from).toISOString(), not_after: applied.at })

  await work(leaderboard)
  const ranked = await trace()
  expect(done(ranked)).toBe('yes yes yes yes')
  expect(ranked).toMatchObject({ where: 'ranked', waiting: [], counted: [], settled: true })
})

test('a copy that waits behind the order is shown next to it; duplicates are known in total only', async () => {
  await send(body(), body())
  await work(...pipeline.stages)
  await send(body())
  expect(await trace()).toMatchObject({
    where: 'ranked',
    waiting: [{ stream: 'orders:raw' }],
    duplicates: { total: 1, because: expect.stringContaining('the number for this order is unknown') },
  })
})

test('an invalid order shows every attempt, its edits and its first reason; then who gave it up and why', async () => {
  await send(body(-1))
  await work(validate)
  const [first] = await readOldest(redis, scope.partitions, { after: '0-0', until: '+', count: 1 })
  if (!first) throw new Error('an invalid order expected')
  const rejected = { code: 'bad-value', reason: 'order_value must be between 0 and 1000000000', attempts: 1 }
  expect(await trace()).toMatchObject({ where: 'invalid', invalid: [{ id: first.id, ...rejected }] })

  await replayEntries(scope, [first], { jobId: 'reprocess-1', limit: 1 }, { body: body('ten'), by: 'me' })
  expect(await trace()).toMatchObject({
    where: 'waiting',
    received: { not_after: first.record.ts },
    waiting: [{ message: `replay ${first.id}`, jobId: 'reprocess-1', attempts: 1 }],
    invalid: [],
  })
  await work(validate)
  const again = await trace()
  const lineage = {
    code: 'bad-value',
    reason: 'order_value must be a number',
    attempts: 2,
    first_reason: rejected.reason,
    first_ts: first.record.ts,
    edits: [{ by: 'me', ts: expect.any(String) }],
  }
  expect(again).toMatchObject({ where: 'invalid', invalid: [lineage] })
  expect(again.invalid[0]?.edits?.[0]).not.toHaveProperty('before')

  const [second] = await readOldest(redis, scope.partitions, { after: '0-0', until: '+', count: 1 })
  if (!second) throw new Error('an invalid order expected')
  await discardEntry(scope, second, { reason: 'a test', by: 'you' })
  expect(await trace()).toMatchObject({
    where: 'discarded',
    invalid: [],
    discarded: [{ by: 'you', why: 'a test', at: expect.any(String), rejected: lineage }],
  })
})

test('an order that came in envelopes is found by its own names, with where it came from', async () => {
  await send(wrap('eventbridge', wrap('sns', body(-1))))
  const layers = [
    { kind: 'eventbridge', id: 'e-1' },
    { kind: 'sns', id: 'n-1' },
  ]
  const came = 'EventBridge event e-1 of shop (OrderPlaced), in it SNS notification n-1 of arn:aws:sns:us-east-1:'
  const waiting = await trace()
  expect(waiting.waiting).toMatchObject([{ envelope: { layers } }])
  expect(textOf(locationLines(waiting, scope.format.money))).toContain(`in ${came}`)
  await work(validate)
  const rejected = await trace()
  expect(rejected.invalid).toMatchObject([{ code: 'bad-value', envelope: { layers } }])
  expect(rejected.invalid[0]?.envelope).not.toHaveProperty('text')
  expect(textOf(locationLines(rejected, scope.format.money))).toContain(`It came in ${came}`)
})

const correction = (event: string, more: object): string =>
  JSON.stringify({ event: `order.${event}`, user_id: 'u', order_id: 'o', ...more })
const cancel = correction('cancelled', { event_id: 'c' })

test('an order shows what its corrections have left of it, and those that are still in a stream', async () => {
  const order = { user_id: 'u', order_id: 'o', order_value: 10, order_timestamp: '2026-11-28T10:00:00Z' }
  await send(JSON.stringify(order))
  await work(validate)
  const [[first = ''] = []] = await redis.xrange('orders:valid', '-', '+')
  const order_timestamp = '2026-11-29T10:00:00Z'
  const [refund] = await send(correction('refunded', { amount: 2.5, event_id: 'r-1', order_timestamp }))
  expect(await trace()).toMatchObject({
    ...{ where: 'waiting', amount: 1_000, net: 1_000, cancelled: false, order_timestamp: order.order_timestamp },
    waiting: [{ stream: 'orders:valid', entry: first }],
    corrections: [
      {
        ...{ kind: 'refunded', event_id: 'r-1', amount: 250, order_timestamp, state: 'waiting', change: null },
        ...{ since: timeOf(refund), waiting: { stream: 'orders:raw', entry: refund } },
      },
    ],
  })

  await work(validate)
  await send(cancel)
  await work(validate)
  const [, [second = ''] = [], [third = ''] = []] = await redis.xrange('orders:valid', '-', '+')
  const held_by = [{ stage: 'aggregate', state: 'undelivered' }]
  const accepted = await trace()
  expect(accepted).toMatchObject({
    ...{ where: 'waiting', amount: 1_000, net: 0, cancelled: true, waiting: [{ entry: first }] },
    admitted: { because: 'Its entry in orders:valid says when.', not_before: timeOf(first) },
    corrections: [
      {
        ...{
          kind: 'refunded',
          event_id: 'r-1',
          state: 'accepted',
          change: -250,
          order_timestamp,
          since: timeOf(second),
        },
        waiting: { entry: second, held_by },
      },
      { kind: 'cancelled', event_id: 'c', state: 'accepted', amount: null, change: -750, waiting: { entry: third } },
    ],
  })
  const text = textOf(locationLines(accepted, scope.format.money))
  expect(text).toContain('waits. It is cancelled: nothing is left of 10.00.')
  expect(text).toMatch(/its refund \(event r-1, of 2026-11-29T10:00:00Z\) was accepted: it takes 2\.50\./)
  expect(text).toMatch(/its cancellation \(event c\) was accepted: it takes 7\.50\./)
  expect(text).toMatch(/this waits in orders:valid \(entry .*\): no consumer of aggregate has it yet/)
  expect(await getFrom(server.url)('/orders/u/o/trace')).toMatchObject({
    ...{ amount: 10, net: 0, cancelled: true },
    corrections: [
      { change: -2.5, amount: null },
      { change: -7.5, amount: null },
    ],
  })

  await work(...pipeline.stages)
  const gone = await trace()
  expect(gone).toMatchObject({ where: 'ranked', amount: 1_000, net: 0, cancelled: true, corrections: [] })
  expect(gone.ranked.because).toBe('Its user has no order left, and so no rank.')
})

test('an order and its corrections show the day on which each counts, in the zone of the reports', async () => {
  const config = readConfig(envOf(url, undefined, { CALENDAR: 'on', REPORT_TIMEZONE: 'Europe/Berlin' }))
  const dated = { ...scope, config, format: formatOf(config), pipeline: withCalendar }
  await ensureGroups(dated)
  const traced = () => locateOrder(dated, { userId: 'u', orderId: 'o' })
  const ago = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)
  const order = { user_id: 'u', order_id: 'o', order_value: 10, order_timestamp: `${ago(3)}T23:30:00Z` }
  await send(JSON.stringify(order))
  const berlin = { timezone: 'Europe/Berlin' }
  const day = { ...berlin, day: ago(2), dated: 'own' }
  expect(await traced()).toMatchObject({ where: 'waiting', day })
  await work(validate)
  await send(
    correction('refunded', { amount: 1, event_id: 'r', order_timestamp: Date.parse(`${ago(1)}T12:00:00Z`) }),
    correction('refunded', { amount: 2, event_id: 's', order_timestamp: '1999-12-31' }),
    cancel,
  )
  await work(validate)
  await send(correction('amended', { order_value: 5, event_id: 'a' })) // of a cancelled order
  await work(validate)
  const found = await traced()
  expect(found).toMatchObject({ day, order_timestamp: order.order_timestamp })
  expect(found.corrections.map(({ event_id, day }) => [event_id, day && { ...day, day: day.day.length }])).toEqual([
    ['r', { ...berlin, day: 10, dated: 'own' }],
    ['s', { ...berlin, day: 10, dated: 'misdated' }],
    ['c', { ...berlin, day: 10, dated: 'undated' }],
    ['a', null],
  ])
  expect(found.corrections[0]?.day?.day).toBe(ago(1))
  const text = textOf(locationLines(found, dated.format.money))
  expect(text).toContain(`It counts on ${ago(2)} in Europe/Berlin.`)
  expect(text).toContain(`it takes 1.00, and counts on ${ago(1)} in Europe/Berlin.`)
  expect(text).toMatch(/it takes 2\.00, and counts on \S+ in Europe\/Berlin, as its own day was not open\./)
  expect(text).toMatch(/it takes 7\.00, and counts on \S+ in Europe\/Berlin, as it has no time that can be read\./)
  expect((await trace()).day).toBeNull() // without a calendar
})

test('a correction that an operator has sent is shown with the reason, and retries as such', async () => {
  const posted = await fetch(`${server.url}/orders/u/o/refund`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json', 'x-operator': 'ada' },
    body: JSON.stringify({ amount: 1, reason: 'late' }),
  })
  const { job_id } = (await posted.json()) as { job_id: string }
  const found = await trace()
  expect(found.sent).toEqual([
    { at: expect.any(String), by: 'ada', correction: 'refund', reason: 'late', job_id, verdict: null },
  ])
  expect(textOf(locationLines(found, scope.format.money))).toContain(
    `ada asked for a refund of it (late), by job ${job_id}`,
  )
  await send(cancel)
  await work(validate)
  const [rejected] = (await trace()).corrections
  expect(rejected?.rejected).toMatchObject({ code: 'unknown-order', attempts: 1, retry: { next: expect.any(String) } })
  expect(textOf(locationLines(await trace(), scope.format.money))).toMatch(
    /be invalid itself\. It is retried by itself at /,
  )
  const soon = { ...scope.config, retryDelays: [1] }
  await until('it to be retried', async () => {
    await retryDue({ ...scope, config: soon }, () => {}, new AbortController().signal)
    return (await trace()).corrections[0]?.state === 'waiting'
  })
  const retried = textOf(locationLines(await trace(), scope.format.money))
  expect(retried).toMatch(
    /its cancellation \(event c\) waits in orders:raw \(.*, retried by itself, rejected 1 times before\)/,
  )
})

test('a correction renews what the ledger has of an order, but not when it was admitted', async () => {
  const lengthMs = generationSeconds(scope.config) * 1_000
  const generation = Math.floor(Date.now() / lengthMs)
  const admitted = async () => {
    for (const name of ['raw', 'valid', 'counted']) await redis.xtrim(`orders:${name}`, 'MAXLEN', 0)
    const { not_before, not_after } = (await trace()).admitted
    return [not_before, not_after].map((time) => time && Math.floor(Date.parse(time) / lengthMs))
  }
  await send(body())
  await work(...pipeline.stages)
  for (const bucket of await redis.keys(`ledger:${generation}:*`))
    await redis.rename(bucket, bucket.replace(`${generation}`, `${generation - 1}`))
  expect(await admitted()).toEqual([generation - 1, generation])
  await send(correction('refunded', { amount: 0.5, event_id: 'r-1' }))
  await work(...pipeline.stages)
  expect(await trace()).toMatchObject({ amount: 150, net: 100 })
  expect(await admitted()).toEqual([generation - 1, generation])
  for (const bucket of await redis.keys(`ledger:${generation - 1}:*`)) await redis.del(bucket)
  expect(await admitted()).toEqual([null, generation])
})

test('an order is counted although a correction of it waits; it is ranked once the scores are those of the totals', async () => {
  await send(body(10))
  await work(...pipeline.stages)
  await send(correction('refunded', { amount: 2.5, event_id: 'r-1' }))
  expect(done(await trace())).toBe('yes yes yes yes')
  await work(validate)
  expect(await trace()).toMatchObject({ where: 'ranked', net: 750, applied: { done: 'yes' }, waiting: [] })
  await work(aggregate)
  expect((await trace()).ranked).toMatchObject({
    done: 'unknown',
    because: 'The scores of its user are not those of the totals. If that stays so, orders verify --deep says why.',
  })
  await work(leaderboard)
  const found = await trace()
  expect(found.ranked).toMatchObject({ done: 'yes', because: 'The one order of its user is ranked.' })
  expect(textOf(locationLines(found, scope.format.money))).toContain('Corrections have left 7.50 of 10.00.')
})

test('a correction of an order that is not known is found with it, and given up', async () => {
  await send(cancel, correction('refunded', { amount: 1 }), correction('amended', { order_value: 'a', event_id: 'a' }))
  await work(validate)
  const found = await trace()
  expect(found).toMatchObject({ where: 'unknown', amount: null, net: null, invalid: [] })
  expect(done(found)).toBe('unknown no no no')
  const rejected = (code: string) => ({ state: 'invalid', change: null, rejected: { code, attempts: 1 } })
  expect(found.corrections).toMatchObject([
    { kind: 'cancelled', event_id: 'c', amount: null, ...rejected('unknown-order') },
    { kind: 'refunded', event_id: null, amount: 100, ...rejected('unknown-order') },
    { kind: 'amended', event_id: 'a', amount: null, ...rejected('bad-value') },
  ])
  const text = textOf(locationLines(found, scope.format.money))
  expect(text).toMatch(
    /its refund of 1\.00 was rejected, attempt 1, entry .* \(unknown-order\): Order o of user u is not known/,
  )
  await discardAll()
  expect((await trace()).corrections).toMatchObject([
    {
      kind: 'cancelled',
      state: 'discarded',
      discarded: { by: 'me', why: 'a test' },
      rejected: { code: 'unknown-order' },
    },
    { kind: 'refunded', state: 'discarded' },
    { kind: 'amended', state: 'discarded' },
  ])
  expect(await findOwners(scope, 'o')).toMatchObject({ orders: [{ userId: 'u', orderId: 'o' }], nameless: [] })
})

test('a correction that a later stage rejected by a bug is not taken for its order', async () => {
  await send(body())
  await work(...pipeline.stages)
  await send(cancel)
  await work(validate, broken)
  const found = await trace()
  expect(found).toMatchObject({ where: 'ranked', cancelled: true, applied: { done: 'yes' }, invalid: [] })
  expect(found.corrections.at(-1)).toMatchObject({
    ...{ kind: 'cancelled', event_id: 'c', state: 'invalid', change: -150 },
    rejected: { code: 'internal-error', stage: 'aggregate' },
  })
})

test('a conflict stands in the invalid channel next to the order that came first, and bounds when that was admitted', async () => {
  await send(body(1))
  await work(...pipeline.stages)
  await send(body(2))
  await work(validate)
  await redis.xtrim('orders:valid', 'MAXLEN', 0)
  const found = await trace()
  expect(found).toMatchObject({ where: 'ranked', amount: 100, invalid: [{ code: 'conflict' }] })
  expect(found.admitted.not_after).toBe(timeOf(found.invalid[0]?.id))
})

test('an order that a later stage rejected by a bug is admitted and not counted; replayed, it is', async () => {
  await send(body())
  await work(validate, broken)
  expect(await trace()).toMatchObject({
    where: 'invalid',
    admitted: { done: 'yes' },
    applied: { done: 'no', because: 'The stage aggregate rejected it.' },
    invalid: [{ code: 'internal-error', stage: 'aggregate' }],
  })
  const entries = await readOldest(redis, scope.partitions, { after: '0-0', until: '+', count: 1 })
  await replayEntries(scope, entries, { jobId: 'replay-1', limit: 1 })
  expect(await trace()).toMatchObject({
    where: 'waiting',
    waiting: [{ stream: 'orders:valid', held_by: [{ stage: 'aggregate' }] }],
  })
  await work(aggregate, leaderboard)
  expect(await trace()).toMatchObject({ where: 'ranked', invalid: [] })
})

test('what the ledger has forgotten is not known any more', async () => {
  await send(body())
  await work(...pipeline.stages)
  for (const key of await redis.keys('ledger:*')) await redis.del(key)
  for (const name of ['raw', 'valid', 'counted']) await redis.xtrim(`orders:${name}`, 'MAXLEN', 0)
  const found = await trace()
  const unknown = { done: 'unknown' }
  expect(found).toMatchObject({ where: 'unknown', admitted: unknown, applied: unknown, ranked: unknown })
  expect(found.admitted.because).toMatch('orders admitted earlier are no longer known')
})

test.each([
  ['escaped', '{"user_id":"\\u0075","order_id":"\\u006f","order_value":-1}'],
  ['with NaN', '{"user_id":"u","order_id":"o","order_value":NaN}'],
  [
    'too deep to be kept as JSON',
    `{"user_id":"u","order_id":"o","order_value":-1,"x":${'['.repeat(200)}${']'.repeat(200)}}`,
  ],
])('an order that is %s is found while it waits, and in the invalid channel', async (_, text) => {
  await send(text)
  expect(await trace()).toMatchObject({ where: 'waiting', waiting: [{ stream: 'orders:raw' }] })
  await work(validate)
  expect(await trace()).toMatchObject({ where: 'invalid', invalid: [{ code: 'bad-value' }] })
})

test('an integer order_id is found by its text, however it was written', async () => {
  await send('{"user_id":7,"order_id":1.2e2,"order_value":1}')
  expect(await trace('120', '7')).toMatchObject({ where: 'waiting' })
  await work(...pipeline.stages)
  expect(await trace('120', '7')).toMatchObject({ where: 'ranked' })
})

test('of a long stream its oldest and newest entries are looked through, and what that leaves open is said', async (context) => {
  requireRealRedis(context) // an emulator takes minutes
  const entries = 5_000
  for (let from = 0; from < entries; from += 1_000) {
    const filling = redis.pipeline()
    for (let at = from; at < from + 1_000; at++) {
      const order_id = { 0: 'oldest', [entries / 2]: 'middle', [entries - 1]: 'newest' }[at] ?? `o${at}`
      const record = { user_id: 'u', order_id, minor: 1 }
      filling.xadd('orders:valid', '*', 'n', 1, 'r', JSON.stringify([record]))
    }
    await filling.exec()
  }
  for (const order of ['oldest', 'newest']) {
    expect((await trace(order)).waiting).toMatchObject([{ stream: 'orders:valid' }])
  }
  const missed = await trace('middle')
  expect(missed).toMatchObject({ where: 'unknown', waiting: [] })
  expect(missed.scanned[1]).toEqual({ stream: 'orders:valid', entries: 4_000, of: entries, whole: false, more: false })
  expect(missed.received.because).toMatch('It is not in the scanned part of the streams.')
  await send(body(1, 'middle')) // the ledger knows it then, but not whether it has been counted
  await work(validate)
  await redis.xadd('orders:valid', '*', 'n', 1, 'r', JSON.stringify([{ user_id: 'x', order_id: 'x', minor: 1 }]))
  await redis.xdel('orders:valid', ...(await redis.xrevrange('orders:valid', '+', '-', 'COUNT', 2)).map(([id]) => id))
  expect(await trace('middle')).toMatchObject({
    where: 'admitted',
    applied: { done: 'unknown', because: expect.stringContaining('more orders wait there than were scanned') },
    ranked: { done: 'unknown' },
  })
})

test('while orders flow none is ever nowhere, what is said to be done is done, and what was done is said', async (context) => {
  requireRealRedis(context)
  const stop = new AbortController()
  const running = pipeline.stages.map((stage) => runStage(scope, stage, () => {}, stop.signal))
  const counted = async (user: string) => Number(await redis.hget(`user:${user}`, 'order_count'))
  const ranked = async (user: string) => Number(await redis.zscore('leaderboard:orders', user))
  for (let round = 0; round < 50; round++) {
    const user = `u${round}`
    await send(body(1, 'o', user), ...Array.from({ length: 9 }, (_, at) => body(1, `o${round}-${at}`, 'other')))
    for (let found: OrderLocation | undefined; found?.where !== 'ranked'; ) {
      const before = [await counted(user), await ranked(user)]
      found = await trace('o', user)
      const after = [await counted(user), await ranked(user)]
      expect(found).toMatchObject({
        settled: true,
        where: expect.not.stringMatching('unknown'),
        received: { done: 'yes' },
      })
      const said = [found.applied, found.ranked].map((step) => Number(step.done === 'yes'))
      expect([said, 'from', before, 'to', after]).toEqual([
        said.map((_, at) => (before[at] === after[at] ? after[at] : expect.any(Number))),
        ...['from', before, 'to', after],
      ])
    }
  }
  stop.abort()
  await Promise.all(running)
})

/** Commits everything that waits for a stage in one commit. */
async function commitAll(stage: Stage): Promise<void> {
  const stream = scope.keys.stream(stage.from)
  const read = await redis.xreadgroupBuffer('GROUP', stage.name, 'c', 'COUNT', 100, 'STREAMS', stream, '>')
  const [[, found]] = read as [[Buffer, [Buffer, Buffer[]][]]]
  const entries = found.map(([id, fields]) => decodeEntry(pipeline, String(id), fields, stage.from))
  const planning = {
    stage,
    channel: pipeline.channel(stage.from),
    keys: scope.keys,
    format: scope.format,
    now: new Date(),
    known: new Map(),
    onDecideFailed: () => {},
  }
  const generation = Math.floor(Date.now() / 1_000 / generationSeconds(scope.config))
  const reply = await commit(
    scope,
    { stage, keys: scope.keys, consumer: 'c' },
    planBatch(planning, entries),
    generation,
  )
  expect(reply.status).toBe('committed')
}

async function replayAll(): Promise<void> {
  const entries = await readOldest(redis, scope.partitions, { after: '0-0', until: '+', count: 10 })
  expect(await replayEntries(scope, entries, { jobId: 'replay-1', limit: 1_000_000 })).toHaveLength(entries.length)
}

async function discardAll(): Promise<void> {
  for (const entry of await readOldest(redis, scope.partitions, { after: '0-0', until: '+', count: 10 })) {
    expect(await discardEntry(scope, entry, { reason: 'a test', by: 'me' })).toBe(true)
  }
}

/** An aggregate with a bug: what it judges ends in the invalid channel as an internal error. */
const broken: Stage = {
  ...aggregate,
  decide: () => {
    throw new Error('a bug')
  },
}

/** The app, but that something happens between two commands: just before the one with this number. */
function interrupted(number: number, happen: () => Promise<void>): { scope: PartitionScope; happened(): boolean } {
  let commands = 0
  const next = async (): Promise<void> => {
    if (++commands === number) await happen()
  }
  const late =
    (of: object, call: (...args: unknown[]) => Promise<unknown>) =>
    async (...args: unknown[]) => {
      await next()
      return call.apply(of, args)
    }
  const proxy = new Proxy(redis, {
    get: (target, name) => {
      if (name !== 'multi') return late(target, Reflect.get(target, name))
      return () => {
        const multi = target.multi()
        const { exec } = multi
        return Object.assign(multi, { exec: late(multi, () => exec.call(multi)) })
      }
    },
  })
  return { scope: { ...scope, redis: proxy }, happened: () => commands >= number }
}

type Act = () => Promise<unknown>
const good: Act = () => send(body())
const bad: Act = () => send(body(-1))
const by =
  (stage: Stage): Act =>
  () =>
    commitAll(stage)
const moves: [what: string, before: Act[], meanwhile: Act[], where: RegExp, applied: RegExp][] = [
  ['comes in', [], [good], /^(unknown|waiting)$/, /no/],
  ['comes in and is admitted', [], [good, by(validate)], /^(unknown|waiting)$/, /no/],
  ['is admitted', [good], [by(validate)], /^waiting$/, /no/],
  ['is admitted and counted', [good], [by(validate), by(aggregate)], /^(waiting|applied)$/, /no|yes/],
  ['goes all the way', [good], pipeline.stages.map(by), /^(waiting|ranked)$/, /no|yes/],
  ['is counted', [good, by(validate)], [by(aggregate)], /^(waiting|applied)$/, /no|yes/],
  ['is ranked', [good, by(validate), by(aggregate)], [by(leaderboard)], /^(applied|ranked)$/, /yes/],
  ['is rejected', [bad], [by(validate)], /^(waiting|invalid)$/, /no/],
  ['is replayed', [bad, by(validate)], [replayAll], /^(waiting|invalid)$/, /no/],
  ['is replayed and rejected', [bad, by(validate)], [replayAll, by(validate)], /^invalid$/, /no/],
  ['is replayed once more', [bad, by(validate)], [replayAll, by(validate), replayAll], /^(waiting|invalid)$/, /no/],
  ['is given up', [bad, by(validate)], [discardAll], /^(invalid|discarded)$/, /no/],
  ['is rejected by a later stage', [good, by(validate)], [by(broken)], /^(waiting|invalid)$/, /no/],
  ['is admitted and rejected by a later stage', [good], [by(validate), by(broken)], /^(waiting|invalid)$/, /no/],
  ['is put back before a later stage', [good, by(validate), by(broken)], [replayAll], /^(waiting|invalid)$/, /no/],
]

test.each(moves)(
  'whenever it %s while it is traced, the answer is true',
  async (_, before, meanwhile, where, applied) => {
    for (let number = 1; ; number++) {
      await redis.flushdb()
      await ensureGroups(scope)
      for (const act of before) await act()
      const { scope: watched, happened } = interrupted(number, async () => {
        for (const act of meanwhile) await act()
      })
      const found = await locateOrder(watched, { userId: 'u', orderId: 'o' })
      const reported = { at: number, settled: found.settled, where: found.where, applied: found.applied.done }
      const wanted = {
        at: number,
        settled: true,
        where: expect.stringMatching(where),
        applied: expect.stringMatching(applied),
      }
      expect(reported).toEqual(wanted)
      if (!happened()) return expect(number).toBeGreaterThan(10)
    }
  },
)

test('without a user the streams show whose it is; an order that names none is found, too', async () => {
  await send(body(1, 'o', 'u'), body(-1, 'o', 'v'), '{"order_id":"o"}', body(1, 'other', 'w'))
  expect((await findOwners(scope, 'o')).orders).toEqual([
    { userId: 'u', orderId: 'o' },
    { userId: 'v', orderId: 'o' },
  ])
  await work(...pipeline.stages)
  for (const name of ['raw', 'valid', 'counted']) await redis.xtrim(`orders:${name}`, 'MAXLEN', 0)
  expect(await findOwners(scope, 'o')).toMatchObject({
    orders: [{ userId: 'v', orderId: 'o' }],
    nameless: [{ code: 'missing-field' }],
  })
})

test('the id of a message leads to its orders that wait or were rejected, and to one of them by its place', async () => {
  const text = `[${[body(1, 'o1'), body(1, 'o2'), body(-1, 'o3', 'v'), '{"user_id":"w"}', '[1]']}]`
  const parts = (
    await received(
      [
        { MessageId: 'm-7', Body: text },
        { MessageId: 'm-70', Body: body(1, 'o4') },
      ],
      true,
    )
  ).map(({ record }) => record)
  await enqueue(redis, scope.keys, parts)
  const [o1, o2, o3] = ['o1', 'o2', 'o3'].map((orderId) => ({ userId: orderId === 'o3' ? 'v' : 'u', orderId }))
  expect((await findOwners(scope, 'm-7')).orders).toEqual([o1, o2, o3])
  expect((await findOwners(scope, 'm-7/1')).orders).toEqual([o2])
  await work(...pipeline.stages)
  for (const name of ['raw', 'valid', 'counted']) await redis.xtrim(`orders:${name}`, 'MAXLEN', 0)
  expect(await findOwners(scope, 'm-7')).toMatchObject({
    orders: [o3],
    nameless: [{ code: 'missing-field' }, { code: 'not-an-object' }],
  })
  const printed = masked(await command('m-7/2'))
  expect(printed).toMatch('One order of message m-7/2 is in the streams.')
  expect(printed).toMatch('Order o3 of user v was not accepted and is in the invalid channel.')
  expect(printed).toMatch('It came in a body of many orders, as m-7/2.')
})

test.each(['a/b', '%', '🙂', 'a\u0000b', '__proto__', 'invalid'])(
  '%j is traced by the API under its encoded name',
  async (name) => {
    await send(body(150.75, name, name))
    await work(...pipeline.stages)
    const encoded = encodeURIComponent(name)
    const response = await fetch(`${server.url}/orders/${encoded}/${encoded}/trace`)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ user_id: name, order_id: name, where: 'ranked', amount: 150.75 })
  },
)

test('a name that is no text is refused as everywhere, and the document has the route', async () => {
  expect((await fetch(`${server.url}/orders/%ED%A0%80/o/trace`)).status).toBe(400) // half a surrogate pair
  const { paths, components } = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
    paths: Record<string, { get?: { parameters: { name: string }[] } }>
    components: { schemas: Record<string, unknown> }
  }
  expect(paths['/orders/{user_id}/{order_id}/trace']?.get?.parameters.map(({ name }) => name)).toEqual([
    'user_id',
    'order_id',
  ])
  expect(Object.keys(components.schemas)).toEqual(expect.arrayContaining(['Trace', 'Step', 'UserRank']))
})

async function command(...args: string[]): Promise<string> {
  await using run = runOrders(['trace', ...args], envOf(url))
  expect([await run.exit(), run.stderr()]).toEqual([{ code: 0, signal: null }, ''])
  return run.stdout()
}

const masked = (text: string): string =>
  text
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'T')
    .replaceAll(/, \d+ (s|min) ago,?/g, '')
    .replaceAll(/\d{13}-\d+/g, 'ID')
    .replaceAll(/m\d+/g, 'M')

test('orders trace prints a text for people, and as JSON what the API replies', async () => {
  await send(body(-1))
  await work(validate)
  const entries = await readOldest(redis, scope.partitions, { after: '0-0', until: '+', count: 1 })
  await replayEntries(scope, entries, { jobId: 'reprocess-1', limit: 1 }, { body: body('ten'), by: 'me\u001b[2J' })
  await work(validate)
  await send(body(150.75))
  const reported = masked(await command('o', '--user', 'u')).split('\n')
  expect(reported).toEqual([
    'Order o of user u waits.',
    '',
    'It came in no later than T. This is the earliest trace of it that is left.',
    'At T it was rejected the first time: order_value must be between 0 and 1000000000',
    'At T me\\u{1b}[2J put another body in its place.',
    'At T it was rejected, attempt 2, entry ID (bad-value): order_value must be a number. `order_value` is the text "ten", which is no amount: send a number without quotes.',
    'Since T it waits in orders:raw (entry ID, message M): no consumer of validate has it yet.',
    '',
    'Not admitted. The ledger does not have it, and its user has no counted order.',
    'Not counted. It was not admitted.',
    'Not ranked. It was not counted.',
    'Duplicates are dropped and counted only in total: the number for this order is unknown. Of all orders there were 0.',
    '',
  ])
  await pauseComponent(scope, 'validate', { by: 'me', reason: 'a test' })
  expect(masked(await command('o', '--user', 'u'))).toMatch(/\nvalidate is paused by me since T \(a test\)\.\n$/)
  await resumeComponent(scope, 'validate', { by: 'me' })
  await work(...pipeline.stages)
  expect(masked(await command('o', '--user', 'u')).split('\n')).toEqual([
    'Order o of user u is counted and ranked.',
    '',
    ...reported.slice(2, 6),
    expect.stringMatching(
      /^(At T it was admitted with 150\.75|It was admitted with 150\.75 some time in the last \d+ \w+)\. /,
    ),
    'It was counted. It does not wait for aggregate any more.',
    'It was ranked. The one order of its user is ranked.',
    '',
    reported.at(-2),
    '',
  ])
  const printed = JSON.parse(await command('o', '--user', 'u', '--json'))
  const replied = await (await fetch(`${server.url}/orders/u/o/trace`)).json()
  const timeless = { at: expect.any(String), applied: expect.anything(), ranked: expect.anything() }
  expect(printed).toEqual({ ...(replied as object), ...timeless, admitted: expect.anything() })
})

test('orders trace without --user traces every user that the streams know', async () => {
  expect(await command('o')).toBe('No order o is in the streams now. Give --user to look it up in the ledger too.\n')
  await send(body(1), body(-1, 'o', 'v'), '{"order_id":"o"}')
  await work(validate)
  const text = masked(await command('o'))
  expect(text).toMatch('2 users have an order o in the streams.')
  expect(text).toMatch(
    'Of no user: At T it was rejected, attempt 1, entry ID (missing-field): Missing required field: user_id',
  )
  expect(text).toMatch('Order o of user u waits.')
  expect(text).toMatch('Order o of user v was not accepted and is in the invalid channel.')
  expect(JSON.parse(await command('o', '--json'))).toMatchObject({
    order_id: 'o',
    users: ['u', 'v'],
    nameless: [{ code: 'missing-field' }],
    traces: [{ where: 'waiting' }, { where: 'invalid' }],
  })
  await using refused = runOrders(['trace'], envOf(url))
  expect((await refused.exit()).code).toBe(2)
  expect(refused.stderr()).toBe('orders trace: expected one order_id: see orders trace --help.\n')
})

test('orders are traced, and users ranked and paged, on a Redis Cluster too', async (context) => {
  requireRedisServer(context)
  await using own = await spawnRedisCluster()
  const { node } = own
  await using all = runOrders(
    ['run', 'validate', 'aggregate', 'leaderboard', 'api'],
    envOf(own.url, undefined, { REDIS_CLUSTER: 'true' }),
  )
  await all.started()
  const api = await all.apiUrl()
  const keys = makeKeys(0)
  await enqueue(
    node,
    keys,
    ['v', 'u'].map((user) => ({ id: user, body: body(2, 'o', user) })),
  )
  const get = async (path: string): Promise<unknown> => (await fetch(`${api}${path}`)).json()
  const traced = await until(
    'it to be ranked',
    () => get('/orders/u/o/trace') as Promise<OrderLocation>,
    ({ where }) => where === 'ranked',
  )
  expect(traced).toMatchObject({ amount: 2, scanned: [{ stream: '{p0}:orders:raw', whole: true }, {}, {}, {}, {}] })
  expect(await get('/users/u/rank')).toMatchObject({ spend: { rank: 2, score: 2 }, orders: { rank: 2, users: 2 } })
  const { next } = (await get('/stats/top-users?n=1&after=')) as { next: string }
  expect(await get(`/stats/top-users?after=${next}`)).toMatchObject({
    offset: 1,
    users: [{ user_id: 'u' }],
    next: null,
  })
})
