import type { Job } from 'bullmq'
import type { App } from '../../app.ts'
import { type ReplayData, type ReplayResult, replayData } from '../../control/job-queues.ts'
import type { Rejection } from '../../reject-codes.ts'
import { countMatching } from '../../stages/invalid/actions.ts'
import { cancelReplay } from '../../stages/invalid/cancel.ts'
import type { InvalidEntry } from '../../stages/invalid/entry.ts'
import { readOutcome } from '../../stages/invalid/outcome.ts'
import { bridgeRejection, replayEntries, returningRecord } from '../../stages/invalid/requeue.ts'
import { decideRecord } from '../../stages/runner/plan.ts'
import { chunks } from './chunks.ts'
import { jobIdOf, judged } from './outcome.ts'

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
  // A failover can lose what Redis has replied to: passes go on until one finds nothing left to requeue.
  for (let requeued = 1; requeued > 0 && sent < data.limit && !cancelled; ) {
    requeued = 0
    for await (const entries of chunks(app, data, signal, () => data.limit - sent)) {
      const taken = await replayEntries(app, entries, { jobId, limit: data.limit })
      requeued += taken.length
      telemetry.emit('requeued', { job: jobId, orders: taken.length })
      const outcome = await readOutcome(redis, partitions, jobId)
      await job.updateProgress({ done: outcome.judged, total })
      sent = outcome.sent
      cancelled = outcome.cancelled
      if (cancelled || sent >= data.limit) break
    }
  }
  if (cancelled) await cancelReplay(app, jobId) // no other process that believes to have this job sends after the result
  const { judged: _, invalidId: __, ...result } = await judged(app, job, signal, cancelled ? total : undefined)
  return { dry_run: false, ...result, rejected: { ...result.rejected } }
}

/**
 * Judges the orders by the rules, and those that a later stage rejected by that stage. Skips those that a replay leaves where
 * they are. Changes nothing.
 */
async function rehearse(app: App, job: Job, data: ReplayData, signal: AbortSignal): Promise<ReplayResult> {
  const rejected: Record<string, number> = {}
  const passed = { admitted: 0, returned: 0 }
  const total = Math.min(data.limit, await countMatching(app, data))
  let done = 0
  let cancelled = await isCancelled(app, job)
  for await (const entries of cancelled ? [] : chunks(app, data, signal, () => data.limit - done)) {
    for (const entry of entries) {
      const found = rehearseEntry(app, entry)
      if (found === undefined) continue
      done++
      if (typeof found === 'string') passed[found]++
      else rejected[found.code] = (rejected[found.code] ?? 0) + 1
    }
    await job.updateProgress({ done, total })
    cancelled = await isCancelled(app, job)
    if (cancelled || done >= data.limit) break
  }
  return { dry_run: true, cancelled, sent: 0, duplicate: 0, conflict: 0, ...passed, rejected }
}

const isCancelled = async ({ redis, partitions }: App, job: Job): Promise<boolean> =>
  (await readOutcome(redis, partitions, job.id ?? '')).cancelled

/** Returns how a replay would count an order, or why it would be rejected; undefined if a replay leaves it where it is. */
function rehearseEntry(app: App, entry: InvalidEntry): 'admitted' | 'returned' | Rejection | undefined {
  if (entry.text === undefined) return undefined
  if (entry.record.stage === undefined) {
    const record = { id: entry.id, body: entry.text, rejection: bridgeRejection(entry) }
    const verdict = decideRecord({ stage: app.pipeline.first, keys: entry.keys, format: app.format }, record, () => {})
    return verdict.outcome === 'reject' ? verdict : 'admitted'
  }
  const back = returningRecord(app, entry)
  if (!back) return undefined
  const verdict = decideRecord({ stage: back.stage, keys: entry.keys, format: app.format }, back.record, () => {})
  return verdict.outcome === 'reject' ? verdict : 'returned'
}
