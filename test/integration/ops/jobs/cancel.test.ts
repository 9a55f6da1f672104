import { expect, test } from 'vitest'
import { newJobId, openQueues } from '../../../../src/control/job-queues.ts'
import { replay } from '../../../../src/ops/jobs/replay.ts'
import { reprocess } from '../../../../src/ops/jobs/reprocess.ts'
import { partitionFor } from '../../../../src/partitions.ts'
import { cancelJob } from '../../../../src/stages/invalid/cancel.ts'
import { readEntries, readInvalidEntry } from '../../../../src/stages/invalid/entry.ts'
import { replayEntries, roundRecord, withdrawEntry } from '../../../../src/stages/invalid/requeue.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { rejectBodies } from '../../../support/invalid.ts'
import { corrected } from '../../../support/jobs.ts'
import { validate } from '../../../support/stages.ts'
import { here, partitions, scopeOf, there } from '../../../support/two-partitions.ts'
import { emptyRedis } from '../../../support/world.ts'

/** An app of two partitions with its queues, and a function that runs validate in both until the end. */
async function openWorld() {
  const stack = new AsyncDisposableStack()
  const { redis } = stack.use(await emptyRedis())
  const queues = stack.use(openQueues(redis))
  const app = scopeOf(redis, partitionFor(partitions, here))
  const stop = new AbortController()
  const judge = (): void => {
    const running = partitions.map((keys) => runStage(scopeOf(redis, keys), validate, () => {}, stop.signal))
    stack.defer(async () => {
      stop.abort()
      await Promise.all(running)
    })
  }
  return { redis, queues, app, judge, signal: stop.signal, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

const newId = (queue: 'replay' | 'reprocess'): string => newJobId(queue, crypto.randomUUID())
const everything = { limit: 1_000, dryRun: false, until: '9999999999999-0' }
const bodyOf = (userId: string): string => JSON.stringify({ ...corrected, user_id: userId })

test('a job that waits is removed, and a job that is gone or never was has nothing to cancel', async () => {
  await using world = await openWorld()
  const { app, queues, redis } = world
  for (const [queue, add] of [
    ['replay', (jobId: string) => queues.replay.add('replay', everything, { jobId, delay: 60_000 })],
    ['reprocess', (jobId: string) => queues.reprocess.add('order', { body: bodyOf(here) }, { jobId })],
  ] as const) {
    const jobId = newId(queue)
    await add(jobId)
    expect(await cancelJob(app, queues, jobId)).toEqual({ result: 'removed' })
    expect(await redis.exists(`{jobs}:${queue}:${jobId}`)).toBe(0)
    expect(await cancelJob(app, queues, jobId)).toMatchObject({ result: 'refused', why: 'gone' })
  }
})

test('a replay that was cancelled sends nothing more, whichever process has it, and says how many it had sent', async () => {
  await using world = await openWorld()
  const { app, queues, redis, judge, signal } = world
  const ids: string[] = []
  for (const userId of [here, there]) {
    const keys = partitionFor(partitions, userId)
    ids.push(
      ...(await rejectBodies(
        scopeOf(redis, keys),
        [0, 1, 2].map(() => JSON.stringify({ user_id: userId })),
      )),
    )
  }
  const jobId = newId('replay')
  const job = await queues.replay.add('replay', everything, { jobId })
  const all = (await Promise.all(ids.map((id) => readInvalidEntry(redis, partitions, id)))).filter((one) => !!one)
  const [first, ...others] = all
  if (!first) throw new Error('no entry')
  const requeueing = { jobId, limit: everything.limit }
  expect(await replayEntries(app, [first], requeueing)).toEqual([first.id]) // by a process that is killed
  expect(await cancelJob(app, queues, jobId)).toEqual({ result: 'stopping', sent: 1 })
  expect(await replayEntries(app, others, requeueing)).toEqual([]) // by one that does not know that it lost the job
  judge()
  const result = await replay(app, job, signal) // by the next one
  expect(result).toMatchObject({ cancelled: true, sent: 1, rejected: { 'missing-field': 1 } })
  const left = await Promise.all(partitions.map((keys) => readEntries(redis, keys, ids)))
  expect(left.flat().map(({ id }) => id)).toEqual(others.map(({ id }) => id))
})

test('a cancelled replay marks every partition, also where the process that cancelled it was killed in between', async () => {
  await using world = await openWorld()
  const { app, queues, redis, signal } = world
  const jobId = newId('replay')
  const job = await queues.replay.add('replay', everything, { jobId })
  await redis.hset(partitions[0]?.outcome(jobId) ?? '', { cancelled: 1 })
  expect(await replay(app, job, signal)).toMatchObject({ cancelled: true, sent: 0 })
  expect(await redis.hget(partitions[1]?.outcome(jobId) ?? '', 'cancelled')).toBe('1')
})

test('a dry run that was cancelled judges no more', async () => {
  await using world = await openWorld()
  const { app, queues, redis, signal } = world
  await rejectBodies(scopeOf(redis, partitionFor(partitions, here)), ['[]', '{}'])
  const jobId = newId('replay')
  const job = await queues.replay.add('replay', { ...everything, dryRun: true }, { jobId })
  await redis.hset(partitions[0]?.outcome(jobId) ?? '', { cancelled: 1 })
  expect(await replay(app, job, signal)).toMatchObject({ dry_run: true, cancelled: true, admitted: 0, rejected: {} })
})

for (const [where, userId] of [
  ['the same partition', here],
  ['another partition', there],
] as const) {
  test(`a correction to a user of ${where} is cancelled before its first step, and cannot be taken back after it`, async () => {
    await using world = await openWorld()
    const { app, queues, redis, judge, signal } = world
    const from = scopeOf(redis, partitionFor(partitions, here))
    const [one = '', two = ''] = await rejectBodies(
      from,
      [0, 1].map(() => JSON.stringify({ user_id: here })),
    )
    const add = async (invalidId: string) => {
      const jobId = newId('reprocess')
      const data = { body: bodyOf(userId), edit: { invalidId, by: 'ann' } }
      return queues.reprocess.add('edit', data, { jobId })
    }
    const job = await add(one)
    await redis.set(`{jobs}:reprocess:${job.id}:lock`, 'a worker', 'PX', 60_000)
    expect(await cancelJob(app, queues, job.id ?? '')).toEqual({ result: 'stopping', sent: 0 })
    expect(await reprocess(app, job, signal)).toEqual({ verdict: 'cancelled' })
    expect(await readInvalidEntry(redis, partitions, one)).toBeDefined()

    const other = await add(two)
    const entry = await readInvalidEntry(redis, partitions, two)
    if (!entry) throw new Error('no entry')
    const edit = { body: bodyOf(userId), by: 'ann' }
    const record = roundRecord(entry, other.id ?? '', edit, app.now())
    // Its first step, by a process that is killed.
    if (userId === here) await replayEntries(app, [entry], { jobId: other.id ?? '', limit: 1 }, edit)
    else if (record) await withdrawEntry(app, entry, other.id ?? '', record)
    expect(await cancelJob(app, queues, other.id ?? '')).toMatchObject({ result: 'refused', why: 'sent' })
    judge()
    expect(await reprocess(app, other, signal)).toEqual({ verdict: 'admitted' })
  })
}

test('a new order is cancelled before it is sent, and cannot be taken back after it', async () => {
  await using world = await openWorld()
  const { app, queues, redis, judge, signal } = world
  judge()
  const job = await queues.reprocess.add('order', { body: bodyOf(there) }, { jobId: newId('reprocess') })
  await redis.set(`{jobs}:reprocess:${job.id}:lock`, 'a worker', 'PX', 60_000)
  expect(await cancelJob(app, queues, job.id ?? '')).toEqual({ result: 'stopping', sent: 0 })
  expect(await reprocess(app, job, signal)).toEqual({ verdict: 'cancelled' })
  const other = await queues.reprocess.add('order', { body: bodyOf(there) }, { jobId: newId('reprocess') })
  expect(await reprocess(app, other, signal)).toEqual({ verdict: 'admitted' })
  const refused = await cancelJob(app, queues, other.id ?? '')
  expect(refused).toMatchObject({ why: 'sent', reason: expect.stringContaining('has already sent its order') })
})
