import { Redis as Client } from 'ioredis'
import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { newJobId, openQueues, readJob } from '../../../../src/control/job-queues.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { jobLoops } from '../../../../src/ops/jobs/workers.ts'
import { readCounters } from '../../../../src/reads/counters.ts'
import { definePipeline } from '../../../../src/stages/define-pipeline.ts'
import type { Stage } from '../../../../src/stages/placed.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { fraud, withFraud } from '../../../support/sample-stages.ts'
import { definitions, shipped } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const refused = Array.from({ length: 6 }, (_, at) =>
  JSON.stringify({
    ...{ user_id: `u${at}`, order_id: `o${at}`, order_value: 600 + at },
    shipping_address: '1 Nowhere Lane',
  }),
)

/** Only orders of above 603 are refused. */
const { validate, aggregate, leaderboard } = definitions
const milder = definePipeline([
  validate,
  {
    ...fraud,
    decide: (order, keys, context) => fraud.decide({ ...order, minor: order.minor - 10_301 }, keys, context),
  } satisfies typeof fraud,
  aggregate,
  leaderboard,
])

test('a dry run asks the stage that rejected an order, and leaves out what a replay leaves where it is', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const config = readConfig({ REDIS_URL: world.url, BLOCK_MS: '50' })
  const scope = appOn(world.redis, config, { pipeline: withFraud })
  await ensureGroups(scope)
  await enqueue(
    scope.redis,
    scope.keys,
    [...refused, '[]'].map((body, at) => ({ id: `m${at}`, body })),
  )
  const stop = new AbortController()
  const stages = ['validate', 'fraud'].map((name) => withFraud.stage(name) as Stage)
  const running = stages.map((stage) => runStage(scope, stage, () => {}, stop.signal))
  await until('all to be rejected', async () => (await world.redis.llen('invalid_orders')) === refused.length + 1)
  stop.abort()
  await Promise.all(running)
  const before = await readCounters(scope.redis, scope.partitions)
  const none = { dry_run: true, cancelled: false, sent: 0, admitted: 0, duplicate: 0, conflict: 0, returned: 0 }
  expect(await dryRun(scope, world.url)).toEqual({ ...none, rejected: { refused: 6, 'not-an-object': 1 } })
  expect(await dryRun({ ...scope, pipeline: milder }, world.url)).toEqual({
    ...none,
    returned: 4,
    rejected: { refused: 2, 'not-an-object': 1 },
  })
  expect(await dryRun({ ...scope, pipeline: shipped }, world.url)).toEqual({
    ...none,
    rejected: { 'not-an-object': 1 },
  })
  expect(await readCounters(scope.redis, scope.partitions)).toEqual(before)
})

/** Runs one dry run over all orders, by the pipeline of the app. */
async function dryRun(scope: PartitionScope, url: string): Promise<unknown> {
  const patient = new Client(url, { maxRetriesPerRequest: null }) // BullMQ's workers insist on it
  await using queues = openQueues(patient)
  const stop = new AbortController()
  const running = jobLoops({ ...scope, redis: patient }).map(({ run }) => run(() => {}, stop.signal))
  const jobId = newJobId('replay', crypto.randomUUID())
  await queues.replay.add('replay', { limit: 100, dryRun: true, until: '9999999999999-0' }, { jobId })
  const { job } = (await until(
    'the dry run to end',
    () => readJob(queues, jobId),
    (found) => found?.state === 'completed' || found?.state === 'failed',
  )) as { job: { returnvalue: unknown; failedReason?: string } }
  stop.abort()
  await Promise.all(running)
  patient.disconnect()
  return job.returnvalue ?? job.failedReason
}
