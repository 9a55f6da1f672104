import { describe, expect, test } from 'vitest'
import { rejectCodes } from '../../src/reject-codes.ts'
import { sendEnveloped } from '../support/enveloped.ts'
import { expectStats, getFrom, waves } from '../support/expected.ts'
import { Oracle } from '../support/oracle.ts'
import { type OrdersRun, runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

const orders = 1_500
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

async function runThrough(processes: (env: Env) => OrdersRun[], send = sendBodies): Promise<void> {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(redis.url, sqs)
  await using stack = new AsyncDisposableStack()
  const started = processes(env).map((process) => stack.use(process))
  await Promise.all(started.map((process) => process.started()))
  const api = started.find((process) => process.events('ready').length > 0)
  const get = getFrom((await api?.apiUrl()) ?? '')

  const oracle = new Oracle()
  for (const wave of waves(orders, seed)) {
    for (const sent of wave) oracle.take(sent)
    await send(env, wave)
    const rankedEnough = (counters: Record<string, string>): boolean =>
      Number(counters['ranked']) === oracle.admitted &&
      Number(counters['rejected'] ?? 0) + Number(counters['duplicates'] ?? 0) === oracle.duplicates + oracle.rejected
    await until(
      `seed ${seed}: ${oracle.admitted} ranked, ${oracle.duplicates} duplicates, ${oracle.rejected} rejected`,
      () => redis.redis.hgetall('pipeline:counters'),
      rankedEnough,
    )
  }

  const counters = await redis.redis.hgetall('pipeline:counters')
  const count = (name: string): number => Number(counters[name] ?? 0)
  expect({
    received: count('received'),
    admitted: count('admitted'),
    duplicates: count('duplicates'),
    rejected: count('rejected'),
  }).toEqual({
    received: oracle.received,
    admitted: oracle.admitted,
    duplicates: oracle.duplicates,
    rejected: oracle.rejected,
  })
  expect(count('received')).toBe(count('admitted') + count('duplicates') + count('rejected'))

  await expectStats(get, oracle)

  const invalid = (await redis.redis.lrange('invalid_orders', 0, -1)).map((line) => JSON.parse(line))
  const tally = new Map<string, number>()
  for (const { reason } of invalid) tally.set(reason, (tally.get(reason) ?? 0) + 1)
  expect(tally).toEqual(oracle.reasons)
  expect(await redis.redis.xlen('orders:invalid')).toBe(oracle.rejected)
  const codes = [...oracle.codes.keys()].sort()
  expect(codes).toEqual(
    rejectCodes
      .filter(
        (code) =>
          ![
            'internal-error',
            'refused',
            'other-currency',
            'unresolved-pointer',
            'too-many-orders',
            'other-partition',
          ].includes(code),
      )
      .sort(),
  )
  for (const code of codes) expect([code, count(`rejected:${code}`)]).toEqual([code, oracle.codes.get(code)])

  await until(
    'the queue to be empty',
    () => sqs.depth(),
    (depth) => depth === 0,
  )
  for (const process of started) expect(await process.stop()).toEqual({ code: 0, signal: null })
}

describe('generated orders through SQS come to what an independent oracle says', () => {
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
    await runThrough((env) => roles.map((role) => runOrders(['run', role], env)))
  })

  test('with three bridges over the thin SQS client', async () => {
    const roles = [['bridge'], ['bridge'], ['bridge'], ['validate', 'aggregate', 'leaderboard', 'api']]
    await runThrough((env) =>
      roles.map((together) => runOrders(['run', ...together], { ...env, SQS_TRANSPORT: 'thin' })),
    )
  })
})
