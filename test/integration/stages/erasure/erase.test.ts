import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { openQueues } from '../../../../src/control/job-queues.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { openDurable } from '../../../../src/ingest/proof/durable.ts'
import { makeControlKeys, makePartitions } from '../../../../src/keys.ts'
import { partitionFor } from '../../../../src/partitions.ts'
import { readBooks } from '../../../../src/reads/books.ts'
import { readGlobalStats, readUserStats } from '../../../../src/stages/aggregate.ts'
import { erase } from '../../../../src/stages/erasure/erase.ts'
import { accountOf, userDigest } from '../../../../src/stages/erasure/erasures.ts'
import type { Receipt } from '../../../../src/stages/erasure/receipt.ts'
import { boardKey } from '../../../../src/stages/leaderboard.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { keysNaming } from '../../../support/dump-redis.ts'
import { withCalendar as pipeline } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const person = 'person-of-this-test'
const config = readConfig({ BLOCK_MS: '20', CLAIM_IDLE_MS: '1000' })

/** Two processes that run all stages at all partitions, until disposed. */
function runTwice(app: PartitionScope): AsyncDisposable {
  const stop = new AbortController()
  const running = ['one', 'other'].flatMap((instance) =>
    app.partitions.flatMap((keys) =>
      pipeline.stages.map((stage) => runStage({ ...app, keys, instance }, stage, () => {}, stop.signal)),
    ),
  )
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await Promise.all(running)
    },
  }
}

function appIn(redis: Redis, count: number | undefined): PartitionScope {
  const partitions = makePartitions(count)
  const keys = partitions[0] as PartitionScope['keys']
  return appOn(redis, config, { pipeline, partitions, keys, control: makeControlKeys(partitions) })
}

let sent = 0
async function send(app: PartitionScope, userId: string, order: Record<string, unknown>): Promise<void> {
  const body = JSON.stringify({ user_id: userId, order_id: `of ${userId} ${sent++}`, ...order })
  await enqueue(app.redis, partitionFor(app.partitions, userId), [{ id: `m${sent}`, body }])
}

async function eraseIn(app: PartitionScope, userId = person, timeoutMs = 20_000): Promise<Receipt> {
  await using queues = openQueues(app.redis)
  return erase(
    { app, queues, openDurable },
    userId,
    { by: 'ann', timeoutMs, takesUnknown: true },
    new AbortController().signal,
  )
}

const settled = (app: PartitionScope, orders: number): Promise<unknown> =>
  until(
    'every order to be judged and counted',
    () => readBooks(app),
    ({ stages, received }) => received === orders && stages.every(({ waiting }) => waiting === 0),
  )

test.each([undefined, 4])('a user is erased while orders of theirs are counted, with partitions: %s', async (count) => {
  await using world = await emptyRedis()
  const app = appIn(world.redis, count)
  await using _ = runTwice(app)
  for (let at = 0; at < 40; at++) await send(app, at % 2 ? person : `user_${at}`, { order_value: 10 })
  await send(app, person, { order_value: -1 })
  const before = eraseIn(app)
  for (let at = 0; at < 40; at++) await send(app, person, { order_value: 10 })
  const receipt = await before
  await settled(app, 81)

  const { keys, account } = accountIn(app)
  const rejected = Number(await world.redis.hget(keys.counters, 'rejected:erased'))
  const admitted = 80 - rejected
  expect(receipt).toMatchObject({ user: userDigest(person), by: 'ann', complete: true, waiting: 0 })
  expect(await readGlobalStats(app.redis, app.partitions)).toEqual({ orders: admitted, minor: admitted * 1_000 })
  expect(await readUserStats(app.redis, app.partitions, person)).toEqual({ orders: 0, minor: 0 })
  const taken = { orders: admitted - 20, minor: (admitted - 20) * 1_000 }
  expect(await readUserStats(app.redis, app.partitions, account)).toEqual(taken)
  const today = new Date().toISOString().slice(0, 10)
  for (const period of [undefined, today, today.slice(0, 7)]) {
    const boards = [boardKey(keys, 'spend', period), boardKey(keys, 'orders', period)]
    for (const board of boards) expect(await world.redis.zmscore(board, account, person)).toEqual([null, null])
  }
  await until(
    'nothing to name the user',
    () => keysNaming(world.redis, person),
    (names) => names.length === 0,
  )
  expect((await readBooks(app)).differences).toEqual([])
})

const accountIn = (app: PartitionScope): { keys: PartitionScope['keys']; account: string } => {
  const keys = partitionFor(app.partitions, person)
  return { keys, account: accountOf(keys) }
}

test('a message of an erased user is refused, and nothing of it is kept; so is one of the anonymous account', async () => {
  await using world = await emptyRedis()
  const app = appIn(world.redis, undefined)
  await using _ = runTwice(app)
  await eraseIn(app)
  await send(app, person, { order_value: 10, note: 'secret' })
  await send(app, person, { order_value: 'wrong', note: 'secret' })
  await send(app, accountOf(app.keys), { order_value: 10, note: 'secret' })
  await settled(app, 3)
  const lines = (await world.redis.lrange('invalid_orders', 0, -1)).map((line) => JSON.parse(line))
  for (const line of lines) {
    expect(line).toEqual({
      id: expect.any(String),
      order: null,
      code: 'erased',
      reason: 'The user was erased',
      ts: expect.any(String),
      attempts: 1,
    })
  }
  expect(lines).toHaveLength(3)
  await until(
    'nothing to be kept',
    () => keysNaming(world.redis, 'secret'),
    (names) => names.length === 0,
  )
  expect(await readGlobalStats(app.redis, app.partitions)).toEqual({ orders: 0, minor: 0 })
})

test('of a message of an erased user in another partition, nothing is kept either', async () => {
  await using world = await emptyRedis()
  const app = appIn(world.redis, 4)
  await using _ = runTwice(app)
  await eraseIn(app)
  const other = app.partitions.find((keys) => keys !== partitionFor(app.partitions, person))
  const body = JSON.stringify({ user_id: person, order_id: 'o', order_value: 10, note: 'secret' })
  await enqueue(app.redis, other ?? app.keys, [{ id: 'm', body }])
  await settled(app, 1)
  expect(await world.redis.hget(other?.counters ?? '', 'rejected:erased')).toBe('1')
  await until(
    'nothing to be kept',
    () => keysNaming(world.redis, 'secret'),
    (names) => names.length === 0,
  )
})

test('while stages stand still an erasure is not complete; it is once they have run and it runs again', async () => {
  await using world = await emptyRedis()
  const app = appIn(world.redis, undefined)
  await send(app, person, { order_value: 10 })
  const first = await eraseIn(app, person, 0)
  expect(first).toMatchObject({ complete: false, waiting: 1 })
  expect(await keysNaming(world.redis, person)).toEqual(['orders:raw'])
  await using _ = runTwice(app)
  await settled(app, 1)
  const second = await eraseIn(app)
  expect(second).toEqual({ ...first, complete: true, waiting: 0 })
  expect(await keysNaming(world.redis, person)).toEqual([])
  expect(await world.redis.hget(app.keys.counters, 'rejected:erased')).toBe('1')
})
