import type { App } from '../../app.ts'
import { audited } from '../../control/audit-log.ts'
import type { Queues } from '../../control/job-queues.ts'
import { OrdersError } from '../../errors.ts'
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
  const cancelling = (): Promise<Cancellation> => cancelJob(app, queues, id)
  const action = { action: 'cancel', by: operatingUser(), what }
  const done = await audited(app, action, cancelling, ({ result }) => (result === 'refused' ? undefined : what))
  if (done.result === 'refused') throw new OrdersError('ORD_JOB', wrapped(done.reason).join('\n'))
  return done
}
