import { describe, expect, test } from 'vitest'
import { getFrom } from '../support/expected.ts'
import { ended, send, writing } from '../support/jobs.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { emptyRedis, emptySqs, envOf } from '../support/world.ts'

/** The largest message of SQS, since 2025. */
const maxBytes = 1_048_576

/** An order of exactly that size, with two-byte characters. */
function largeOrder(order_id: string, order_value: number): string {
  const order = {
    ...{ user_id: 'user_7', order_id, order_value, order_timestamp: '2026-11-23T10:00:00Z' },
    items: [{ product_id: 'P001', quantity: 2, price_per_unit: 25 }],
    ...{ payment_method: 'PayPal', shipping_address: '' },
  }
  const left = maxBytes - Buffer.byteLength(JSON.stringify(order))
  const text = JSON.stringify({ ...order, shipping_address: 'é'.repeat(left >> 1) + 'x'.repeat(left & 1) })
  expect(Buffer.byteLength(text)).toBe(maxBytes)
  return text
}

const item = { product_id: 'P1', quantity: 1, price_per_unit: 1 }
const items = 19_000
const itemsValue = items

/** An order as large, of many small items. */
function manyItems(order_id: string, order_value: number): string {
  const text = JSON.stringify({ user_id: 'user_8', order_id, order_value, items: Array(items).fill(item) })
  const bytes = Buffer.byteLength(text)
  expect(bytes).toBeGreaterThan(0.9 * maxBytes)
  expect(bytes).toBeLessThanOrEqual(maxBytes)
  return text
}

interface Rejected {
  readonly id: string
  readonly code: string
  readonly order?: { readonly order_id: string }
}

describe.each(['sdk', 'thin'])('messages of 1 MiB (%s)', (SQS_TRANSPORT) => {
  test('are counted, rejected, shown, corrected and replayed as any other', async () => {
    await using redis = await emptyRedis()
    await using sqs = await emptySqs()
    const env = envOf(redis.url, sqs, { SQS_TRANSPORT, BRIDGE_POLLERS: '1', SQS_DELETE_AFTER: 'write' })
    const valid = Array.from({ length: 12 }, (_, at) => largeOrder(`valid-${at}`, 50))
    const invalid = Array.from({ length: 3 }, (_, at) => largeOrder(`invalid-${at}`, 60))
    await sendBodies(env, [...valid, ...invalid, manyItems('invalid-many', 1), 'x'.repeat(maxBytes)])

    await using all = runOrders(['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'jobs', 'api'], env)
    const url = await all.apiUrl()
    const get = getFrom(url)
    await until('the queue to be empty', () => sqs.depth() === 0)
    await until('all to be ranked', async () => (await redis.redis.hget('pipeline:counters', 'ranked')) === '12')
    expect(await get('/users/user_7/stats')).toMatchObject({ order_count: 12, total_spend: 600 })

    const page = (await get('/orders/invalid?limit=100')) as unknown as Rejected[]
    expect(page.map(({ code }) => code).sort()).toEqual([
      'malformed-json',
      ...Array.from({ length: 4 }, () => 'total-mismatch'),
    ])
    const corrected = await send(`${url}/orders/reprocess`, 'POST', largeOrder('invalid-0', 50))
    expect(corrected.status).toBe(202)
    expect(await ended(url, corrected.body['job_id'])).toMatchObject({ state: 'completed' })
    await until('it to be ranked', async () => (await redis.redis.hget('pipeline:counters', 'ranked')) === '13')

    // As an editor lays it out: with more lines than the message had characters to spare.
    const edited = { ...JSON.parse(manyItems('invalid-many', 1)), order_value: itemsValue }
    const { id = '' } = page.find(({ order }) => order?.order_id === 'invalid-many') ?? {}
    const laidOut = JSON.stringify(edited, null, 2)
    expect(Buffer.byteLength(laidOut)).toBeGreaterThan(1.5 * maxBytes)
    const put = await send(`${url}/orders/invalid/${id}`, 'PUT', laidOut)
    expect(put).toMatchObject({ status: 202 })
    expect(await ended(url, put.body['job_id'])).toMatchObject({ state: 'completed' })
    await until('it to be ranked', async () => (await redis.redis.hget('pipeline:counters', 'ranked')) === '14')

    // The dashboard's picture has no bodies.
    const picture = await (await fetch(`${url}/live/snapshot`, { headers: writing })).text()
    expect(picture).toContain('total-mismatch')
    expect(picture.length).toBeLessThan(100_000)

    await using replayed = runOrders(['replay', '10'], env)
    expect([(await replayed.exit()).code, replayed.stderr()]).toEqual([0, ''])
    await using verified = runOrders(['verify', '--deep'], env)
    expect([await verified.exit(), verified.stderr()]).toEqual([{ code: 0, signal: null }, ''])
    expect(await all.stop()).toEqual({ code: 0, signal: null })
  })
})
