import type { Redis } from 'ioredis'
import { describe, expect, inject, test } from 'vitest'
import { correctionKinds } from '../../src/messages.ts'
import { rejectCodes } from '../../src/reject-codes.ts'
import { sendEnveloped } from '../support/enveloped.ts'
import { correctedWaves, expectStats, getFrom } from '../support/expected.ts'
import { Oracle } from '../support/oracle.ts'
import { replayUnknown } from '../support/replay-unknown.ts'
import { type OrdersRun, runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

/** Together with corrections and repeats two and a half times as many messages. */
const orders = 1_500
/**
 * Through many processes. ORDERS=8000 sends 20,000 messages, for which two busy cores need minutes. The emulator of Redis
 * slows down beyond some 5,000.
 */
const throughMany = inject('redisUrl') === undefined ? orders : Number(process.env['ORDERS'] ?? 3_000)
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

async function runThrough(processes: (env: Env) => OrdersRun[], send = sendBodies, count = orders): Promise<void> {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(redis.url, sqs)
  await using stack = new AsyncDisposableStack()
  const started = processes(env).map((process) => stack.use(process))
  await Promise.all(started.map((process) => process.started()))
  const api = started.find((process) => process.events('ready').length > 0)
  const get = getFrom((await api?.apiUrl()) ?? '')

  const { redis: client } = redis
  const oracle = new Oracle()
  for (const wave of correctedWaves(count, seed)) {
    for (const sent of wave) oracle.take(sent)
    oracle.replayUnknown()
    await send(env, wave)
    await through(client, oracle)
    await replayUnknown(client) // those that have overtaken their orders
    await through(client, oracle)
  }

  const counted = await countsOf(client)
  expect({
    received: counted('received') - counted('replayed'),
    admitted: counted('admitted'),
    corrected: counted('corrected'),
    duplicates: counted('duplicates'),
    rejected: counted('rejected') - counted('replayed'),
    corrections: correctionKinds.map((kind) => [kind, counted(`corrected:${kind}`)]),
  }).toEqual({
    received: oracle.received,
    admitted: oracle.admitted,
    corrected: oracle.corrected,
    duplicates: oracle.duplicates,
    rejected: oracle.rejected,
    corrections: correctionKinds.map((kind) => [kind, oracle.corrections.get(kind)]),
  })

  await expectStats(get, oracle)

  const invalid = (await redis.redis.lrange('invalid_orders', 0, -1)).map((line) => JSON.parse(line))
  const tally = new Map<string, number>()
  for (const { reason } of invalid) tally.set(reason, (tally.get(reason) ?? 0) + 1)
  expect(tally).toEqual(oracle.reasons)
  expect(await redis.redis.xlen('orders:invalid')).toBe(oracle.rejected)
  const others = [
    ...['internal-error', 'refused', 'other-currency', 'other-partition'],
    ...['unresolved-pointer', 'too-many-orders'],
  ]
  expect([...oracle.codes.keys()].sort()).toEqual(rejectCodes.filter((code) => !others.includes(code)).sort())
  for (const [code, times] of oracle.codes) {
    const replayed = code === 'unknown-order' ? counted('replayed') : 0
    expect([code, counted(`rejected:${code}`) - replayed]).toEqual([code, times])
  }

  await until(
    'the queue to be empty',
    () => sqs.depth(),
    (depth) => depth === 0,
  )
  for (const process of started) expect(await process.stop()).toEqual({ code: 0, signal: null })
}

/** Waits until all that was sent is processed. */
async function through(redis: Redis, oracle: Oracle): Promise<void> {
  await until(
    `seed ${seed}: ${oracle.received} to be processed`,
    () => countsOf(redis),
    (count) => {
      const passed = count('admitted') + count('corrected')
      return (
        count('received') - count('replayed') >= oracle.received &&
        count('received') === passed + count('duplicates') + count('rejected') &&
        count('ranked') === passed
      )
    },
  )
}

async function countsOf(redis: Redis): Promise<(name: string) => number> {
  const counters = await redis.hgetall('pipeline:counters')
  return (name) => Number(counters[name] ?? 0)
}

describe('generated orders and corrections through SQS come to what an independent oracle says', () => {
  test('in one process, from topics, events and encodings', async () => {
    const start = (env: Env) => [runOrders(['start'], { ...env, DATA_DIR: `/tmp/orders-test-${process.pid}` })]
    await runThrough(start, sendEnveloped)
  })

  test('with two of every stage and three bridges, each on its own', async () => {
    const roles = [
      'bridge',
      'bridge',
      'bridge',
      'validate',
      'validate',
      'aggregate',
      'aggregate',
      'leaderboard',
      'leaderboard',
      'api',
    ]
    await runThrough((env) => roles.map((role) => runOrders(['run', role], env)), sendBodies, throughMany)
  }, 600_000)

  test('with three bridges over the thin SQS client', async () => {
    const roles = [['bridge'], ['bridge'], ['bridge'], ['validate', 'aggregate', 'leaderboard', 'api']]
    await runThrough((env) =>
      roles.map((together) => runOrders(['run', ...together], { ...env, SQS_TRANSPORT: 'thin' })),
    )
  })
})
