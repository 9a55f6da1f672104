import { expect, test } from 'vitest'
import { addRedrive, newRedriveId } from '../../src/control/add-redrive.ts'
import { openQueues, readJob, replayResult } from '../../src/control/job-queues.ts'
import { sum } from '../../src/sums.ts'
import { countDeadLetters, fillDeadLetters } from '../support/dead-letters.ts'
import { waves } from '../support/expected.ts'
import { Oracle } from '../support/oracle.ts'
import { spawnOrders } from '../support/process.ts'
import { requireRealRedis } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { expectExact } from '../support/state.ts'
import { striking, type Trigger } from '../support/strike.ts'
import { until } from '../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

/** Each step of a message from the dead-letter queue to its deletion, and moments between. */
const moments: readonly Trigger[] = [
  { call: 'ReceiveMessage' },
  { event: 'received' },
  { event: 'received', after: true },
  { event: 'enqueued' },
  { event: 'requeued', after: true },
  { event: 'durable' },
  { event: 'durable', nth: 2, after: true },
  { call: 'DeleteMessageBatch' },
  { event: 'deleted' },
  { event: 'deleted', nth: 2 },
]
const kills = Number(process.env['KILLS'] ?? moments.length)
/** That run at once. */
const workers = 3

/** Kills workers at all moments, again and again. While one is killed, others wait to take its job over. */
async function killRepeatedly(env: Env): Promise<void> {
  await using stack = new AsyncDisposableStack()
  let spawned = 0
  let killed = 0
  const strikeNext = async (): Promise<void> => {
    while (killed < kills) {
      const trigger = moments[spawned++ % moments.length] as Trigger
      const strike = striking({ trigger, pid: 0, signal: 'SIGKILL' })
      const worker = stack.use(spawnOrders(['run', 'jobs'], { ...env, ...strike }))
      expect([trigger, await worker.exit()]).toEqual([trigger, { code: null, signal: 'SIGKILL' }])
      killed++
    }
    await stack.disposeAsync() // ends those of the others, which nothing has struck
  }
  await Promise.all(Array.from({ length: workers }, strikeNext))
}

test(`a redrive whose worker is killed ${kills} times brings back every dead letter exactly once (seed ${seed})`, {
  timeout: 300_000,
}, async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  await using sqs = await emptySqs()
  // As short as they may be: what a killed worker had is soon with the next.
  const env = envOf(world.url, sqs, { JOB_LOCK_MS: '500', SQS_VISIBILITY_TIMEOUT_SECONDS: '5', LOG_LEVEL: 'silent' })
  const [bodies] = waves(600, seed) // duplicates and broken ones among them
  const oracle = new Oracle()
  for (const body of bodies) oracle.take(body)
  await fillDeadLetters(env, bodies)
  await using stages = runOrders(['run', 'validate', 'aggregate', 'leaderboard'], { ...env, LOG_LEVEL: 'info' })
  await stages.started()
  await using queues = openQueues(redis)
  const jobId = newRedriveId()
  await addRedrive(queues, jobId, { limit: 1_000_000, rate: 100, dryRun: false }, 'a test')
  await killRepeatedly(env)
  expect((await readJob(queues, jobId))?.state).not.toBe('completed')
  await using last = spawnOrders(['run', 'jobs'], env)
  const found = await until(
    'the job to end',
    () => readJob(queues, jobId),
    (job) => job?.state === 'completed' || job?.state === 'failed',
  )
  const { admitted, rejected, conflict, duplicate, sent } = replayResult.parse(found?.job.returnvalue)
  expect([admitted, sum(Object.values(rejected)), conflict]).toEqual([oracle.admitted, oracle.rejected, 0])
  expect(sent).toBe(oracle.admitted + oracle.rejected + duplicate)
  expect(duplicate).toBeGreaterThan(oracle.duplicates) // those that were written before a kill, and deleted after it
  expect(await countDeadLetters(env)).toBe(0)
  await expectExact(redis, oracle)
  expect(await last.stop()).toEqual({ code: 0, signal: null })
})
