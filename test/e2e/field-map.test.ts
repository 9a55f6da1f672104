import { describe, expect, test } from 'vitest'
import { makePartitions } from '../../src/keys.ts'
import type { OrderFormat } from '../../src/order/format.ts'
import { writeOrder } from '../../src/order/write-order.ts'
import { partitionFor } from '../../src/partitions.ts'
import { readCounters } from '../../src/reads/counters.ts'
import { sendEnveloped } from '../support/enveloped.ts'
import { expectStats, getFrom, waves } from '../support/expected.ts'
import { ended, send } from '../support/jobs.ts'
import { Oracle } from '../support/oracle.ts'
import { spawnOrders } from '../support/process.ts'
import { requireRealRedis } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { formatOfShop, ownOrder, type Shop, type ShopOrder, shopFields, shopOrders } from '../support/shops.ts'
import { expectExact } from '../support/state.ts'
import { until } from '../support/until.ts'
import { emptyRedis, emptySqs, envOf } from '../support/world.ts'

/** An order as the shop sends it, and the same one under our own names, for the oracle. */
interface Pair {
  readonly sent: string
  readonly own: string
}

type Members = Record<string, unknown>

function* shopPairs(shop: Shop, count: number): Generator<Pair> {
  for (let at = 0; at < count; at++) {
    const lines = Array.from({ length: 1 + (at % 3) }, (_, line) => ({
      sku: `S-${(at + line) % 40}`,
      quantity: 1 + ((at + line) % 4),
      cents: 99 + ((at * 137 + line * 53) % 9_000),
    }))
    const order: ShopOrder = { user: 7_310_000_000_000 + (at % 25), id: 5_820_000_000_000 + at, lines }
    const [sent, own] = [shopOrders[shop](order) as Members, ownOrder(order) as Members]
    const pair = spoiled(shop, sent, own, at)
    yield pair
    if (at % 10 === 3) yield pair // a duplicate
  }
}

/** An order through the map. The characters that the emulator of SQS refuses are written as escapes. */
const throughMap = (body: string, format: OrderFormat): string =>
  writeOrder(body, format).replace(/[\ud800-\udfff\ufffe\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16)}`)

/** Every ninth order breaks a rule, each time another one. */
function spoiled(shop: Shop, sent: Members, own: Members, at: number): Pair {
  const [value, user] = shop === 'shopify' ? ['total_price', 'customer'] : ['total', 'customer_id']
  const { user_id: _, ...anonymous } = own
  const { [user]: __, ...guest } = sent
  const ways: readonly (readonly [sent: Members, own: Members])[] = [
    [guest, anonymous],
    [
      { ...sent, [value]: '12,50' },
      { ...own, order_value: '12,50' },
    ],
    [
      { ...sent, [value]: '-1.00' },
      { ...own, order_value: -1 },
    ],
    [
      { ...sent, [value]: '999999.00' },
      { ...own, order_value: 999_999 },
    ],
    [
      { ...sent, line_items: 'none' },
      { ...own, items: 'none' },
    ],
    [
      { ...sent, line_items: [{ sku: 'A', quantity: 1, price: 'free' }] },
      { ...own, items: [{ product_id: 'A', quantity: 1, price_per_unit: 'free' }] },
    ],
  ]
  const way = at % 9 === 8 ? ways[Math.floor(at / 9) % ways.length] : undefined
  const [shown, judged] = way ?? [sent, own]
  return { sent: JSON.stringify(shown), own: JSON.stringify(judged) }
}

describe.each(['shopify', 'wooCommerce'] as const)('orders of %s', (shop) => {
  test('in two partitions and in envelopes come to what the oracle says of the same orders under our names', async () => {
    await using world = await emptyRedis()
    await using sqs = await emptySqs()
    const env = envOf(world.url, sqs, { PARTITIONS: '2', ORDER_FIELDS: shopFields[shop] })
    await using bridge = runOrders(['run', 'bridge'], env)
    await using line = runOrders(['run', 'validate', 'aggregate', 'leaderboard', 'api', 'jobs'], env)
    await Promise.all([bridge.started(), line.started()])
    const url = await line.apiUrl()
    const format = formatOfShop(shop)
    const oracle = new Oracle()
    const partitions = makePartitions(2)
    const settled = () =>
      until(
        'all to be judged and ranked',
        () => readCounters(world.redis, partitions),
        (counters) =>
          (counters['ranked'] ?? 0) === oracle.admitted &&
          (counters['rejected'] ?? 0) === oracle.rejected &&
          (counters['duplicates'] ?? 0) === oracle.duplicates,
      )

    const pairs = [...shopPairs(shop, 300)]
    for (const { own } of pairs) oracle.take(own)
    await sendEnveloped(
      env,
      pairs.map(({ sent }) => sent),
    )
    await settled()
    for (const wave of waves(250, 7)) {
      for (const body of wave) oracle.take(body)
      await sendBodies(
        env,
        wave.map((body) => throughMap(body, format)),
      )
      await settled()
    }
    await expectStats(getFrom(url), oracle)

    const invalid = (await (await fetch(`${url}/orders/invalid?limit=1000`)).json()) as Members[]
    const tally = new Map<string, number>()
    for (const { reason } of invalid as { reason: string }[]) tally.set(reason, (tally.get(reason) ?? 0) + 1)
    expect(tally).toEqual(oracle.reasons)
    const isGuest = ({ reason, order }: Members): boolean =>
      String(reason).endsWith('user_id') && Number((order as Members | null)?.['id']) >= 5_820_000_000_000
    const guest = invalid.find(isGuest)
    expect(guest?.['hint']).toMatch(/^ORDER_FIELDS reads user_id from `customer/)

    // The guest's order is corrected as the shop would have sent it, in its place; another one under our names, as ever.
    const corrected: Members = {
      ...(guest?.['order'] as Members),
      ...(shop === 'shopify' ? { customer: { id: 99 } } : { customer_id: 99 }),
    }
    const edit = await send(`${url}/orders/invalid/${guest?.['id']}`, 'PUT', corrected)
    expect(await ended(url, edit.body['job_id'])).toMatchObject({ verdict: { verdict: 'admitted' } })
    const trace = await getFrom(url)(`/orders/99/${corrected['id']}/trace`)
    expect(trace).toMatchObject({ sent: [{ invalid_id: guest?.['id'], verdict: 'admitted' }] })
    const own = {
      ...{ user_id: '98', order_id: 'corrected', order_value: 5, order_timestamp: '2026-11-28T10:00:00Z' },
      ...{ items: [{ product_id: 'A', quantity: 1, price_per_unit: 5 }], shipping_address: '1', payment_method: 'p' },
    }
    const posted = await send(`${url}/orders/reprocess`, 'POST', own)
    expect(await ended(url, posted.body['job_id'])).toMatchObject({ verdict: { verdict: 'admitted' } })
    const refused = await send(`${url}/orders/reprocess`, 'POST', { ...own, id: 17 })
    expect(refused).toMatchObject({
      status: 422,
      body: { errors: [{ field: 'id', message: 'ORDER_FIELDS reads order_id there: leave it out' }] },
    })
    await until(
      'both to be counted',
      () => Promise.all(['99', '98'].map((user) => getFrom(url)(`/users/${user}/stats`))),
      (stats) => stats.every(({ order_count }) => order_count === 1),
    )
    for (const user of ['99', '98']) {
      const key = partitionFor(partitions, user).userStats(user)
      expect(await world.redis.hget(key, 'order_count')).toBe('1')
    }
  })
})

test('a replay after the map is set, its worker killed with -9 four times, brings every order in once', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs, { JOB_LOCK_MS: '500' })
  const oracle = new Oracle()
  const valid = [...shopPairs('shopify', 1_500)].filter(({ own }) => {
    const alone = new Oracle()
    alone.take(own)
    return alone.admitted === 1
  })
  const pairs = [...new Map(valid.map((pair) => [pair.sent, pair])).values()]
  {
    await using before = runOrders(['run', 'bridge', 'validate', 'aggregate', 'leaderboard'], env)
    await before.started()
    await sendBodies(
      env,
      pairs.map(({ sent }) => sent),
    )
    await until(
      'all to be rejected',
      () => world.redis.llen('invalid_orders'),
      (length) => length === pairs.length,
    )
    await before.stop()
  }
  for (const { own } of pairs) oracle.take(own)
  const mapped = { ...env, ORDER_FIELDS: shopFields.shopify }
  await using line = runOrders(['run', 'validate', 'aggregate', 'leaderboard', 'api'], mapped)
  await line.started()
  const url = await line.apiUrl()
  const [first] = (await (await fetch(`${url}/orders/invalid?limit=1`)).json()) as Members[]
  expect(first).toMatchObject({ hint: 'The order is valid by the present settings, so a replay may accept it.' })
  const { body } = await send(`${url}/orders/replay`, 'POST', {})
  const replayed = async () => Number((await world.redis.hget('pipeline:counters', 'replayed')) ?? 0)
  for (let kills = 0; kills < 4; kills++) {
    const before = await replayed()
    await using worker = spawnOrders(['run', 'jobs'], mapped)
    await worker.started()
    await until('the worker to have moved some', replayed, (now) => now > before || now === pairs.length)
    await worker.kill('SIGKILL')
  }
  await using last = runOrders(['run', 'jobs'], mapped)
  await last.started()
  expect(await ended(url, body['job_id'])).toMatchObject({ state: 'completed' })
  await expectExact(world.redis, oracle, 0)
})

test('a bridge without the map has nothing counted in a wrong partition, and a correction brings each order to its user', async (context) => {
  requireRealRedis(context) // nothing of the emulator is checked at a start
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs, { PARTITIONS: '2' })
  const mapped = { ...env, ORDER_FIELDS: shopFields.shopify }
  await using bridge = runOrders(['run', 'bridge'], env)
  await bridge.started()
  await using line = runOrders(['run', 'validate', 'aggregate', 'leaderboard', 'api', 'jobs'], mapped)
  await line.started()
  const warned = line.events('checkWarned').filter(({ check }) => check === 'order format')
  expect(warned).toMatchObject([
    { found: expect.stringMatching(/^bridge was started with no ORDER_FIELDS, this process has /) },
  ])
  const url = await line.apiUrl()
  const pairs = Array.from({ length: 20 }, (_, at) => {
    const order = { user: 100 + at, id: at, lines: [{ sku: 'A', quantity: 1, cents: 500 }] }
    return {
      user: String(order.user),
      sent: JSON.stringify(shopOrders.shopify(order)),
      own: JSON.stringify(ownOrder(order)),
    }
  })
  const partitions = makePartitions(2)
  const away = pairs.filter(({ user }) => partitionFor(partitions, user) !== partitions[0])
  expect(away.length).toBeGreaterThan(4)
  await sendBodies(
    env,
    pairs.map(({ sent }) => sent),
  )
  await until(
    'all to be judged',
    () => readCounters(world.redis, partitions),
    (counters) => counters['ranked'] === 20 - away.length && counters['rejected:other-partition'] === away.length,
  )
  await expectStats(getFrom(url), taken(pairs.filter((pair) => !away.includes(pair))))
  const invalid = (await (await fetch(`${url}/orders/invalid?limit=100`)).json()) as { id: string; order: object }[]
  for (const { id, order } of invalid) {
    const { body } = await send(`${url}/orders/invalid/${id}`, 'PUT', order)
    expect(await ended(url, body['job_id'])).toMatchObject({ verdict: { verdict: 'admitted' } })
  }
  await until(
    'all to be ranked',
    () => readCounters(world.redis, partitions),
    (counters) => counters['ranked'] === 20,
  )
  await expectStats(getFrom(url), taken(pairs))
})

function taken(pairs: readonly Pick<Pair, 'own'>[]): Oracle {
  const oracle = new Oracle()
  for (const { own } of pairs) oracle.take(own)
  return oracle
}

test.each(['user:customer.id', 'user_id:', 'user_id:a,user_id:b', '/no/such/fields.json'])(
  'ORDER_FIELDS=%s: nothing starts, and one line says what is expected',
  async (ORDER_FIELDS) => {
    await using start = runOrders(['run', 'validate'], { ORDER_FIELDS })
    expect(await start.exit()).toEqual({ code: 1, signal: null })
    expect(start.stderr()).toMatch(/^ORDER_FIELDS is "[^\n]*": expected [^\n]*\.\n$/)
  },
)
