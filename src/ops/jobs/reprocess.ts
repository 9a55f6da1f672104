import { type Job, UnrecoverableError } from 'bullmq'
import type { App } from '../../app.ts'
import { type OrderVerdict, type ReprocessData, reprocessData } from '../../control/job-queues.ts'
import { enqueueOnce } from '../../ingest/enqueue.ts'
import { type RawRecord, withTrace } from '../../messages.ts'
import { partitionOf } from '../../order/partition.ts'
import { type InvalidEntry, readInvalidEntry } from '../../stages/invalid/entry.ts'
import { readOutcome, readVerdict, readWithdrawn } from '../../stages/invalid/outcome.ts'
import { type Edit, replayEntries, roundRecord, withdrawEntry } from '../../stages/invalid/requeue.ts'
import { jobIdOf, judged } from './outcome.ts'

/** Sends one order through the pipeline, a corrected one in place of an invalid one, and returns its verdict. */
export async function reprocess(app: App, job: Job<ReprocessData>, signal: AbortSignal): Promise<OrderVerdict> {
  const { redis, partitions } = app
  const jobId = jobIdOf(job)
  const { body, edit } = reprocessData.parse(job.data)
  if ((await readOutcome(redis, partitions, jobId)).cancelled) return { verdict: 'cancelled' }
  if (edit) {
    const entry = await readInvalidEntry(redis, partitions, edit.invalidId)
    await replayEdited(app, entry, { body, by: edit.by }, jobId)
  } else {
    await sendOnce(app, jobId, { id: jobId, body })
  }
  const { sent, cancelled } = await readOutcome(redis, partitions, jobId)
  if (sent === 0) {
    if (cancelled) return { verdict: 'cancelled' }
    if (edit) {
      throw new UnrecoverableError(
        `The invalid order ${edit.invalidId} is gone: it was replayed or discarded meanwhile.`,
      )
    }
  }
  return readVerdict(app, await judged(app, job, signal))
}

/**
 * Replays an invalid order with another body. If the new user has another partition, this takes two steps; after a kill in
 * between, the next attempt makes the second.
 */
async function replayEdited(app: App, entry: InvalidEntry | undefined, edit: Edit, jobId: string): Promise<void> {
  if (entry && partitionOf(app, edit.body) === entry.keys) {
    await replayEntries(app, [entry], { jobId, limit: 1 }, edit)
    return
  }
  const record = entry && roundRecord(entry, jobId, edit, app.now())
  if (entry && record) await withdrawEntry(app, entry, jobId, record)
  const withdrawn = await readWithdrawn(app.redis, app.partitions, jobId)
  if (withdrawn) await sendOnce(app, jobId, withdrawn)
}

/** Sends an order once, even if the job has already sent it in another partition. */
async function sendOnce(app: App, jobId: string, record: RawRecord): Promise<void> {
  if ((await readOutcome(app.redis, app.partitions, jobId)).sent === 0)
    await enqueueOnce(app, jobId, withTrace(record, app.trace))
}
