import type { Job } from 'bullmq'
import type { App } from '../../app.ts'
import { type ReplayData, type ReplayResult, replayData } from '../../control/job-queues.ts'
import { openObjects } from '../../ingest/envelope/objects.ts'
import type { Keys } from '../../keys.ts'
import { partitionOf } from '../../order/partition.ts'
import type { Rejection } from '../../reject-codes.ts'
import { countMatching } from '../../stages/invalid/actions.ts'
import { cancelReplay } from '../../stages/invalid/cancel.ts'
import type { InvalidEntry } from '../../stages/invalid/entry.ts'
import { readOutcome } from '../../stages/invalid/outcome.ts'
import { returningRecord } from '../../stages/invalid/requeue.ts'
import type { Stage } from '../../stages/placed.ts'
import { decideRecord } from '../../stages/runner/decide.ts'
import { chunks } from './chunks.ts'
import { openAgain, type Reopening } from './open-again.ts'
import { jobIdOf, judged, resultOf } from './outcome.ts'
import { requeueEntries } from './requeue.ts'

/** Requeues invalid orders, oldest first, and counts their verdicts. One that is cancelled stops before its next chunk. */
export async function replay(app: App, job: Job<ReplayData>, signal: AbortSignal): Promise<ReplayResult> {
  const data = replayData.parse(job.data)
  const jobId = jobIdOf(job)
  const result = await (data.dryRun ? rehearse(app, job, data, signal) : requeue(app, job, data, signal))
  const { dry_run: dryRun, cancelled = false, ...verdicts } = result
  app.telemetry.emit('replayed', { job: jobId, dryRun, cancelled, ...verdicts })
  return result
}

async function requeue(app: App, job: Job, data: ReplayData, signal: AbortSignal): Promise<ReplayResult> {
  const { redis, partitions, telemetry } = app
  const jobId = jobIdOf(job)
  const before = await readOutcome(redis, partitions, jobId)
  const total = Math.min(data.limit, before.sent + (await countMatching(app, data)))
  let { sent, cancelled } = before
  using objects = openObjects(app)
  // A failover can lose what Redis has replied to: passes go on until one finds nothing left to requeue.
  for (let requeued = 1; requeued > 0 && sent < data.limit && !cancelled; ) {
    requeued = 0
    for await (const entries of chunks(app, data, signal, () => data.limit - sent)) {
      const taken = await requeueEntries(app, entries, { jobId, limit: data.limit }, { objects, jobId, signal })
      requeued += taken
      telemetry.emit('requeued', { job: jobId, orders: taken })
      const outcome = await readOutcome(redis, partitions, jobId)
      await job.updateProgress({ done: outcome.judged, total })
      sent = outcome.sent
      cancelled = outcome.cancelled
      if (cancelled || sent >= data.limit) break
    }
  }
  if (cancelled) await cancelReplay(app, jobId) // no other process that believes to have this job sends after the result
  return resultOf(await judged(app, job, signal, cancelled ? total : undefined))
}

/**
 * Judges the orders by the rules, and those that a later stage rejected by that stage. Skips those that a replay leaves where
 * they are. Changes nothing.
 */
async function rehearse(app: App, job: Job, data: ReplayData, signal: AbortSignal): Promise<ReplayResult> {
  const rejected: Record<string, number> = {}
  const passed = { admitted: 0, returned: 0 }
  let corrected = 0
  const total = Math.min(data.limit, await countMatching(app, data))
  let done = 0
  let cancelled = await isCancelled(app, job)
  using objects = openObjects(app)
  for await (const entries of cancelled ? [] : chunks(app, data, signal, () => data.limit - done)) {
    for (const found of await rehearseSome(app, entries, { objects, jobId: jobIdOf(job), signal })) {
      done++
      if (found === 'corrected') corrected++
      else if (typeof found === 'string') passed[found]++
      else rejected[found.code] = (rejected[found.code] ?? 0) + 1
    }
    await job.updateProgress({ done, total })
    cancelled = await isCancelled(app, job)
    if (cancelled || done >= data.limit) break
  }
  return {
    dry_run: true,
    cancelled,
    sent: 0,
    duplicate: 0,
    conflict: 0,
    ...passed,
    ...(corrected > 0 && { corrected }),
    rejected,
  }
}

const isCancelled = async ({ redis, partitions }: App, job: Job): Promise<boolean> =>
  (await readOutcome(redis, partitions, job.id ?? '')).cancelled

/** How a replay would count an order, or why it would be rejected. */
type Rehearsed = 'admitted' | 'corrected' | 'returned' | Rejection

async function rehearseSome(app: App, entries: readonly InvalidEntry[], reopening: Reopening): Promise<Rehearsed[]> {
  const found: Rehearsed[] = []
  for (const entry of entries) {
    if (entry.text === undefined) continue // a replay leaves it where it is
    const back = returningRecord(app, entry)
    if (back) found.push(rehearsed(app, entry.keys, back.stage, back.record, 'returned'))
    if (entry.record.stage !== undefined) continue
    const records = (await openAgain(app, entry, reopening)) ?? [{ id: entry.id, body: entry.text }]
    for (const one of records)
      found.push(rehearsed(app, partitionOf(app, one.body), app.pipeline.first, one, 'admitted'))
  }
  return found
}

function rehearsed(
  { format }: App,
  keys: Keys,
  stage: Stage,
  record: object,
  passed: 'admitted' | 'returned',
): Rehearsed {
  const verdict = decideRecord({ stage, keys, format }, record, () => {})
  if (verdict.outcome === 'reject') return verdict
  return verdict.outcome === 'correct' ? 'corrected' : passed
}
