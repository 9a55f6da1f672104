import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { newJobId, openQueues } from '../../../../src/control/job-queues.ts'
import { judged } from '../../../../src/ops/jobs/outcome.ts'
import { replay } from '../../../../src/ops/jobs/replay.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { rejectBodies } from '../../../support/invalid.ts'
import { validate } from '../../../support/stages.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

test('a dry run judges as many orders as its limit, oldest first, reports its progress and moves none', async () => {
  await using world = await emptyRedis()
  const scope = appOn(world.redis)
  const ids = await rejectBodies(scope, ['[]', '{}', '{}'])
  await using queues = openQueues(world.redis)
  for (const [limit, rejected, total] of [
    [2, { 'not-an-object': 1, 'missing-field': 1 }, 2],
    [10, { 'not-an-object': 1, 'missing-field': 2 }, 3],
  ] as const) {
    const jobId = newJobId('replay', crypto.randomUUID())
    const job = await queues.replay.add('replay', { limit, dryRun: true, until: '+' }, { jobId })
    const result = await replay(scope, job, new AbortController().signal)
    expect(result).toMatchObject({ dry_run: true, sent: 0, admitted: 0, rejected })
    expect(job.progress).toEqual({ done: total, total })
  }
  expect((await world.redis.xrange(scope.keys.invalid, '-', '+')).map(([id]) => id)).toEqual(ids)
})

test('a job whose orders get no verdict shows that none is done, and fails after its time', async () => {
  await using world = await emptyRedis()
  const scope = appOn(world.redis, readConfig({ JOB_VERDICT_MS: '100' }))
  await using queues = openQueues(world.redis)
  const jobId = newJobId('replay', crypto.randomUUID())
  const job = await queues.replay.add('replay', { limit: 2, dryRun: false, until: '+' }, { jobId })
  await world.redis.hset(scope.keys.outcome(jobId), { sent: 2 })
  await expect(judged(scope, job, new AbortController().signal)).rejects.toThrow('2 of 2 orders have no verdict yet')
  expect(job.progress).toEqual({ done: 0, total: 2 })
})

test('a replay that has sent as many orders as its limit looks at no more', async () => {
  await using world = await emptyRedis()
  const scope = appOn(world.redis)
  const ids = await rejectBodies(scope, ['[]', '{}', '{}'])
  const logged: unknown[] = []
  scope.telemetry.on('requeued', (fields) => void logged.push(fields))
  scope.telemetry.on('replayed', (fields) => void logged.push(fields))
  await using queues = openQueues(world.redis)
  const jobId = newJobId('replay', crypto.randomUUID())
  const job = await queues.replay.add('replay', { limit: 1, dryRun: false, until: '+' }, { jobId })
  const stop = new AbortController()
  const running = runStage(scope, validate, () => {}, stop.signal)
  const result = await replay(scope, job, stop.signal)
  stop.abort()
  await running
  expect(result).toMatchObject({ dry_run: false, sent: 1, rejected: { 'not-an-object': 1 } })
  const none = { admitted: 0, duplicate: 0, conflict: 0, returned: 0 }
  expect(logged).toEqual([
    { job: jobId, orders: 1 },
    { job: jobId, dryRun: false, cancelled: false, sent: 1, ...none, rejected: { 'not-an-object': 1 } },
  ])
  expect((await world.redis.xrange(scope.keys.invalid, '-', '+')).map(([id]) => id).slice(0, 2)).toEqual(ids.slice(1))
})
