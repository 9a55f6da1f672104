import { Redis as Client } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Server } from '../../../../src/api/open-server.ts'
import { openApi } from '../../../../src/api/server.ts'
import type { PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { readAudit } from '../../../../src/control/audit-log.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { jobLoops } from '../../../../src/ops/jobs/workers.ts'
import { readCounters } from '../../../../src/reads/counters.ts'
import { readGlobalStats } from '../../../../src/stages/aggregate.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { ended, send } from '../../../support/jobs.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { runOrders } from '../../../support/run-orders.ts'
import { shipped } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis, envOf } from '../../../support/world.ts'

const stack = new AsyncDisposableStack()
let scope: PartitionScope
let server: Server
let env: ReturnType<typeof envOf>

/** The API, the jobs and the stages of one system, with three orders of 50 that are counted. */
beforeAll(async () => {
  const world = stack.use(await emptyRedis())
  env = envOf(world.url)
  const patient = new Client(world.url, { maxRetriesPerRequest: null }) // BullMQ's workers insist on it
  stack.defer(() => patient.disconnect())
  scope = appOn(world.redis, readConfig({ ...env, BLOCK_MS: '20' }))
  server = stack.use(await openApi(scope))
  await ensureGroups(scope)
  const stop = new AbortController()
  const loops = [
    ...shipped.stages.map((stage) => runStage(scope, stage, () => {}, stop.signal)),
    ...jobLoops({ ...scope, redis: patient }).map(({ run }) => run(() => {}, stop.signal)),
  ]
  stack.defer(async () => {
    stop.abort()
    await Promise.all(loops)
  })
  const orders = ['o1', 'o2', 'o3', 'o4', 'o5'].map((order_id) => ({ user_id: 'u', order_id, order_value: 50 }))
  await enqueue(
    world.redis,
    scope.keys,
    orders.map((order) => ({ id: order.order_id, body: JSON.stringify(order) })),
  )
  await counted({ orders: 5, minor: 25_000 })
})
afterAll(() => stack.disposeAsync())

const totals = () => readGlobalStats(scope.redis, scope.partitions)
const counted = (expected: { orders: number; minor: number }): Promise<unknown> =>
  until(`${JSON.stringify(expected)} to be counted`, totals, ({ orders, minor }) => {
    return orders === expected.orders && minor === expected.minor
  })

async function correct(path: string, body: object, headers: Record<string, string> = {}) {
  const sent = await send(`${server.url}/orders/${path}`, 'POST', { reason: 'a test', ...body }, headers)
  const job = sent.status === 202 ? await ended(server.url, sent.body['job_id']) : undefined
  return { ...sent, job }
}

test('an order is refunded, amended and cancelled, and each job has the verdict', async (context) => {
  requireRealRedis(context)
  const { body, job } = await correct('u/o1/refund', { amount: 20.5 })
  expect(body).toMatchObject({ status: 'accepted', message: 'Correction sent.' })
  expect(job?.verdict).toEqual({ verdict: 'corrected' })
  await counted({ orders: 5, minor: 22_950 })
  const amended = await correct('u/o1/amend', {
    order_value: 10,
    items: [{ product_id: 'P', quantity: 2, price_per_unit: 5 }],
  })
  expect(amended.job?.verdict).toEqual({ verdict: 'corrected' })
  await counted({ orders: 5, minor: 21_000 })
  expect((await correct('u/o1/cancel', {})).job?.verdict).toEqual({ verdict: 'corrected' })
  await counted({ orders: 4, minor: 20_000 })
  expect((await correct('u/o1/cancel', {})).job?.verdict).toEqual({ verdict: 'duplicate' })
  expect(await readCounters(scope.redis, scope.partitions)).toMatchObject({ corrected: 3, 'corrected:amended': 1 })
})

test('what is not possible is rejected with a reason', async (context) => {
  requireRealRedis(context)
  expect((await correct('u/o2/refund', { amount: 50.01 })).job?.verdict).toMatchObject({
    verdict: 'rejected',
    code: 'refund-exceeds',
    reason: expect.stringContaining('50.01 exceeds the 50 that'),
  })
  expect((await correct('u/none/cancel', {})).job?.verdict).toMatchObject({ code: 'unknown-order' })
  expect((await correct('u/o2/amend', { order_value: 9, items: [] })).job?.verdict).toMatchObject({
    code: 'total-mismatch',
  })
})

test('a request with wrong fields is refused, and sends nothing', async () => {
  for (const [path, body] of [
    ['u/o2/refund', {}],
    ['u/o2/refund', { amount: -1 }],
    ['u/o2/refund', { amount: '1' }],
    ['u/o2/amend', { amount: 1 }],
    ['u/o2/cancel', { amount: 1 }],
    ['u/o2/cancel', { reason: '' }],
    ['u/o2/cancel', { event_id: '' }],
    [`u/${'x'.repeat(257)}/cancel`, {}],
  ] as const)
    expect([path, (await correct(path, body)).status]).toEqual([path, 422])
})

test('an Idempotency-Key stands for one correction of one order', async (context) => {
  requireRealRedis(context)
  const before = await totals()
  const headers = { 'idempotency-key': 'a-key' }
  const [first, again] = [
    await correct('u/o3/refund', { amount: 1 }, headers),
    await correct('u/o3/refund', { amount: 1 }, headers),
  ]
  expect(again?.body['job_id']).toBe(first?.body['job_id'])
  expect((await correct('u/o4/refund', { amount: 1 }, headers)).status).toBe(409)
  await counted({ orders: before.orders, minor: before.minor - 100 })
  // An event_id outlasts the key.
  for (const verdict of ['corrected', 'duplicate'])
    expect((await correct('u/o3/refund', { amount: 2, event_id: 'r7' })).job?.verdict).toEqual({ verdict })
  expect((await correct('u/o3/refund', { amount: 3, event_id: 'r7' })).job?.verdict).toMatchObject({
    verdict: 'conflict',
  })
})

test('the audit log says who corrected which order, and why', async (context) => {
  requireRealRedis(context)
  await correct('u/o4/refund', { amount: 1 }, { 'x-operator': 'ada' })
  const [entry] = await readAudit(scope.redis, scope.control, { limit: 1 })
  expect(entry).toMatchObject({ action: 'refund-order', by: 'ada', outcome: '202' })
  expect(JSON.parse(entry?.what ?? '')).toMatchObject({
    ...{ user_id: 'u', order_id: 'o4', body: { amount: 1, reason: 'a test' } },
    job: expect.stringMatching(/^reprocess-/),
  })
})

test('a command does the same, and its exit code says whether the order is corrected', async (context) => {
  requireRealRedis(context)
  const run = async (...args: string[]) => {
    await using command = runOrders(['correct', ...args], env)
    const { code } = await command.exit()
    return { code, out: command.stdout(), err: command.stderr() }
  }
  const before = await totals()
  expect(await run('refund', 'u', 'o5', '--amount', '12.5', '--reason', 'x', '--wait')).toMatchObject({
    ...{ code: 0, out: 'Corrected: refund of order o5 of user u.\n' },
  })
  expect(await run('refund', 'u', 'o5', '--amount', '99', '--reason', 'x', '--wait')).toMatchObject({
    ...{ code: 1, out: expect.stringContaining('exceeds the 37.5 that') },
  })
  expect(await run('cancel', 'u', 'o5', '--reason', 'x', '--json', '--wait')).toMatchObject({
    ...{ code: 0, out: expect.stringContaining('"verdict":"corrected"') },
  })
  await counted({ orders: before.orders - 1, minor: before.minor - 5_000 })
  expect(await run('amend', 'u', 'o4', '--value', '3', '--reason', 'x')).toMatchObject({
    ...{ code: 0, out: expect.stringContaining('orders jobs show reprocess-') },
  })
  for (const args of [
    ['cancel', 'u', 'o4'],
    ['refund', 'u', 'o4', '--reason', 'x'],
    ['amend', 'u', 'o4', '--reason', 'x', '--amount', '1'],
    ['cancel', 'u', '--reason', 'x'],
    ['cancel', 'u', '', '--reason', 'x'],
    ['refund', 'u', 'o4', '--reason', 'x', '--amount', '1,5'],
  ])
    expect([args, (await run(...args)).code]).toEqual([args, 2])
})
