import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../../src/app.ts'
import { openQueues } from '../../../../src/control/job-queues.ts'
import { holdLock } from '../../../../src/control/lock.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { makeControlKeys, makePartitions, manifestKey } from '../../../../src/keys.ts'
import { repartition } from '../../../../src/ops/repartition/phases.ts'
import { deepCheck } from '../../../../src/ops/verify/deep-check.ts'
import { partitionFor } from '../../../../src/partitions.ts'
import { readBooks } from '../../../../src/reads/books.ts'
import { readGlobalStats, readUserStats } from '../../../../src/stages/aggregate.ts'
import { erase } from '../../../../src/stages/erasure/erase.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { keysNaming } from '../../../support/dump-redis.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const { signal } = new AbortController()

function partitioned(redis: Redis, count: number): PartitionScope {
  const partitions = makePartitions(count)
  const keys = partitions[0] as PartitionScope['keys']
  return appOn(redis, undefined, { partitions, control: makeControlKeys(partitions), keys })
}

async function process(app: PartitionScope, users: readonly string[], received: number): Promise<void> {
  for (const [at, user_id] of users.entries()) {
    const body = JSON.stringify({ user_id, order_id: `${received} ${at}`, order_value: 2 })
    await enqueue(app.redis, partitionFor(app.partitions, user_id), [{ id: `m${received} ${at}`, body }])
  }
  const stop = new AbortController()
  const running = app.partitions.flatMap((keys) =>
    app.pipeline.stages.map((stage) => runStage({ ...app, keys }, stage, () => {}, stop.signal)),
  )
  await until(
    'all to be processed',
    () => readBooks(app),
    (books) => books.received === received + users.length && books.stages.every(({ waiting }) => waiting === 0),
  )
  stop.abort()
  await Promise.all(running)
}

test('after a repartition erased users are refused in every partition, and the accounts have what they had', async () => {
  await using world = await emptyRedis()
  const before = partitioned(world.redis, 4)
  const users = Array.from({ length: 12 }, (_, at) => `person ${at}`)
  await process(before, users, 0)
  await using queues = openQueues(before.redis)
  const options = { by: 'ann', timeoutMs: 20_000 }
  for (const user of users.slice(0, 6)) {
    expect(await erase({ app: before, queues }, user, options, signal)).toMatchObject({ complete: true })
  }
  await world.redis.hset(manifestKey, 'REPARTITION', '{}')
  await expect(erase({ app: before, queues }, 'person 7', options, signal)).rejects.toThrow(
    'A repartition is under way',
  )
  await world.redis.hdel(manifestKey, 'REPARTITION')

  await using lock = await holdLock(before.redis, () => {}, signal)
  const run = { app: before, queues, lock, timeoutMs: 60_000, force: false, print: () => {} }
  await repartition(run, { id: 'r', from: 4, to: 3, phase: 'drain', queues: [] }, signal)
  const after = partitioned(world.redis, 3)
  await process(after, users, 12)
  expect(await readGlobalStats(after.redis, after.partitions)).toEqual({ orders: 18, minor: 3_600 })
  for (const user of users.slice(0, 6)) {
    expect(await readUserStats(after.redis, after.partitions, user)).toEqual({ orders: 0, minor: 0 })
    expect(await keysNaming(world.redis, `${user}"`)).toEqual([])
  }
  expect(await deepCheck(after, signal)).toMatchObject({ verdict: 'right' })
  expect(await readBooks(after)).toMatchObject({ balanced: true, rejected: 6 })
})
