import { z } from 'zod'
import type { App } from '../../app.ts'
import { type FoundJob, hasEnded, progressSchema, replayResult, verdict } from '../../control/job-queues.ts'
import { jobsWarning } from '../../control/jobs-alive.ts'
import { undoResult } from '../../control/undo/undo-job.ts'
import { readOutcome, readVerdict } from '../../stages/invalid/outcome.ts'

export const waitWarning = 'Says that the job waits, while no process runs the role `jobs`.'

/** A job as the API and `orders jobs show --json` show it. */
export const jobReply = z
  .object({
    id: z.string(),
    queue: z.string(),
    state: z.string(),
    attempts: z.int(),
    progress: progressSchema.nullable(),
    verdict: verdict.nullable(),
    result: z.union([replayResult, undoResult, verdict]).nullable(),
    failure: z.string().nullable(),
    warning: z.string().nullable().meta({ description: waitWarning }),
  })
  .meta({ id: 'Job' })

export async function jobOf(
  scope: Pick<App, 'redis' | 'partitions' | 'format'>,
  id: string,
  { job, state }: FoundJob,
): Promise<z.input<typeof jobReply>> {
  const { redis, partitions } = scope
  const outcome = await readOutcome(redis, partitions, id)
  const hasVerdict = job.queueName === 'reprocess' && outcome.judged > 0
  return {
    id,
    queue: job.queueName,
    state,
    attempts: job.attemptsMade,
    progress: progressSchema.safeParse(job.progress).data ?? null,
    verdict: hasVerdict ? await readVerdict(scope, outcome) : null,
    result: job.returnvalue ?? null,
    failure: job.failedReason ?? null,
    warning: (hasEnded(state) ? undefined : await jobsWarning(redis)) ?? null,
  }
}
