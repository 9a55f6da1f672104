import { setTimeout as sleep } from 'node:timers/promises'
import { type Job, UnrecoverableError } from 'bullmq'
import type { App } from '../../app.ts'
import { isJobId, type ReplayResult } from '../../control/job-queues.ts'
import { outcomeSeconds } from '../../messages.ts'
import { type Outcome, readOutcome } from '../../stages/invalid/outcome.ts'

/** The commit of a stage takes a few milliseconds; polling more often would only load Redis. */
const pollMs = 50

/** Returns the job id that the orders carry. Our ids are unique forever; those that Bull Board assigns repeat. */
export function jobIdOf({ id = '', timestamp }: Job): string {
  if (!isJobId(id)) throw new UnrecoverableError('Only the API and npm run replay can create jobs: create it there.')
  if (Date.now() - timestamp > outcomeSeconds * 1_000) {
    throw new UnrecoverableError(
      'This job is older than 7 days, and the orders it sent are no longer known: create a new one.',
    )
  }
  return id
}

/**
 * Waits until every order that the job has sent has its verdict.
 * @param asked number of orders that it was to send, of which the progress is shown; undefined if it sends no more than it has
 * @throws when none arrives for JOB_VERDICT_MS; the job is then retried and continues to wait.
 */
export async function judged(
  { redis, partitions, config }: App,
  job: Pick<Job, 'id' | 'updateProgress'>,
  signal: AbortSignal,
  asked?: number,
): Promise<Outcome> {
  let seen = -1
  let changedAt = performance.now()
  for (;;) {
    const outcome = await readOutcome(redis, partitions, job.id ?? '')
    const { judged, sent } = outcome
    if (judged !== seen) {
      changedAt = performance.now()
      await job.updateProgress({ done: judged, total: asked ?? sent })
    }
    seen = judged
    if (judged >= sent) return outcome
    if (performance.now() - changedAt > config.jobVerdictMs) {
      throw new Error(
        `${sent - judged} of ${sent} orders have no verdict yet: make sure that a validate process runs, then retry.`,
      )
    }
    await sleep(pollMs, undefined, { signal })
  }
}

/** Returns the result of a job whose orders have their verdicts. */
export function resultOf({ judged: _, invalidId: __, corrected, rejected, ...outcome }: Outcome): ReplayResult {
  return { dry_run: false, ...outcome, ...(corrected > 0 && { corrected }), rejected: { ...rejected } }
}
