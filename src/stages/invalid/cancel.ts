import { z } from 'zod'
import type { App } from '../../app.ts'
import {
  type AnyJob,
  hasEnded,
  type Queues,
  type ReprocessJob,
  readJob,
  removeJob,
  reprocessData,
  wasCancelled,
} from '../../control/job-queues.ts'
import type { Keys } from '../../keys.ts'
import { outcomeSeconds } from '../../messages.ts'
import { partitionOf } from '../../order/partition.ts'
import type { RedisClient } from '../../redis/client.ts'
import { defineScript } from '../../redis/script.ts'
import { readInvalidEntry } from './entry.ts'
import { readOutcome, readWithdrawn } from './outcome.ts'

const cancelIn = defineScript(import.meta.url, z.int())

type Scope = Pick<App, 'redis' | 'partitions' | 'format'>

/** The result of the wish to cancel a job. */
export type Cancellation =
  /** The job is gone from its queue. It has sent nothing and never will. */
  | { readonly result: 'removed' }
  /** The job runs or has sent orders. It sends no more, and ends when those that it sent have their verdicts. */
  | { readonly result: 'stopping'; readonly sent: number }
  | { readonly result: 'refused'; readonly why: 'gone' | 'ended' | 'sent'; readonly reason: string }

export const noJobText = (id: string): string =>
  `There is no job ${id}. Of finished jobs the last 1,000 are kept, for a week.`

/**
 * Cancels a job that has not ended. The wish is kept in the outcome of the job, where the scripts that send its orders
 * find it: no process sends one of them afterwards, whichever has the job, or had it and does not know that it lost it.
 */
export async function cancelJob(scope: Scope, queues: Queues, id: string): Promise<Cancellation> {
  const found = await readJob(queues, id)
  if (!found) return { result: 'refused', why: 'gone', reason: noJobText(id) }
  const ended = (state: string): Cancellation => {
    return { result: 'refused', why: 'ended', reason: `Job ${id} has ended (${state}), so there is nothing to cancel.` }
  }
  if (hasEnded(found.state)) return ended(found.state)
  if (!(await keepWish(scope, found.job, id))) {
    const reason = `Job ${id} has already sent its order, which cannot be taken back: orders jobs show has its verdict.`
    return { result: 'refused', why: 'sent', reason }
  }
  const { sent } = await readOutcome(scope.redis, scope.partitions, id)
  const now = await readJob(queues, id) // it may have ended before it could see the wish
  if (now && hasEnded(now.state) && !wasCancelled(now)) return ended(now.state)
  if (sent === 0 && now && !hasEnded(now.state) && (await removeJob(now.job))) return { result: 'removed' }
  return now ? { result: 'stopping', sent } : { result: 'removed' }
}

/** Returns false if it is too late for the job's one order. */
async function keepWish(scope: Scope, job: AnyJob, id: string): Promise<boolean> {
  const { redis, partitions } = scope
  if (job.queueName !== 'reprocess') {
    await cancelReplay(scope, id)
    return true
  }
  // Only in the one partition that decides: a mark in another would stop the second step of a correction that moves there.
  const [keys, outcome, withdrawn] = await Promise.all([
    decidingPartition(scope, job as ReprocessJob),
    readOutcome(redis, partitions, id),
    readWithdrawn(redis, partitions, id),
  ])
  if (outcome.sent > 0 || withdrawn) return false
  return keys === undefined || cancelOf(redis, keys, id, 'unsent')
}

/** Keeps the wish in every partition. A job that finds it in one repeats this: a kill may have come in between. */
export async function cancelReplay({ redis, partitions }: Scope, id: string): Promise<void> {
  await Promise.all(partitions.map((keys) => cancelOf(redis, keys, id, 'any')))
}

/** Returns undefined if the invalid order is gone: then the job can send nothing. */
async function decidingPartition(scope: Scope, job: ReprocessJob): Promise<Keys | undefined> {
  const { body, edit } = reprocessData.parse(job.data)
  if (edit) return (await readInvalidEntry(scope.redis, scope.partitions, edit.invalidId))?.keys
  return partitionOf(scope, body)
}

async function cancelOf(redis: RedisClient, keys: Keys, id: string, which: 'any' | 'unsent'): Promise<boolean> {
  const names = [keys.outcome(id), keys.layoutKey]
  return (await cancelIn(redis, names, [keys.layout, outcomeSeconds, which])) === 1
}
