import { expect, test } from 'vitest'
import { makePartitions } from '../../src/keys.ts'
import { expectStats, type Get, getFrom, waves } from '../support/expected.ts'
import { joined, packed } from '../support/many.ts'
import { Oracle } from '../support/oracle.ts'
import { spawnOrders } from '../support/process.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { striking } from '../support/strike.ts'
import { until } from '../support/until.ts'
import { emptyRedis, emptySqs, envOf } from '../support/world.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const many = { ORDERS_PER_BODY: 'many' }

interface Books {
  readonly received: number
  readonly admitted: number
  readonly duplicates: number
  readonly rejected: number
  readonly balanced: boolean
  readonly stages: readonly { readonly waiting: number }[]
}

/** Waits until nothing waits and at least so many orders were received. */
async function booksOf(get: Get, received: number): Promise<Books> {
  return until(
    `seed ${seed}: ${received} to be through`,
    async () => (await get('/integrity')) as unknown as Books,
    (books) => books.received >= received && books.stages.every(({ waiting }) => waiting === 0),
  )
}

test.each(['1', '3'])(
  'bodies of 1 to 300 orders in all forms come to what an independent oracle says, partitions: %s',
  async (partitions) => {
    await using redis = await emptyRedis()
    await using sqs = await emptySqs()
    const env = envOf(redis.url, sqs, { ...many, PARTITIONS: partitions })
    await using all = runOrders(['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'api'], env)
    const get = getFrom(await all.apiUrl())
    const oracle = new Oracle()
    for (const wave of waves(3_000, seed)) {
      for (const sent of wave) oracle.take(sent)
      await sendBodies(env, packed(wave))
      await booksOf(get, oracle.received)
    }
    const { received, admitted, duplicates, rejected, balanced } = await booksOf(get, oracle.received)
    expect({ received, admitted, duplicates, rejected, balanced }).toEqual({
      received: oracle.received,
      admitted: oracle.admitted,
      duplicates: oracle.duplicates,
      rejected: oracle.rejected,
      balanced: true,
    })
    await expectStats(get, oracle)
    const lists = makePartitions(Number(partitions)).map(({ invalidOrders }) => invalidOrders)
    const invalid = (await Promise.all(lists.map((list) => redis.redis.lrange(list, 0, -1)))).flat()
    const tally = new Map<string, number>()
    for (const line of invalid) {
      const { reason } = JSON.parse(line)
      tally.set(reason, (tally.get(reason) ?? 0) + 1)
    }
    expect(tally).toEqual(oracle.reasons)
    await until(
      'the queue to be empty',
      () => sqs.depth(),
      (depth) => depth === 0,
    )
    expect(await all.stop()).toEqual({ code: 0, signal: null })
  },
)

/** 10,000 orders, of which every 97th is bad in its own way. */
const orders = Array.from({ length: 10_000 }, (_, at) =>
  JSON.stringify({ user_id: `u${at % 31}`, order_id: at, ...(at % 97 === 5 ? {} : { order_value: 1.25 }) }),
)
const bad = orders.flatMap((order, at) => (order.includes('order_value') ? [] : [at]))

test('a bridge killed -9 again and again within a body of 10,000 orders for three partitions: each is counted, or rejected, once', async () => {
  const count = 3
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  const partitions = makePartitions(count)
  const env = envOf(redis.url, sqs, {
    ...many,
    SQS_VISIBILITY_TIMEOUT_SECONDS: '5',
    BRIDGE_POLLERS: '1',
    PARTITIONS: `${count}`,
  })
  await using rest = runOrders(['run', 'validate', 'aggregate', 'leaderboard', 'api'], env)
  const get = getFrom(await rest.apiUrl())
  await sendBodies(env, [joined('list', orders)])
  let before = 0
  for (const nth of [2, 41, 77]) {
    const strike = { trigger: { event: 'enqueued', nth }, pid: 0, signal: 'SIGKILL' } as const
    await using bridge = spawnOrders(['run', 'bridge'], { ...env, ...striking(strike) })
    expect(await bridge.exit()).toEqual({ code: null, signal: 'SIGKILL' })
    const { received } = (await get('/integrity')) as unknown as Books
    expect(received).toBeGreaterThan(before) // it died in the middle
    expect(received - before).toBeLessThan(orders.length)
    before = received
  }
  await using bridge = runOrders(['run', 'bridge'], env)
  const books = await booksOf(get, before + orders.length)
  expect(books).toMatchObject({
    received: before + orders.length,
    admitted: orders.length - bad.length,
    rejected: bad.length,
    duplicates: before,
    balanced: true,
  })
  const oracle = new Oracle()
  for (const order of orders) oracle.take(order)
  await expectStats(get, oracle)
  const lines = (await Promise.all(partitions.map((keys) => redis.redis.lrange(keys.invalidOrders, 0, -1)))).flat()
  const found = lines.map((line) => {
    const { order, envelope } = JSON.parse(line)
    const [layer] = envelope.layers
    const [message, place] = layer.id.split('/')
    expect(order).toEqual(JSON.parse(orders[place] ?? ''))
    return { message, place: Number(place) }
  })
  expect(found.map(({ place }) => place).sort((one, other) => one - other)).toEqual(bad)
  expect(new Set(found.map(({ message }) => message)).size).toBe(1)
  await until(
    'the queue to be empty',
    () => sqs.depth(),
    (depth) => depth === 0,
  )
  await bridge.stop()
})
