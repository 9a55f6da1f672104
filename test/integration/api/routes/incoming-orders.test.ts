import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Server } from '../../../../src/api/open-server.ts'
import { openApi } from '../../../../src/api/server.ts'
import type { PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { enqueueOnce } from '../../../../src/ingest/enqueue.ts'
import { makePartitions } from '../../../../src/keys.ts'
import { partitionFor } from '../../../../src/partitions.ts'
import { readCounters } from '../../../../src/reads/counters.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { corrected, send } from '../../../support/jobs.ts'
import { shipped as pipeline } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const stack = new AsyncDisposableStack()
let redis: Redis
let scope: PartitionScope
let server: Server

/** With partitions, so that an order that is read in two ways ends in two of them. */
beforeAll(async () => {
  const world = stack.use(await emptyRedis())
  redis = world.redis
  const partitions = makePartitions(4)
  const config = readConfig({ REDIS_URL: world.url, API_PORT: '0', BLOCK_MS: '50', PARTITIONS: '4' })
  scope = appOn(redis, config, { partitions, keys: partitions[0] as PartitionScope['keys'] })
  server = stack.use(await openApi(scope))
})
afterAll(() => stack.disposeAsync())
beforeEach(async () => {
  await redis.flushdb()
  for (const keys of scope.partitions) await ensureGroups({ ...scope, keys })
})

let sent = 0

/** Sends bodies to the partitions that they belong to, and lets the pipeline judge them. */
async function process(...bodies: string[]): Promise<void> {
  for (const body of bodies) await enqueueOnce(scope, `t${++sent}`, { id: `m${sent}`, body })
  const stop = new AbortController()
  const running = scope.partitions.flatMap((keys) =>
    pipeline.stages.map((stage) => runStage({ ...scope, keys }, stage, () => {}, stop.signal)),
  )
  await until(
    'every order to be ranked or rejected',
    () => readCounters(redis, scope.partitions),
    ({ received = 0, ranked = 0, rejected = 0, duplicates = 0 }) => received === ranked + rejected + duplicates,
  )
  stop.abort()
  await Promise.all(running)
}

async function get(path: string): Promise<unknown> {
  return (await fetch(`${server.url}${path}`)).json()
}

test('the same money in other digits is a duplicate, and a cent more is a conflict', async () => {
  const order = (value: string, price: string, id: string): string =>
    `{"user_id":"u","order_id":"${id}","order_value":${value},"items":[{"quantity":1,"price_per_unit":${price}}]}`
  await process(order('0.8', '0.8', 'a'), order('0.7999999999999999', '0.8', 'a'))
  await process(order('5', '5', 'b'), order('5.001', '5.001', 'b'), order('5.01', '5.01', 'b'))
  expect(await readCounters(redis, scope.partitions)).toMatchObject({ admitted: 2, duplicates: 2, rejected: 1 })
  expect(await get('/orders/invalid')).toMatchObject([
    { reason: 'Order b of user u was already accepted with order_value 5', order: { order_value: 5.01 } },
  ])
})

/** Neighbors that are one number to a double, and fall to different partitions. */
const users = ['9007199254740992', '9007199254740993', '9007199254740994', '9007199254740995']

test('orders of integer ids beyond 2^53 are those of their digits: in stats, trace and partition, as number and as text', async () => {
  expect(new Set(users.map((user) => partitionFor(scope.partitions, user))).size).toBeGreaterThan(1)
  for (const user of users) {
    await process(`{"user_id":${user},"order_id":123456789012345678901,"order_value":1.5}`)
    await process(`{"user_id":"${user}","order_id":"123456789012345678901","order_value":1.50}`)
  }
  expect(await readCounters(redis, scope.partitions)).toMatchObject({ admitted: 4, duplicates: 4 })
  for (const user of users) {
    expect(await get(`/users/${user}/stats`)).toEqual({ user_id: user, order_count: 1, total_spend: 1.5 })
    expect(await get(`/orders/${user}/123456789012345678901/trace`)).toMatchObject({ where: 'ranked' })
    expect(await get(`/orders/${user}/123456789012345678902/trace`)).toMatchObject({ where: 'unknown' })
  }
})

test('a rejected order of such ids is found by them, whether it is kept as JSON or as text', async () => {
  const [user = '', other = ''] = users
  const fields = `"order_id":123456789012345678901,"order_value":-1`
  await process(`{"user_id":${user},${fields}}`)
  await process(`{"user_id":${other},"discount":NaN,${fields}}`)
  for (const [id, kept] of [
    [user, { order: { order_value: -1 } }],
    [other, { order: null, raw: `{"user_id":${other},"discount":NaN,${fields}}` }],
  ] as const) {
    expect(await get(`/orders/invalid?user_id=${id}`)).toMatchObject([{ code: 'bad-value', ...kept }])
    expect(await get(`/orders/${id}/123456789012345678901/trace`)).toMatchObject({ where: 'invalid' })
  }
})

test('an order with NaN where no rule looks is counted; one that is refused is shown as valid JSON with its exact text', async () => {
  const order = (value: number): string => `{"user_id":"u","order_id":"o","order_value":${value},"discount":NaN}`
  await process(order(10.5), order(10.5), order(11))
  expect(await get('/users/u/stats')).toEqual({ user_id: 'u', order_count: 1, total_spend: 10.5 })
  expect(await get('/orders/invalid?user_id=u')).toMatchObject([
    {
      reason: 'Order o of user u was already accepted with order_value 10.5',
      ...{ order: null, raw: order(11) },
    },
  ])
})

test.each(['2026-11-23 10:00:00.123456', '2026-11-23', '2026-11-23T10:00:00+0000', 'yesterday', ''])(
  'a corrected order may have any text as order_timestamp: %j',
  async (order_timestamp) => {
    const reply = await send(`${server.url}/orders/reprocess`, 'POST', { ...corrected, order_timestamp })
    expect(reply).toMatchObject({ status: 202, body: { status: 'accepted' } })
  },
)

test.each([
  ['user_id', '9007199254740993'],
  ['order_id', '9'.repeat(256)],
  ['order_id', `-${'9'.repeat(256)}`],
])('a corrected order may have an integer beyond 2^53 as %s', async (field, digits) => {
  await redis.flushdb()
  const text = JSON.stringify({ ...corrected, [field]: 0 }).replace(`"${field}":0`, `"${field}":${digits}`)
  const product = text.replace('"P1"', digits)
  for (const body of [text, product]) {
    expect(await send(`${server.url}/orders/reprocess`, 'POST', body)).toMatchObject({ status: 202 })
  }
  const audited = await redis.xrange('{p0}:pipeline:audit', '-', '+')
  expect(audited.join(' ')).toMatch(`"${field}":${digits.length > 200 ? '"' : ''}${digits.slice(0, 200)}`)
})

test.each([
  ['order_timestamp', '5'],
  ['order_timestamp', 'null'],
  ['user_id', '1.5'],
  ['user_id', '1e20'],
  ['user_id', '9'.repeat(257)],
  ['order_id', '{"rawJSON":"5"}'],
])('a corrected order with %s %s is refused by name', async (field, json) => {
  const body = JSON.stringify({ ...corrected, [field]: 'x' }).replace(`"${field}":"x"`, `"${field}":${json}`)
  expect(await send(`${server.url}/orders/reprocess`, 'POST', body)).toMatchObject({
    status: 422,
    body: { errors: [{ field }] },
  })
})
