import { DelayedError } from 'bullmq'
import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { addRedrive, newRedriveId } from '../../../../src/control/add-redrive.ts'
import { openQueues } from '../../../../src/control/job-queues.ts'
import { pauseComponent } from '../../../../src/control/pauses.ts'
import { openDeadLetters } from '../../../../src/ingest/dead-letters/open.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { redrive } from '../../../../src/ops/jobs/redrive.ts'
import { cancelReplay } from '../../../../src/stages/invalid/cancel.ts'
import { countDeadLetters, fillDeadLetters } from '../../../support/dead-letters.ts'
import { pointerTo } from '../../../support/envelopes.ts'
import { recordTracing } from '../../../support/record-tracing.ts'
import { notSqs, openSqsProxy } from '../../../support/sqs-proxy.ts'
import { appOn, type Env, emptyRedis, emptySqs, envOf } from '../../../support/world.ts'

const order = '{"user_id":"ada","order_id":"o","order_value":150.75}'
const { signal } = new AbortController()

/** A redrive that runs in this process. S3 is away: of the emulator only SQS answers. */
async function openWorld(bodies: readonly string[], more: Env = {}, dryRun = false) {
  const stack = new AsyncDisposableStack()
  const { redis, url } = stack.use(await emptyRedis())
  const sqs = stack.use(await emptySqs())
  const env = envOf(url, sqs, more)
  await fillDeadLetters(env, bodies)
  const proxy = stack.use(await openSqsProxy(sqs.url, (name) => (name === notSqs ? {} : undefined), 503))
  const config = readConfig({ ...env, AWS_ENDPOINT_URL: proxy.url })
  const app = appOn(redis, config, { tracing: recordTracing().tracing })
  const queues = stack.use(openQueues(redis))
  const jobId = newRedriveId()
  await addRedrive(queues, jobId, { limit: 100, dryRun }, 'a test')
  const run = async () => {
    const job = await queues.redrive.getJob(jobId)
    return redrive(app, job as NonNullable<typeof job>, signal)
  }
  return { app, env, jobId, run, proxy, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

const cancelled = { cancelled: true, sent: 0, admitted: 0 }

test('a redrive that waits while too much waits in Redis can be cancelled', async () => {
  await using world = await openWorld([order], { HIGH_WATER_ORDERS: '1' })
  const { app, env, jobId, run } = world
  await enqueue(app.redis, app.keys, [{ id: 'm', body: order }])
  const full = Promise.withResolvers<void>()
  app.telemetry.on('backpressureOn', () => full.resolve())
  const running = run()
  await full.promise
  await cancelReplay(app, jobId)
  expect(await running).toMatchObject(cancelled)
  expect(await countDeadLetters(env)).toBe(1)
})

test('a redrive that waits for S3 can be cancelled, and gives its messages back at once; it has asked for their traces', async () => {
  await using world = await openWorld([order, pointerTo('large-orders', 'k')])
  const { app, env, jobId, run, proxy } = world
  const away = Promise.withResolvers<void>()
  app.telemetry.on('bridgeFailed', ({ component }) => component === 'object' && away.resolve())
  const running = run()
  await away.promise
  const asked = proxy.calls.find(({ name }) => name === 'ReceiveMessage')
  expect(asked?.input).toMatchObject({
    MessageAttributeNames: ['traceparent', 'tracestate'],
    MessageSystemAttributeNames: ['AWSTraceHeader'],
  })
  await cancelReplay(app, jobId)
  expect(await running).toMatchObject(cancelled)
  using letters = await openDeadLetters(readConfig({ ...env }))
  expect(await letters.count()).toMatchObject({ messages: 2, inFlight: 0 })
})

test('a redrive that waits for S3 is put off while the bridge is paused', async () => {
  await using world = await openWorld([pointerTo('large-orders', 'k')])
  const { app, env, run } = world
  const away = Promise.withResolvers<void>()
  app.telemetry.on('bridgeFailed', ({ component }) => component === 'object' && away.resolve())
  const running = run()
  await away.promise
  await pauseComponent(app, 'bridge', { by: 'ann', reason: 'a test' })
  await expect(running).rejects.toThrow(DelayedError)
  expect(await countDeadLetters(env)).toBe(1)
})

test('a dry run does not wait for S3, and says so', async () => {
  await using world = await openWorld([pointerTo('large-orders', 'k')], {}, true)
  const { env, run } = world
  await expect(run()).rejects.toThrow(
    /^S3 has not given the object of message \S+ for 10 s: check the way to S3, and try again\.$/,
  )
  using letters = await openDeadLetters(readConfig({ ...env }))
  expect(await letters.count()).toMatchObject({ messages: 1, inFlight: 0 })
})
