import { expect, test } from 'vitest'
import type { App } from '../../../../src/app.ts'
import { newJobId, openQueues } from '../../../../src/control/job-queues.ts'
import { reprocess } from '../../../../src/ops/jobs/reprocess.ts'
import { partitionFor } from '../../../../src/partitions.ts'
import { readCounters } from '../../../../src/reads/counters.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { rejectBodies } from '../../../support/invalid.ts'
import { corrected } from '../../../support/jobs.ts'
import { validate } from '../../../support/stages.ts'
import { here, partitions, scopeOf, there } from '../../../support/two-partitions.ts'
import { emptyRedis } from '../../../support/world.ts'

const bodyOf = (userId: string): string => JSON.stringify({ ...corrected, user_id: userId })

/** An app of two partitions, and a function that makes an attempt at a job, while validate runs in both. */
async function openWorld() {
  const stack = new AsyncDisposableStack()
  const { redis } = stack.use(await emptyRedis())
  const queues = stack.use(openQueues(redis))
  const app: App = scopeOf(redis, partitionFor(partitions, here))
  const stop = new AbortController()
  const attempt = async (data: Parameters<typeof queues.reprocess.add>[1], jobId: string) => {
    const job = await queues.reprocess.add('reprocess', data, { jobId })
    return reprocess(app, job, stop.signal)
  }
  const judge = (): void => {
    const running = partitions.map((keys) => runStage(scopeOf(redis, keys), validate, () => {}, stop.signal))
    stack.defer(async () => {
      stop.abort()
      await Promise.all(running)
    })
  }
  return { redis, app, attempt, judge, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

test('an order is sent once, however many attempts its job takes, and has its verdict', async () => {
  await using world = await openWorld()
  const { redis, attempt } = world
  world.judge()
  const jobId = newJobId('reprocess', crypto.randomUUID())
  for (let time = 0; time < 2; time++)
    expect(await attempt({ body: bodyOf(here) }, jobId)).toEqual({ verdict: 'admitted' })
  expect(await readCounters(redis, partitions)).toEqual({ received: 1, admitted: 1 })
  expect(await attempt({ body: bodyOf(here) }, newJobId('reprocess', crypto.randomUUID()))).toEqual({
    verdict: 'duplicate',
  })
})

for (const [where, userId] of [
  ['the same partition', here],
  ['another partition', there],
] as const) {
  test(`an invalid order that is corrected to a user of ${where} is admitted there, once in two attempts`, async () => {
    await using world = await openWorld()
    const { redis, app, attempt } = world
    const from = partitionFor(partitions, here)
    const [invalidId = ''] = await rejectBodies(scopeOf(redis, from), [JSON.stringify({ user_id: here })])
    world.judge()
    const jobId = newJobId('reprocess', crypto.randomUUID())
    const data = { body: bodyOf(userId), edit: { invalidId, by: 'ann' } }
    for (let time = 0; time < 2; time++) expect(await attempt(data, jobId)).toEqual({ verdict: 'admitted' })
    const target = partitionFor(app.partitions, userId)
    expect(await readCounters(redis, [target])).toMatchObject({ admitted: 1 })
    expect(await readCounters(redis, partitions)).toMatchObject({ received: 2, rejected: 1, replayed: 1, admitted: 1 })
    expect(await redis.hget(target.counters, 'duplicates')).toBeNull()
    expect(await redis.xlen(from.invalid)).toBe(0)
  })
}

test('a corrected order whose invalid one is gone ends the job with a sentence', async () => {
  await using world = await openWorld()
  const jobId = newJobId('reprocess', crypto.randomUUID())
  const data = { body: bodyOf(here), edit: { invalidId: '1-0', by: 'ann' } }
  await expect(world.attempt(data, jobId)).rejects.toThrow('The invalid order 1-0 is gone')
})
