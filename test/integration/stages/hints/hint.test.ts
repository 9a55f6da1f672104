import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Server } from '../../../../src/api/open-server.ts'
import { openApi } from '../../../../src/api/server.ts'
import type { PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { locationLines } from '../../../../src/ops/terminal/location-text.ts'
import { textOf } from '../../../../src/ops/terminal/output.ts'
import { readCounters, waitingFor } from '../../../../src/reads/counters.ts'
import { locateOrder } from '../../../../src/reads/locate/locate.ts'
import { readOldest } from '../../../../src/stages/invalid/oldest.ts'
import { readOutcome, readVerdict } from '../../../../src/stages/invalid/outcome.ts'
import { discardEntry } from '../../../../src/stages/invalid/requeue.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { validate } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const stack = new AsyncDisposableStack()
let redis: Redis
let scope: PartitionScope
let server: Server

const bodies = [
  '{"user_id":"u","order_id":"o","order_value":"10,50"}',
  '{"user_id":"u","order_id":"p","order_value":1,}',
]
const hints = [
  '`order_value` is the text "10,50" with a decimal comma: send 10.50 as a number, without quotes.',
  'A trailing comma stands at character 46 before the closing }: remove it.',
]

beforeAll(async () => {
  const world = stack.use(await emptyRedis())
  redis = world.redis
  scope = appOn(redis, readConfig({ REDIS_URL: world.url, API_PORT: '0', BLOCK_MS: '50' }))
  server = stack.use(await openApi(scope))
  await ensureGroups(scope)
  await enqueue(
    redis,
    scope.keys,
    bodies.map((body, at) => ({ id: `m${at}`, body, jobId: `t${at}` })),
  )
  const stop = new AbortController()
  const running = runStage(scope, validate, () => {}, stop.signal)
  await until(
    'the orders to be judged',
    () => readCounters(redis, scope.partitions),
    (counters) => waitingFor(validate, counters) === 0,
  )
  stop.abort()
  await running
})
afterAll(() => stack.disposeAsync())

async function get(path: string): Promise<never> {
  const response = await fetch(`${server.url}${path}`)
  expect(response.status).toBe(200)
  return (await response.json()) as never
}

test('the list, one entry and the summary show the hint next to the reason; it is not stored', async () => {
  const list: { id: string; hint?: string }[] = await get('/orders/invalid')
  expect(list.map(({ hint }) => hint)).toEqual(hints.toReversed())
  expect(await get(`/orders/invalid/${list[1]?.id}`)).toMatchObject({
    order: { order_value: '10,50' },
    reason: 'order_value must be a number',
    hint: hints[0],
  })
  const { reasons }: { reasons: { example: { hint?: string } }[] } = await get('/orders/invalid/summary')
  expect(reasons.map(({ example }) => example.hint).toSorted()).toEqual(hints.toSorted())
  expect(JSON.stringify(await redis.xrange(scope.keys.invalid, '-', '+'))).not.toContain('decimal comma')
})

test('the trace of an order shows it, as a route and in lines, and after the order was given up', async () => {
  expect(await get('/orders/u/o/trace')).toMatchObject({ invalid: [{ reason: expect.any(String), hint: hints[0] }] })
  const trace = await locateOrder(scope, { userId: 'u', orderId: 'o' })
  expect(textOf(locationLines(trace, scope.format.money))).toContain(
    `(bad-value): order_value must be a number. ${hints[0]}`,
  )
  const [entry] = await readOldest(redis, scope.partitions, { after: '0-0', until: '+', count: 1 })
  expect(entry && (await discardEntry(scope, entry, { reason: 'a test', by: 'you' }))).toBe(true)
  const { discarded } = await locateOrder(scope, { userId: 'u', orderId: 'o' })
  expect(discarded).toMatchObject([{ rejected: { hint: hints[0] } }])
})

test('the verdict on the order of a job shows it', async () => {
  const outcome = await readOutcome(redis, scope.partitions, 't1')
  expect(await readVerdict(scope, outcome)).toMatchObject({
    reason: 'Malformed JSON',
    hint: hints[1],
  })
})
