import { z } from 'zod'
import { addOrderCorrection, type OrderCorrection } from '../../control/correct-order.ts'
import { identityText } from '../../order/identity.ts'
import { maxOrderValue } from '../../order/money.ts'
import { operatorOf } from '../http/access.ts'
import { refuse, refuseField } from '../http/reply.ts'
import { defineRoute, type Route } from '../http/route.ts'
import { identity } from '../http/schemas.ts'
import { jobIdFor } from '../idempotency.ts'
import { accepted, acceptedReply } from './jobs.ts'

const amount = z.number().min(0).max(maxOrderValue)
const common = {
  reason: z.string().min(1).max(1_000),
  event_id: identity.optional().meta({
    description: 'The same event_id of an order is the same correction. Without it, each job is one of its own.',
  }),
}
const bodies = {
  cancel: z.strictObject(common).meta({ id: 'CancelOrder' }),
  refund: z
    .strictObject({ ...common, amount: amount.meta({ description: 'What is taken back, in currency units.' }) })
    .meta({ id: 'RefundOrder' }),
  amend: z
    .strictObject({
      ...common,
      order_value: amount.meta({ description: 'What the order is worth from now on.' }),
      items: z.array(z.looseObject({})).optional().meta({ description: 'The rules check them as those of an order.' }),
    })
    .meta({ id: 'AmendOrder' }),
}
const id = z.string().refine((text) => identityText(text) !== undefined, 'must have at most 256 characters')
const params = z.object({
  user_id: id.meta({ description: 'Which user.' }),
  order_id: id.meta({ description: 'Which order of the user.' }),
})

const routeOf = (correction: OrderCorrection, summary: string): Route =>
  defineRoute({
    method: 'post',
    path: `/orders/{user_id}/{order_id}/${correction}`,
    summary: `${summary} It is sent as a message would be; \`GET /jobs/{id}\` has the verdict.`,
    params,
    headers: {
      'Idempotency-Key': 'The same key and correction within 24 hours are the same job.',
      'X-Operator': 'The name of the operator, for the audit log.',
    },
    writes: true,
    action: `${correction}-order`,
    body: bodies[correction],
    status: 202,
    reply: acceptedReply,
    refusals: { 409: 'The Idempotency-Key was used with another correction, or its job was cancelled.' },
    handle: async (context, { params: { user_id: userId, order_id: orderId }, body, text, header }) => {
      const payload = JSON.stringify([correction, userId, orderId, text])
      const { jobId, refused } = await jobIdFor(context, 'reprocess', header('idempotency-key'), payload)
      if (refused !== undefined) return refuse(409, refused)
      const asked = { correction, userId, orderId, fields: body, by: operatorOf(header) }
      const added = await addOrderCorrection(context.queues, asked, {
        jobId,
        now: context.now(),
        format: context.format,
      })
      if (added.refused) {
        const { path, field } = added.refused
        return refuseField(path, `ORDER_FIELDS reads ${field} there: send the correction to the queue`)
      }
      return { ...(await accepted(context, jobId)), message: 'Correction sent.' }
    },
  })

export const cancelOrder = routeOf('cancel', 'Cancels an order: all that is left of it is taken back.')
export const refundOrder = routeOf('refund', 'Refunds a part of an order, at most what is left of it.')
export const amendOrder = routeOf('amend', 'Gives an order another value.')
