import { z } from 'zod'
import { locateOrder } from '../../reads/locate/locate.ts'
import { defineRoute } from '../http/route.ts'
import { userParams } from '../http/schemas.ts'
import { tooManyReads } from '../http/turns.ts'
import { traceOf, traceReply } from '../replies/trace.ts'

export const orderTrace = defineRoute({
  method: 'get',
  path: '/orders/{user_id}/{order_id}/trace',
  summary: 'Where an order is or was. The reply also says what is not known.',
  right: 'orders',
  params: userParams.extend({ order_id: z.string().meta({ description: 'Which order of the user.' }) }),
  reply: traceReply,
  refusals: tooManyReads,
  handle: async (context, { params: { user_id, order_id }, signal, client }) =>
    context.turns.scan({ signal, client }, async () =>
      traceOf(await locateOrder(context, { userId: user_id, orderId: order_id, signal }), context.format.money),
    ),
})
