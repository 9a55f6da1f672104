import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { App } from '../../../../src/app.ts'
import { openQueues } from '../../../../src/control/job-queues.ts'
import { holdLock } from '../../../../src/control/lock.ts'
import { readPauses } from '../../../../src/control/pauses.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { type Keys, makeControlKeys, makePartitions } from '../../../../src/keys.ts'
import { type Repartition, readRepartition, writeRepartition } from '../../../../src/ops/manifest/repartition.ts'
import { repartition } from '../../../../src/ops/repartition/phases.ts'
import { deepCheck } from '../../../../src/ops/verify/deep-check.ts'
import { partitionFor } from '../../../../src/partitions.ts'
import { readBooks } from '../../../../src/reads/books.ts'
import { readCounters, waitingFor } from '../../../../src/reads/counters.ts'
import { readOldest } from '../../../../src/stages/invalid/oldest.ts'
import { readOutcome } from '../../../../src/stages/invalid/outcome.ts'
import { discardEntry } from '../../../../src/stages/invalid/requeue.ts'
import { readMissedBefore } from '../../../../src/stages/missed-before.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const { signal } = new AbortController()

function partitioned(redis: Redis, count: number): App {
  const partitions = makePartitions(count)
  return appOn(redis, undefined, { partitions, control: makeControlKeys(partitions), keys: partitions[0] as Keys })
}

/**
 * Sends 80 orders of 40 users, every eighth of them invalid, then 30 corrections, each as a job of its user, and has them
 * processed. Five users lose all their orders again.
 */
async function fill(app: App): Promise<void> {
  for (const keys of app.partitions) await ensureGroups({ ...app, keys })
  await process(app, orders)
  await process(app, corrections)
  const [entry] = await readOldest(app.redis, app.partitions, { after: '0-0', until: '+', count: 1 })
  if (entry) await discardEntry(app, entry, { reason: 'a test', by: 'ann' })
}

const orders = Array.from({ length: 80 }, (_, at) => {
  return { user_id: `u${at % 40}`, order_id: at, order_value: at % 8 === 0 ? -1 : at }
})
const corrections = orders.flatMap(({ user_id, order_id }) => {
  const named = { user_id, order_id, event_id: 'e' }
  if (order_id % 8 === 1) return [{ ...named, event: 'order.cancelled' }]
  if (order_id % 8 === 2) return [{ ...named, event: 'order.refunded', amount: 1.5 }]
  return order_id % 8 === 3 ? [{ ...named, event: 'order.amended', order_value: 1000 }] : []
})

async function process(app: App, bodies: readonly { readonly user_id: string }[]): Promise<void> {
  const { received: before = 0 } = await readCounters(app.redis, app.partitions)
  for (const body of bodies) {
    const record = { id: 'm', body: JSON.stringify(body), jobId: `job ${body.user_id.slice(1)}` }
    await enqueue(app.redis, partitionFor(app.partitions, body.user_id), [record])
  }
  const stop = new AbortController()
  const { stages } = app.pipeline
  const scopes = app.partitions.map((keys) => ({ ...app, keys }))
  const running = scopes.flatMap((scope) => stages.map((stage) => runStage(scope, stage, () => {}, stop.signal)))
  await until('all to be processed', async () => {
    const counters = await readCounters(app.redis, app.partitions)
    const waits = stages.some((stage) => waitingFor(stage, counters) !== 0)
    return counters['received'] === before + bodies.length && !waits
  })
  stop.abort()
  await Promise.all(running)
}

/** Reads all that the stages have written, over all partitions. */
async function contents(redis: Redis, { partitions }: App): Promise<object> {
  const board = async (name: string): Promise<string[][]> => {
    const flat = await redis.zrange(name, '0', '-1', 'WITHSCORES')
    return flat.flatMap((user, at) => (at % 2 === 0 ? [[user, flat[at + 1] ?? '']] : []))
  }
  const all = async <T>(read: (keys: Keys) => Promise<T[]>): Promise<T[]> =>
    (await Promise.all(partitions.map(read))).flat().toSorted()
  const users = async (keys: Keys) =>
    Promise.all(
      (await redis.keys(`${keys.userStats('')}*`)).map(async (name) => {
        const userId = name.slice(keys.userStats('').length)
        expect(partitionFor(partitions, userId)).toBe(keys)
        return JSON.stringify([userId, await redis.hgetall(name)])
      }),
    )
  const sums = async (name: string): Promise<number> =>
    (await all(async (keys) => [Number(await redis.hget(keys.globalStats, name))])).reduce((sum, one) => sum + one)
  const records = async (stream: string): Promise<string[]> =>
    (await redis.xrange(stream, '-', '+')).map(([, fields]) => fields.join(' '))
  const outcomes = Array.from({ length: 40 }, (_, at) => readOutcome(redis, partitions, `job ${at}`))
  return {
    users: await all(users),
    spend: await all(({ leaderboardSpend }) => board(leaderboardSpend)),
    orders: await all(({ leaderboardOrders }) => board(leaderboardOrders)),
    global: [await sums('total_orders'), await sums('total_revenue_minor')],
    counters: await readCounters(redis, partitions),
    missedBefore: await readMissedBefore({ redis, partitions }),
    invalid: (await readOldest(redis, partitions, { after: '0-0', until: '+', count: 100 })).map(({ json }) => json),
    discarded: await all(({ discarded }) => records(discarded)),
    outcomes: (await Promise.all(outcomes)).map(({ invalidId: _, ...counts }) => counts),
  }
}

test.for([
  [3, 2],
  [8, 3],
  [1, 4],
] as const)(
  'from %i to %i partitions everything is in those of its users, the books balance, and all runs again',
  async ([from, to]) => {
    await using world = await emptyRedis()
    const before = partitioned(world.redis, from)
    await fill(before)
    await using queues = openQueues(before.redis)
    await queues.reprocess.pause() // by a run that was killed
    for (const [at, keys] of before.partitions.entries()) await world.redis.hset(keys.missedBefore, 'spend', `${at}-0`)
    const had = await contents(world.redis, before)
    expect(had).toHaveProperty('missedBefore', { spend: `${from - 1}-0` })
    const printed: string[] = []
    const print = (line: string): void => void printed.push(line)
    await using lock = await holdLock(before.redis, print, signal)
    const begun: Repartition = { id: 'r', from, to, phase: 'drain', queues: ['reprocess'] }
    await repartition({ app: before, queues, lock, timeoutMs: 60_000, force: false, print }, begun, signal)

    const after = partitioned(world.redis, to)
    expect(await contents(world.redis, after)).toEqual(had)
    expect(await deepCheck(after, signal)).toMatchObject({ verdict: 'right' })
    expect(printed.at(-1)).toBe('Everything is moved, and the books balance.')
    expect(await readRepartition(after.redis)).toBeUndefined()
    expect(await readPauses(after.redis, after.control)).toEqual({})
    expect([await queues.reprocess.isPaused(), await queues.replay.isPaused()]).toEqual([false, false])
    for (const keys of before.partitions.slice(to)) {
      expect(await world.redis.exists(keys.counters, keys.invalid, keys.globalStats, keys.leaderboardSpend)).toBe(0)
    }
    expect(await readBooks(after)).toMatchObject({ balanced: true, admitted: 70, corrected: 30, counted: 60 })

    // The ledger knows what corrections have left of each order, and which there were.
    const moved = await readCounters(after.redis, after.partitions)
    await process(after, corrections)
    await process(after, [{ ...corrections[1], event_id: 'f', amount: 0.51 } as (typeof corrections)[number]])
    const counters = await readCounters(after.redis, after.partitions)
    expect(counters).toEqual({
      ...moved,
      received: 141,
      duplicates: 30,
      rejected: 11,
      'rejected:refund-exceeds': 1,
    })
    expect(await deepCheck(after, signal)).toMatchObject({ verdict: 'right' })
  },
)

test('a repartition that finds fewer rejected orders than there were stops before it replaces any', async () => {
  await using world = await emptyRedis()
  const before = partitioned(world.redis, 2)
  await fill(before)
  await using queues = openQueues(before.redis)
  await using lock = await holdLock(before.redis, () => {}, signal)
  const counts = {
    totals: await readCounters(before.redis, before.partitions),
    ledgerCounts: {},
    invalid: 11,
    discarded: 1,
  }
  const begun: Repartition = { id: 'r', from: 2, to: 3, phase: 'move', queues: [], ...counts }
  await writeRepartition(before.redis, begun)
  const run = { app: before, queues, lock, timeoutMs: 60_000, force: false, print: () => {} }
  await expect(repartition(run, begun, signal)).rejects.toThrow(
    '9 rejected and 1 discarded orders are moved, of 11 and 1.',
  )
  expect(await readOldest(before.redis, before.partitions, { after: '0-0', until: '+', count: 100 })).toHaveLength(9)
})
