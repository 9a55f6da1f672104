import { setInterval as every, setTimeout as sleep } from 'node:timers/promises'
import { DelayedError, type Job, WaitingError, Worker } from 'bullmq'
import type { App, Loop, Tick } from '../../app.ts'
import {
  bullConnection,
  type OrderVerdict,
  type RedriveData,
  type ReplayData,
  type ReplayResult,
  type ReprocessData,
} from '../../control/job-queues.ts'
import { traceOfJob } from '../../control/job-trace.ts'
import { markJobsAlive } from '../../control/jobs-alive.ts'
import { messageOf } from '../../errors.ts'
import { type Consumed, rememberTrace, tracedLines, traceOf } from '../../tracing/tracing.ts'
import { archiveLoop } from '../archive/loop.ts'
import { replay } from './replay.ts'
import { reprocess } from './reprocess.ts'
import { retentionLoop } from './retention.ts'
import { retryLoop } from './retries.ts'

/** Returns the worker of each queue, the retries, and what removes old records. Many reprocess jobs only wait for their verdict; a replay moves thousands of orders. */
export function jobLoops(app: App): Loop[] {
  const reprocessing: Work<ReprocessData, OrderVerdict> = { queue: 'reprocess', concurrency: 50, handle: reprocess }
  const replaying: Work<ReplayData, ReplayResult> = { queue: 'replay', concurrency: 4, handle: replay }
  const redriving: Work<RedriveData, ReplayResult> = { queue: 'redrive', concurrency: 4, handle: redriveOnDemand }
  return [
    { name: 'jobs-reprocess', run: (tick, signal) => work(app, reprocessing, tick, signal) },
    { name: 'jobs-replay', run: (tick, signal) => work(app, replaying, tick, signal) },
    { name: 'jobs-redrive', run: (tick, signal) => work(app, redriving, tick, signal) },
    retryLoop(app),
    ...(app.config.archiveUrl === undefined ? [] : [archiveLoop(app)]),
    retentionLoop(app),
  ]
}

/** Loads the SDK with the first redrive: few processes ever have one. */
const redriveOnDemand: Work<RedriveData, ReplayResult>['handle'] = async (...args) =>
  (await import('./redrive.ts')).redrive(...args)

interface Work<D, R> {
  readonly queue: string
  readonly concurrency: number
  /** Can be retried at any point: the orders it has sent are recorded. */
  handle(app: App, job: Job<D, R>, signal: AbortSignal): Promise<R>
}

/** Ms after which a worker asks again for its next job. BullMQ's own 15 s are long after a password that came late. */
const retryDelayMs = 1_000

/** Time after which a job that had to wait is tried again. That is no failed attempt. */
const delayedMs = 2_000

/** Processes jobs until the signal aborts. Jobs in flight then wait for another worker. */
async function work<D, R>(
  app: App,
  { queue, concurrency, handle }: Work<D, R>,
  tick: Tick,
  signal: AbortSignal,
): Promise<void> {
  const { config, telemetry, redis } = app
  const process = async (job: Job<D, R>, token?: string): Promise<R> => {
    const from: Consumed = { system: 'bullmq', destination: queue }
    const span = app.tracing?.consume(from, [traceOfJob(job)], { 'messaging.message.id': job.id ?? '' })
    rememberTrace(job, span?.traceId)
    try {
      const scope = { ...app, telemetry: tracedLines(telemetry, span), ...(span?.traceId && { trace: span.context }) }
      const result = await handle(scope, job, signal)
      span?.end()
      return result
    } catch (error) {
      const isGivenBack = signal.aborted || error instanceof DelayedError
      if (isGivenBack) span?.end({ 'orders.given_back': true })
      else span?.fail(error)
      if (!isGivenBack) throw error
      if (!signal.aborted) {
        await job.moveToDelayed(Date.now() + delayedMs, token)
        throw error
      }
      await job.moveToWait(token)
      throw new WaitingError()
    }
  }
  const worker = new Worker<D, R>(queue, process, {
    ...bullConnection(redis),
    concurrency,
    lockDuration: config.jobLockMs,
    stalledInterval: config.jobLockMs,
    // Any number of times a job continues where its killed worker stopped.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    runRetryDelay: retryDelayMs,
  })
  worker.on('error', () => {}) // the shared connection reports the same outage
  let failed: Promise<void> | undefined
  const ready = worker.waitUntilReady().then(() => {})
  ready.catch(() => {
    failed = ready
  })
  worker.on('completed', (job) => telemetry.emit('jobDone', { job: job.id ?? '', queue, ...traceOf(job) }))
  worker.on('failed', (job, error) => {
    telemetry.emit('jobFailed', {
      job: job?.id ?? '',
      queue,
      attempt: job?.attemptsMade ?? 0,
      error: messageOf(error),
      ...traceOf(error),
    })
  })
  try {
    await markAlive(app)
    for await (const _ of every(1_000, undefined, { signal })) {
      await failed // its connection broke while it was opened: only another worker can work
      if (!worker.isRunning()) continue
      tick()
      void markAlive(app)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    // Without its master in a cluster, it reconnects forever and does not end.
    await Promise.race([worker.close(), sleep(config.stopGraceMs, undefined, { ref: false })])
  }
}

/** Continues if Redis refuses it: the connection reports an outage. */
const markAlive = ({ redis }: App): Promise<void> => markJobsAlive(redis).catch(() => {})
