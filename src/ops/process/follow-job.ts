import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../app.ts'
import {
  type AnyJob,
  progressSchema,
  type Queues,
  type ReplayResult,
  readJob,
  replayResult,
} from '../../control/job-queues.ts'
import { type UndoResult, undoResult } from '../../control/undo/undo-job.ts'
import { messageOf, OrdersError } from '../../errors.ts'
import { explainFailure } from '../../redis/errors.ts'
import { canAsk, readKey } from '../terminal/interactive/key.ts'
import type { Progress } from '../terminal/interactive/progress.ts'
import { cancelledLines } from '../terminal/jobs/job-text.ts'
import { endLine, printError } from '../terminal/output.ts'
import { cancelAudited } from './cancel-audited.ts'
import { interruptible } from './interruptible.ts'

export interface Following {
  readonly progress: Progress
  readonly total: number
  readonly signal: AbortSignal
}

/**
 * Shows the progress of a replay or a redrive until it ends, and returns its result.
 * @throws OrdersError ORD_JOB when the job failed for good; ORD_INTERRUPTED when the signal aborts: the job goes on, unless
 *   the operator cancels it
 */
export const followJob = (app: App, queues: Queues, id: string, following: Following): Promise<ReplayResult> =>
  follow(app, queues, id, { ...following, parse: (result) => replayResult.parse(result) })

/** Does the same for an undo or a redo. */
export const followUndo = (app: App, queues: Queues, id: string, following: Following): Promise<UndoResult> =>
  follow(app, queues, id, { ...following, parse: (result) => undoResult.parse(result) })

interface Parsing<T> extends Following {
  parse(result: unknown): T
}

function follow<T extends { readonly cancelled?: boolean | undefined }>(
  app: App,
  queues: Queues,
  id: string,
  following: Parsing<T>,
): Promise<T> {
  const { signal } = following
  return interruptible(resultOf(queues, id, following), signal, () => interrupted(app, queues, id, signal))
}

/** Asks on a terminal whether the job goes on. Returns what becomes of it. */
async function interrupted(app: App, queues: Queues, id: string, signal: AbortSignal): Promise<string> {
  const toStop = `To stop it: orders jobs cancel ${id}`
  if (signal.reason !== 'SIGINT' || !canAsk()) return `Interrupted. The job goes on. ${toStop}`
  // Before the question: a second Ctrl-C may end this process at once, and leaves these lines there.
  endLine()
  printError([`Interrupted. The job goes on. ${toStop}`, 'Press c to cancel it now, or Enter to leave it running.'])
  if ((await readKey(['c'])) === undefined) return 'It goes on.'
  return cancelAudited(app, queues, id).then(
    (done) => cancelledLines(id, done).join('\n'),
    (error: unknown) => `It was not cancelled. ${explainFailure(error)?.text ?? messageOf(error)}`,
  )
}

/** Says that a job failed. One that has attempts left says that another one would not help. */
function failedText(id: string, { failedReason, attemptsMade, opts }: AnyJob): string {
  const reason = failedReason.replace(/\.$/, '')
  if (attemptsMade < (opts.attempts ?? 1)) return `Job ${id} failed: ${reason}.`
  return `Job ${id} failed (${reason}): retry it in /admin/queues.`
}

const pollMs = 100

/** @throws OrdersError ORD_JOB when the job failed for good. */
async function resultOf<T extends { readonly cancelled?: boolean | undefined }>(
  queues: Queues,
  id: string,
  { progress: bar, total, signal, parse }: Parsing<T>,
): Promise<T> {
  for (;;) {
    const found = await readJob(queues, id)
    const { done = 0 } = progressSchema.safeParse(found?.job.progress).data ?? {}
    const result = found?.state === 'completed' ? parse(found.job.returnvalue) : undefined
    bar.show(result && !result.cancelled ? total : Math.min(done, total))
    if (result) {
      bar.end()
      return result
    }
    if (!found || found.state === 'failed') {
      if (!found) throw new OrdersError('ORD_JOB', `Job ${id} was cancelled or removed before it sent an order.`)
      throw new OrdersError('ORD_JOB', failedText(id, found.job))
    }
    await sleep(pollMs, undefined, { signal })
  }
}
