import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { newJobId, openQueues, readJob } from '../../../../src/control/job-queues.ts'
import { jobLoops } from '../../../../src/ops/jobs/workers.ts'
import { supervise } from '../../../../src/ops/process/supervise.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

test('a worker whose connection breaks while it opens is replaced', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const redis = new Redis(world.url, { maxRetriesPerRequest: null, lazyConnect: true }) // as openRedis has it
  let opened = 0
  const duplicate = redis.duplicate.bind(redis)
  redis.duplicate = (...options) => {
    const client = duplicate(...options)
    if (opened++ < 2) client.once('connect', () => client.stream.destroy())
    return client
  }
  await using queues = openQueues(redis)
  const stop = new AbortController()
  const supervised = supervise(appOn(redis), jobLoops(appOn(redis)), stop.signal)
  await until('another worker of each queue', () => opened >= 6, Boolean, 20_000)
  const jobId = newJobId('replay', crypto.randomUUID())
  await queues.replay.add('replay', { limit: 1, dryRun: true, until: '9999999999999-0' }, { jobId })
  const done = await until(
    'the job to be done',
    () => readJob(queues, jobId),
    (job) => job?.state === 'completed',
    20_000,
  )
  expect(done?.job.returnvalue).toMatchObject({ sent: 0 })
  stop.abort()
  await supervised
  redis.disconnect()
})
