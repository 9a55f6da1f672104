import { z } from 'zod'
import { reprocessName } from '../../control/job-name.ts'
import { readJob } from '../../control/job-queues.ts'
import { jobsWarning } from '../../control/jobs-alive.ts'
import { inTheWay } from '../../order/mapped.ts'
import { rejectCodes } from '../../reject-codes.ts'
import { addReplay, entryIdPattern, planReplay } from '../../stages/invalid/actions.ts'
import { cancelJob, noJobText } from '../../stages/invalid/cancel.ts'
import { operatorOf } from '../http/access.ts'
import { refuse, refuseField } from '../http/reply.ts'
import { type ApiContext, defineRoute } from '../http/route.ts'
import { identity } from '../http/schemas.ts'
import { jobIdFor } from '../idempotency.ts'
import { jobOf, jobReply, waitWarning } from '../replies/job.ts'

export const acceptedReply = z
  .object({
    status: z.string(),
    message: z.string(),
    job_id: z.string(),
    warning: z.string().optional().meta({ description: waitWarning }),
  })
  .meta({ id: 'Accepted' })

export async function accepted({ redis }: ApiContext, jobId: string): Promise<z.input<typeof acceptedReply>> {
  const warning = await jobsWarning(redis).catch(() => undefined) // the job is accepted all the same
  return {
    ...{ status: 'accepted', message: 'Order sent for reprocessing.', job_id: jobId },
    ...(warning !== undefined && { warning }),
  }
}

const text = z.string().min(1)
const correctedOrder = z
  .looseObject({
    order_id: identity,
    user_id: identity,
    order_timestamp: z.string(),
    order_value: z.number().min(0).max(1_000_000_000),
    items: z.array(
      z.looseObject({ product_id: identity, quantity: z.int().min(0), price_per_unit: z.number().min(0) }),
    ),
    shipping_address: text,
    payment_method: text,
  })
  .meta({ id: 'CorrectedOrder' })

export const reprocessOrder = defineRoute({
  method: 'post',
  path: '/orders/reprocess',
  summary: 'Sends a corrected order through the pipeline. `GET /jobs/{id}` has the result.',
  headers: { 'Idempotency-Key': 'The same key and order within 24 hours are the same job.' },
  writes: true,
  action: 'reprocess',
  body: correctedOrder,
  status: 202,
  reply: acceptedReply,
  refusals: { 409: 'The Idempotency-Key was used with another order, or its job was cancelled.' },
  handle: async (context, { text, body, header }) => {
    const { fields } = context.format
    const found = fields && inTheWay(body, fields)
    if (found) return refuseField(found.path, `ORDER_FIELDS reads ${found.field} there: leave it out`)
    const { jobId, refused } = await jobIdFor(context, 'reprocess', header('idempotency-key'), text)
    if (refused !== undefined) return refuse(409, refused)
    // BullMQ keeps a job that has this id already.
    await context.queues.reprocess.add(
      reprocessName({ body: text }, context.format, operatorOf(header)),
      { body: text },
      { jobId },
    )
    return accepted(context, jobId)
  },
})

/** The most orders of one replay. */
const maxReplayed = 1_000_000

export const replayOrders = defineRoute({
  method: 'post',
  path: '/orders/replay',
  summary:
    'Requeues invalid orders, oldest first. With `dryRun` it sends nothing and counts those that would pass the rules, or the later stage that rejected them.',
  writes: true,
  action: 'replay',
  body: z
    .object({
      limit: z.int().min(1).max(maxReplayed).default(maxReplayed),
      code: z.enum(rejectCodes).optional(),
      ids: z.array(z.string().regex(entryIdPattern)).min(1).max(1_000).optional(),
      dryRun: z.boolean().optional(),
      dry_run: z.boolean().optional().meta({ description: 'The same as `dryRun`.' }),
    })
    .strict()
    .refine(({ dryRun, dry_run }) => dryRun === undefined || dry_run === undefined || dryRun === dry_run, {
      path: ['dry_run'],
      error: 'must be the same as dryRun',
    })
    .meta({ id: 'Replay' }),
  status: 202,
  reply: acceptedReply
    .extend({
      matching: z.int().meta({ description: 'Orders that match, up to `limit`; of `ids` as many as were sent.' }),
    })
    .meta({ id: 'ReplayAccepted' }),
  handle: async (context, { body: { dryRun: camel, dry_run, ...filter }, header }) => {
    const dryRun = camel ?? dry_run ?? false
    const planned = await planReplay(context, { ...filter, dryRun })
    await addReplay(context.queues, planned, operatorOf(header))
    const message = dryRun ? 'Dry run accepted.' : 'Replay accepted.'
    const matching = Math.min(planned.matching, filter.limit)
    return { ...(await accepted(context, planned.jobId)), message, matching }
  },
})

export const job = defineRoute({
  method: 'get',
  path: '/jobs/{id}',
  summary: 'State and result of a job. A reprocess job has its verdict as soon as the pipeline does.',
  right: 'orders', // a verdict may quote the order
  params: z.object({ id: z.string().meta({ description: 'Id of the job.' }) }),
  reply: jobReply,
  refusals: { 404: 'There is no such job.' },
  handle: async (context, { params: { id } }) => {
    const found = await readJob(context.queues, id)
    return found ? jobOf(context, id, found) : refuse(404, noJobText(id))
  },
})

export const cancelRoute = defineRoute({
  method: 'delete',
  path: '/jobs/{id}',
  summary:
    'Cancels a job. One that has sent nothing is removed. A replay that runs stops before its next 100 orders: what it has sent stays sent and is judged, and the result of the job says so.',
  params: z.object({ id: z.string().meta({ description: 'Id of the job.' }) }),
  headers: { 'X-Operator': 'The name of the operator, for the audit log.' },
  writes: true,
  action: 'cancel',
  reply: z
    .object({
      status: z.string().meta({ description: '`removed` or `stopping`.' }),
      id: z.string(),
      sent: z.int().meta({ description: 'Orders that the job had sent when it was cancelled.' }),
      warning: z.string().optional().meta({ description: waitWarning }),
    })
    .meta({ id: 'Cancelled' }),
  refusals: { 404: 'There is no such job.', 409: 'The job has ended, or it has sent its one order.' },
  handle: async (context, { params: { id } }) => {
    const done = await cancelJob(context, context.queues, id)
    if (done.result === 'refused') return refuse(done.why === 'gone' ? 404 : 409, done.reason)
    if (done.result === 'removed') return { status: 'removed', id, sent: 0 }
    const warning = await jobsWarning(context.redis).catch(() => undefined) // it is cancelled all the same
    return { status: 'stopping', id, sent: done.sent, ...(warning !== undefined && { warning }) }
  },
})
