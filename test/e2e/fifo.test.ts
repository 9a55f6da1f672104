import type { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { readConfig } from '../../src/config/config.ts'
import { openQueue } from '../../src/ingest/sqs/queue.ts'
import { makePartitions } from '../../src/keys.ts'
import { sendBatch } from '../../src/ops/local/send-orders.ts'
import { expectStats, type Get, getFrom, waves } from '../support/expected.ts'
import { Oracle } from '../support/oracle.ts'
import { plainFormat } from '../support/plain-format.ts'
import { spawnOrders } from '../support/process.ts'
import { requireRealRedis } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { striking } from '../support/strike.ts'
import { until } from '../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

const orders = 600
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

/** Kills a bridge at a write: its messages are in Redis and still in SQS. */
const killed = (nth: number): Env => striking({ trigger: { event: 'enqueued', nth }, pid: 0, signal: 'SIGKILL' })
/** The groups of a killed bridge wait for so long; deletions that wait for a disk would make each group slow. */
const quick: Env = { SQS_VISIBILITY_TIMEOUT_SECONDS: '5', SQS_DELETE_AFTER: 'write' }

describe.each(['1', '2'])('a FIFO queue, and a bridge killed with -9: %s partitions', (PARTITIONS) => {
  test('orders come to what an independent oracle says', async (context) => {
    requireRealRedis(context)
    await using redis = await emptyRedis()
    await using sqs = await emptySqs('.fifo')
    const env = envOf(redis.url, sqs, { ...quick, PARTITIONS })
    await using stages = runOrders(['run', 'validate', 'aggregate', 'leaderboard', 'api'], env)
    const get = getFrom(await stages.apiUrl())
    const oracle = new Oracle()
    const [first, second] = waves(orders, seed)

    for (const body of first) oracle.take(body)
    await sendBodies(env, first)
    await using dying = spawnOrders(['run', 'bridge'], { ...env, ...killed(5) })
    expect(await dying.exit()).toEqual({ code: null, signal: 'SIGKILL' })
    await using bridge = runOrders(['run', 'bridge'], env)
    await settled(get, oracle)
    for (const body of second) oracle.take(body)
    await sendBodies(env, second)
    await settled(get, oracle)

    await expectStats(get, oracle)
    await until('the queue to be empty', () => sqs.depth() === 0)
    await using verified = runOrders(['verify', '--deep'], env)
    expect([await verified.exit(), verified.stderr()]).toEqual([{ code: 0, signal: null }, ''])
    expect(await bridge.stop()).toEqual({ code: 0, signal: null })
  })

  test('the orders of a user are on orders:raw in the order in which they were sent', async (context) => {
    requireRealRedis(context)
    await using redis = await emptyRedis()
    await using sqs = await emptySqs('.fifo')
    const env = envOf(redis.url, sqs, { ...quick, PARTITIONS, BRIDGE_POLLERS: '8' })
    const users = Array.from({ length: 8 }, (_, at) => `user_${at}`)
    const each = 12
    await sendInOrder(env, users, each)
    await using dying = spawnOrders(['run', 'bridge'], { ...env, ...killed(5) })
    expect((await dying.exit()).signal).toBe('SIGKILL')
    await using first = runOrders(['run', 'bridge'], env)
    await using other = runOrders(['run', 'bridge'], env)
    await until('the queue to be empty', () => sqs.depth() === 0)

    const written = await ordersOnRaw(redis.redis, Number(PARTITIONS))
    expect(written.length).toBeGreaterThan(users.length * each) // those of the killed bridge came again
    const sent = Array.from({ length: each }, (_, at) => at)
    for (const user of users) {
      const own = written.filter(({ user_id }) => user_id === user).map(({ order_id }) => order_id)
      expect([user, [...new Set(own)]]).toEqual([user, sent])
    }
    for (const bridge of [first, other]) expect(await bridge.stop()).toEqual({ code: 0, signal: null })
    expect([dying.stdout(), dying.stderr()].join('')).not.toContain('FIFO') // sqs-consumer's own warning is no log line
  })
})

interface Books {
  readonly received: number
  readonly admitted: number
  readonly rejected: number
  readonly balanced: boolean
  readonly stages: readonly { readonly waiting: number }[]
}

/** Waits until all that was sent is counted or rejected: SQS delivers what a killed bridge had again, as duplicates. */
async function settled(get: Get, oracle: Oracle): Promise<void> {
  const books = await until(
    `seed ${seed}: ${oracle.received} to be through`,
    async () => (await get('/integrity')) as unknown as Books,
    ({ received, admitted, stages }) =>
      received >= oracle.received && admitted >= oracle.admitted && stages.every(({ waiting }) => waiting === 0),
  )
  expect(books).toMatchObject({ balanced: true, admitted: oracle.admitted })
}

/** Sends one batch after the other: a producer that sends several at once has no order to be kept. */
async function sendInOrder(env: Env, users: readonly string[], each: number): Promise<void> {
  using queue = await openQueue(readConfig({ ...env }))
  for (let at = 0; at < each; at++) {
    const batch = users.map((user_id) => JSON.stringify({ user_id, order_id: at, order_value: 1 }))
    await sendBatch(queue, batch, plainFormat, new AbortController().signal)
  }
}

interface Sent {
  readonly user_id: string
  readonly order_id: number
}

/** Returns the orders on `orders:raw` of all partitions, which no stage has read, in the order of the stream. */
async function ordersOnRaw(redis: Redis, partitions: number): Promise<Sent[]> {
  const entries = (
    await Promise.all(makePartitions(partitions).map((keys) => redis.xrange(keys.stream('raw'), '-', '+')))
  ).flat()
  return entries.flatMap(([, fields]) => {
    const records: { readonly body: string }[] = JSON.parse(fields[fields.indexOf('r') + 1] ?? '[]')
    return records.map(({ body }) => JSON.parse(body))
  })
}
