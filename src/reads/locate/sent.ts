import type { App } from '../../app.ts'
import { parseWhat, readAudit } from '../../control/audit-log.ts'
import { type OrderCorrection, orderCorrections } from '../../control/correct-order.ts'
import type { OrderVerdict } from '../../control/job-queues.ts'
import { isObject } from '../../order/json.ts'
import { isForbidden, isWrongType } from '../../redis/errors.ts'
import { readOutcome, readVerdict } from '../../stages/invalid/outcome.ts'
import type { OrderName } from './evidence.ts'

/** An order that an operator has sent, by the audit log: in place of an invalid one, or as a new one; or a correction of it. */
export interface Sent {
  readonly at: string
  readonly by: string
  /** The invalid order that it replaced. */
  readonly invalid_id?: string | undefined
  /** The wish of the operator, if not the order itself, and the reason. */
  readonly correction?: OrderCorrection | undefined
  readonly reason?: string | undefined
  readonly job_id: string
  /** Null while it waits, or once the outcome of the job is no longer kept. */
  readonly verdict: OrderVerdict['verdict'] | null
}

/** The newest entries of the audit log that are read: at 200 bytes each they are 100 KB. */
const maxEntries = 500

type Scope = Pick<App, 'redis' | 'control' | 'partitions' | 'format'>

/** Finds what operators have sent of an order lately, oldest first. */
export async function findSent(scope: Scope, order: OrderName): Promise<Sent[]> {
  const { redis, control, partitions } = scope
  const entries = await readAudit(redis, control, { limit: maxEntries }).catch((error: unknown) => {
    if (isWrongType(error) || isForbidden(error)) return [] // the rest of the trace is valid without it
    throw error
  })
  const found = entries.flatMap(({ ts, by, action, what }) => {
    const correction = correctionNamed(action)
    if (action !== 'edit' && action !== 'reprocess' && !correction) return []
    const { id, job, order: named, reason } = whatIn(what, correction !== undefined)
    if (job === undefined || named?.['user_id'] !== order.userId || String(named['order_id']) !== order.orderId)
      return []
    return [{ at: ts, by, ...(correction ? { correction, reason } : { invalid_id: id }), job_id: job }]
  })
  const verdictOf = async (jobId: string): Promise<Sent['verdict']> => {
    const outcome = await readOutcome(redis, partitions, jobId)
    return outcome.judged === 0 ? null : (await readVerdict(scope, outcome)).verdict
  }
  return Promise.all(found.reverse().map(async (one) => ({ ...one, verdict: await verdictOf(one.job_id) })))
}

/** Returns the correction that an action of the audit log has sent. */
const correctionNamed = (action: string): OrderCorrection | undefined =>
  (Object.keys(orderCorrections) as OrderCorrection[]).find((name) => action === `${name}-order`)

interface What {
  readonly id?: string | undefined
  readonly job?: string | undefined
  /** Has the ids of the order: as a field map found them, or the body itself; of a correction, those of the path. */
  readonly order?: Record<string, unknown> | undefined
  /** Of a correction. */
  readonly reason?: string | undefined
}

function whatIn(text: string, corrects: boolean): What {
  const what = parseWhat(text)
  if (!isObject(what)) return {}
  const { id, job, order, body } = what
  const textIn = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
  const named = { id: textIn(id), job: textIn(job) }
  if (corrects) return { ...named, order: what, reason: isObject(body) ? textIn(body['reason']) : undefined }
  return { ...named, order: isObject(order) ? order : isObject(body) ? body : undefined }
}
