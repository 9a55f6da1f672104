import { setTimeout as sleep } from 'node:timers/promises'
import { DelayedError, type Job, UnrecoverableError } from 'bullmq'
import type { App } from '../../app.ts'
import { type RedriveData, type ReplayResult, redriveData } from '../../control/job-queues.ts'
import { type Pause, readPauses } from '../../control/pauses.ts'
import { OrdersError } from '../../errors.ts'
import { openGate } from '../../ingest/backpressure.ts'
import { type Mover, openMover } from '../../ingest/dead-letters/move.ts'
import { type DeadLetters, openDeadLetters } from '../../ingest/dead-letters/open.ts'
import { openPace } from '../../ingest/dead-letters/pace.ts'
import type { Keys } from '../../keys.ts'
import { openBacklog, totalOf } from '../../reads/backlog.ts'
import { judgeDeadLetters } from '../../reads/dead-letters/dead-letters.ts'
import { cancelReplay } from '../../stages/invalid/cancel.ts'
import { type Outcome, readOutcome, sentElsewhere } from '../../stages/invalid/outcome.ts'
import { jobIdOf, judged, resultOf } from './outcome.ts'

/**
 * Brings messages of the dead-letter queue to `orders:raw`, as the bridge does, and counts their verdicts. Ends when the
 * queue is empty, or at the limit. Stops before its next messages when it is cancelled, and waits while the bridge is paused
 * or too much waits in Redis.
 */
export async function redrive(app: App, job: Job<RedriveData>, signal: AbortSignal): Promise<ReplayResult> {
  const data = redriveData.parse(job.data)
  const jobId = jobIdOf(job)
  const result = await (data.dryRun ? rehearse(app, job, data, signal) : move(app, job, data, signal))
  const { dry_run: dryRun, cancelled = false, ...verdicts } = result
  app.telemetry.emit('redriven', { job: jobId, dryRun, cancelled, ...verdicts })
  return result
}

async function move(app: App, job: Job, data: RedriveData, signal: AbortSignal): Promise<ReplayResult> {
  const { redis, partitions } = app
  const jobId = jobIdOf(job)
  const before = await readOutcome(redis, partitions, jobId)
  const asked = before.cancelled ? undefined : await moveAll(app, job, data, signal)
  // No other process that believes to have this job sends after the result.
  const { cancelled } = await readOutcome(redis, partitions, jobId)
  if (cancelled) await cancelReplay(app, jobId)
  return resultOf(await judged(app, job, signal, cancelled ? asked : undefined))
}

/** @returns how many messages it was to move */
async function moveAll(app: App, job: Job, { limit, rate }: RedriveData, signal: AbortSignal): Promise<number> {
  const { redis, partitions, telemetry } = app
  const jobId = jobIdOf(job)
  const outcome = (): Promise<Outcome> => readOutcome(redis, partitions, jobId)
  using queue = await open(app, signal)
  const total = Math.min(limit, (await outcome()).sent + (await countAll(queue)))
  const mayHave = (keys: Keys): Promise<number> => sentElsewhere(app, jobId, keys).then((sent) => limit - sent)
  await using mover = await openMover(app, queue, { jobId, mayHave })
  const readBacklog = openBacklog(app)
  const gate = openGate(app, async () => totalOf((await readBacklog()).stages))
  const pace = openPace(rate)
  const isEmpty = openEmptiness(app, queue, mover)
  const moveSome = async (count: number, until: AbortSignal): ReturnType<Mover['move']> => {
    await gate.pass(() => {}, until)
    if (pace.dueMs() > 0) await sleep(pace.dueMs(), undefined, { signal: until })
    return mover.move(count, until)
  }
  const mustStop = async (): Promise<boolean> => (await outcome()).cancelled || (await pauseOfBridge(app)) !== undefined
  for (;;) {
    const { sent, judged, cancelled } = await outcome()
    await job.updateProgress({ done: judged, total: Math.max(total, Math.min(limit, sent)) })
    if (cancelled || sent >= limit) break
    await requireRunningBridge(app)
    const moved = await unlessStopped(mustStop, (until) => moveSome(Math.min(pace.batch, limit - sent), until), signal)
    if (!moved) continue // the next round says why
    const { received, written } = moved
    pace.sent(written)
    if (written > 0) telemetry.emit('requeued', { job: jobId, orders: written })
    if (queue.isFifo) await mover.settled(signal) // until then SQS keeps the next ones of these groups
    if (await isEmpty(received, signal)) break
  }
  await mover.settled(signal)
  return total
}

/** @throws UnrecoverableError where the queue has no dead-letter queue: to try again would not help */
async function open({ config }: App, signal: AbortSignal): Promise<DeadLetters> {
  try {
    return await openDeadLetters(config, signal)
  } catch (error) {
    if (error instanceof OrdersError && error.code === 'ORD_DEAD_LETTERS') throw new UnrecoverableError(error.message)
    throw error
  }
}

async function countAll(queue: DeadLetters): Promise<number> {
  const { messages, inFlight } = await queue.count()
  return messages + inFlight
}

/**
 * Gives the job back while the bridge is paused: it is the other way from SQS into the pipeline, and a repartition waits until
 * no job runs.
 * @throws DelayedError
 */
async function requireRunningBridge(app: App): Promise<void> {
  const pause = await pauseOfBridge(app)
  if (pause) throw new DelayedError(`The bridge is paused by ${pause.by}: the redrive goes on when it runs again.`)
}

const pauseOfBridge = async ({ redis, control }: App): Promise<Pause | undefined> =>
  (await readPauses(redis, control))['bridge']

/** Time between two looks whether a step must stop. */
const lookEveryMs = 1_000

/**
 * Makes a step that may take long: it waits while too much waits in Redis, and while S3 is away.
 * @returns undefined if it had to stop before its end
 */
async function unlessStopped<T>(
  mustStop: () => Promise<boolean>,
  step: (until: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const stop = new AbortController()
  const look = async (): Promise<void> => {
    if (await mustStop()) stop.abort()
  }
  const looking = setInterval(() => void look().catch(() => {}), lookEveryMs)
  try {
    return await step(AbortSignal.any([signal, stop.signal]))
  } catch (error) {
    if (signal.aborted || !stop.signal.aborted) throw error
    return undefined
  } finally {
    clearInterval(looking)
  }
}

/** Added to the visibility timeout: what a killed process had received is delivered again by then. */
const lateMs = 3_000

/** Returns a function that says whether the dead-letter queue is empty, after a receive that brought so many messages. */
function openEmptiness({ config }: App, queue: DeadLetters, mover: Mover) {
  let lastAt = performance.now()
  return async (received: number, signal: AbortSignal): Promise<boolean> => {
    if (received > 0) lastAt = performance.now()
    if (received > 0) return false
    await mover.settled(signal) // our own messages count as in flight until they are deleted
    if ((await countAll(queue)) === 0) return true
    // Others hold the rest, or the estimate of SQS is late.
    return performance.now() - lastAt > config.sqsVisibilityTimeoutSeconds * 1_000 + lateMs
  }
}

/** The most messages that a dry run looks at: SQS hides all of them meanwhile. */
const maxRehearsed = 1_000

/** Judges messages as they would be judged now, and gives them back. Changes nothing. */
async function rehearse(app: App, job: Job, data: RedriveData, signal: AbortSignal): Promise<ReplayResult> {
  const counts = { admitted: 0, duplicate: 0, conflict: 0 }
  let corrected = 0
  const rejected: Record<string, number> = {}
  using queue = await open(app, signal)
  const limit = Math.min(data.limit, maxRehearsed)
  const total = Math.min(limit, await countAll(queue))
  let done = 0
  let cancelled = (await readOutcome(app.redis, app.partitions, jobIdOf(job))).cancelled
  for await (const letters of cancelled ? [] : judgeDeadLetters(app, queue, limit, signal)) {
    for (const { verdict } of letters) {
      if (verdict.verdict === 'corrected') corrected++
      else if (verdict.verdict !== 'rejected') counts[verdict.verdict]++
      else rejected[verdict.code] = (rejected[verdict.code] ?? 0) + 1
    }
    done += letters.length
    await job.updateProgress({ done, total: Math.max(done, total) })
    cancelled = (await readOutcome(app.redis, app.partitions, jobIdOf(job))).cancelled
    if (cancelled) break
  }
  return { dry_run: true, cancelled, sent: 0, returned: 0, ...counts, ...(corrected > 0 && { corrected }), rejected }
}
