import type { App } from '../../app.ts'
import { beginAction } from '../../control/audit-log.ts'
import type { Queues } from '../../control/job-queues.ts'
import { messageOf, OrdersError } from '../../errors.ts'
import { type Cancellation, cancelJob } from '../../stages/invalid/cancel.ts'
import { wrapped } from '../terminal/wrapped.ts'
import { operatingUser } from './operating-user.ts'

export type Cancelled = Exclude<Cancellation, { readonly result: 'refused' }>

/**
 * Cancels a job, and records that.
 * @throws OrdersError ORD_JOB for a job that cannot be cancelled, with the reason.
 */
export async function cancelAudited(app: App, queues: Queues, id: string): Promise<Cancelled> {
  const what = JSON.stringify({ id })
  const begun = await beginAction(app, { action: 'cancel', by: operatingUser(), what })
  const done = await cancelJob(app, queues, id).catch(async (error: unknown) => {
    await begun.end(`failed: ${messageOf(error)}`)
    throw error
  })
  if (done.result === 'refused') {
    await begun.cancel()
    throw new OrdersError('ORD_JOB', wrapped(done.reason).join('\n'))
  }
  await begun.end('done')
  return done
}
