import { setTimeout as sleep } from 'node:timers/promises'
import { type OrderVerdict, type Queues, readJob, verdict } from '../../control/job-queues.ts'
import { OrdersError } from '../../errors.ts'
import { interruptible } from './interruptible.ts'

const pollMs = 100

/**
 * Waits for the verdict on the one order that a job sends.
 * @throws OrdersError ORD_JOB when the job failed for good; ORD_INTERRUPTED when the signal aborts: the job goes on
 */
export function followVerdict(queues: Queues, id: string, signal: AbortSignal): Promise<OrderVerdict> {
  return interruptible(verdictOf(queues, id, signal), signal, async () => {
    return `Interrupted. The job goes on: orders jobs show ${id} shows the verdict.`
  })
}

async function verdictOf(queues: Queues, id: string, signal: AbortSignal): Promise<OrderVerdict> {
  for (;;) {
    const found = await readJob(queues, id)
    if (!found) throw new OrdersError('ORD_JOB', `Job ${id} was cancelled or removed before it sent an order.`)
    if (found.state === 'completed') return verdict.parse(found.job.returnvalue)
    if (found.state === 'failed')
      throw new OrdersError('ORD_JOB', `Job ${id} failed (${found.job.failedReason}): retry it in /admin/queues.`)
    await sleep(pollMs, undefined, { signal })
  }
}
