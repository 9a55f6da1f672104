import type { Redis } from 'ioredis'
import { describe, expect, inject, test } from 'vitest'
import { correctionKinds } from '../../src/messages.ts'
import { rejectCodes } from '../../src/reject-codes.ts'
import { shares } from '../chaos/flow.ts'
import { employ, type Worker } from '../chaos/worker.ts'
import { CalendarOracle } from '../support/calendar-oracle.ts'
import { expectedState, readState } from '../support/calendar-state.ts'
import { sendEnveloped } from '../support/enveloped.ts'
import { correctedWaves, expectStats, getFrom } from '../support/expected.ts'
import { shuffled } from '../support/generated.ts'
import { Oracle } from '../support/oracle.ts'
import { orderTimes } from '../support/order-times.ts'
import { replayUnknown } from '../support/replay-unknown.ts'
import { awayFromMidnight, reportedDifferences } from '../support/reported-calendar.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

/** Together with corrections and repeats two and a half times as many messages. */
const orders = 800
/**
 * Through many processes. ORDERS=8000 sends 20,000 messages, for which two busy cores need minutes. The emulator of Redis
 * slows down beyond some 5,000.
 */
const throughMany = inject('redisUrl') === undefined ? orders : Number(process.env['ORDERS'] ?? 1_500)
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

/** A process of a system under test: one of this test's own process, or one that can be killed and is started again. */
type Part = Pick<Worker, 'started' | 'apiUrl'> & AsyncDisposable & { stop(): Promise<{ readonly code: number | null }> }

interface Run {
  readonly zone: string
  readonly start: (env: Env) => Part[]
  readonly send?: typeof sendBodies
  readonly count?: number
  /** Number of processes that are killed, one after the other, while messages flow. */
  readonly kills?: number
}

/** Days far enough back for the last year with a week 53, and boards of all that time. */
const dated: Env = { CALENDAR: 'on', CALENDAR_OPEN_DAYS: '2600', CALENDAR_KEEP: 'days:2700,weeks:390,months:95' }

async function runThrough({ zone, start, send = sendBodies, count = orders, kills = 0 }: Run): Promise<void> {
  await awayFromMidnight(zone, count > 3_000 ? 300_000 : 60_000)
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(redis.url, sqs, { ...dated, REPORT_TIMEZONE: zone, SQS_VISIBILITY_TIMEOUT_SECONDS: '5' })
  await using stack = new AsyncDisposableStack()
  const parts = start(env).map((part) => stack.use(part))
  await Promise.all(parts.map((part) => part.started()))
  const get = getFrom((await parts.at(-1)?.apiUrl()) ?? '')

  const { redis: client } = redis
  const openDays = Number(dated['CALENDAR_OPEN_DAYS'])
  const calendar = new CalendarOracle(zone, openDays)
  const oracle = new Oracle(calendar)
  const victims = shuffled(parts.filter(isWorker), seed).slice(0, kills)
  for (const [at, wave] of correctedWaves(count, seed, orderTimes(openDays)).entries()) {
    for (const sent of wave) oracle.take(sent)
    oracle.replayUnknown()
    const struck = at === 0 ? victims : []
    for (const [at, part] of shares(wave, struck.length + 1).entries()) {
      await Promise.all([send(env, part), struck[at]?.kill()])
    }
    await through(client, sqs.depth, oracle)
    await replayUnknown(client) // those that have overtaken their orders
    await through(client, sqs.depth, oracle)
  }

  const counted = await countsOf(client)
  const again = counted('received') - counted('replayed') - oracle.received
  expect(again).toBeGreaterThanOrEqual(0)
  if (kills === 0) expect(again).toBe(0)
  process.stdout.write(`SEED=${seed} ${zone}: ${oracle.received} messages, ${kills} kills, ${again} delivered again\n`)
  expect({
    admitted: counted('admitted'),
    corrected: counted('corrected'),
    duplicates: counted('duplicates') - again,
    rejected: counted('rejected') - counted('replayed'),
    corrections: correctionKinds.map((kind) => [kind, counted(`corrected:${kind}`)]),
  }).toEqual({
    admitted: oracle.admitted,
    corrected: oracle.corrected,
    duplicates: oracle.duplicates,
    rejected: oracle.rejected,
    corrections: correctionKinds.map((kind) => [kind, oracle.corrections.get(kind)]),
  })

  await expectStats(get, oracle)
  expect(await readState(client, await client.keys('*'))).toEqual(expectedState(calendar))
  expect(await reportedDifferences(get, calendar)).toEqual([])

  const invalid = (await redis.redis.lrange('invalid_orders', 0, -1)).map((line) => JSON.parse(line))
  const tally = new Map<string, number>()
  for (const { reason } of invalid) tally.set(reason, (tally.get(reason) ?? 0) + 1)
  expect(tally).toEqual(oracle.reasons)
  expect(await redis.redis.xlen('orders:invalid')).toBe(oracle.rejected)
  const others = [
    ...['erased', 'internal-error', 'refused', 'other-currency', 'other-partition'],
    ...['unresolved-pointer', 'too-many-orders'],
  ]
  expect([...oracle.codes.keys()].sort()).toEqual(rejectCodes.filter((code) => !others.includes(code)).sort())
  for (const [code, times] of oracle.codes) {
    const replayed = code === 'unknown-order' ? counted('replayed') : 0
    expect([code, counted(`rejected:${code}`) - replayed]).toEqual([code, times])
  }

  for (const part of parts) expect(await part.stop()).toMatchObject({ code: 0, signal: null })
}

const isWorker = (part: Part): part is Part & Worker => 'kill' in part

/** Waits until all that was sent is processed. What SQS delivers again must not be taken for what it has not delivered yet. */
async function through(redis: Redis, depth: () => number, oracle: Oracle): Promise<void> {
  await until(
    `seed ${seed}: ${oracle.received} to be processed`,
    () => countsOf(redis),
    (count) => {
      const passed = count('admitted') + count('corrected')
      return (
        depth() === 0 &&
        count('received') - count('replayed') >= oracle.received &&
        count('received') === passed + count('duplicates') + count('rejected') &&
        count('ranked') === passed &&
        count('dated') === passed
      )
    },
  )
}

async function countsOf(redis: Redis): Promise<(name: string) => number> {
  const counters = await redis.hgetall('pipeline:counters')
  return (name) => Number(counters[name] ?? 0)
}

/** ZONE has the many messages counted in another one. */
const { ZONE: zone = 'Europe/Berlin' } = process.env

const stages = ['validate', 'calendar', 'aggregate', 'leaderboard']

describe('generated orders and corrections through SQS come to what an independent oracle says, in all and on each day', () => {
  test('in one process, from topics, events and encodings', async () => {
    const start = (env: Env) => [runOrders(['start'], { ...env, DATA_DIR: `/tmp/orders-test-${process.pid}` })]
    await runThrough({ zone: 'UTC', start, send: sendEnveloped })
  })

  test('with two bridges and two of every stage, in processes that are killed', async () => {
    const roles = [['bridge'], ['validate', 'calendar'], ['aggregate', 'leaderboard']].flatMap((one) => [one, one])
    const start = (env: Env) => [...roles.map((one) => employ(one, env)), runOrders(['run', 'api'], env)]
    await runThrough({ zone, start, count: throughMany, kills: roles.length })
  }, 600_000)

  test('with three bridges over the thin SQS client', async () => {
    const roles = [['bridge'], ['bridge'], ['bridge'], [...stages, 'api']]
    const start = (env: Env) =>
      roles.map((together) => runOrders(['run', ...together], { ...env, SQS_TRANSPORT: 'thin' }))
    await runThrough({ zone: 'America/New_York', start })
  })
})
