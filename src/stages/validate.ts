import { checkOrder } from './rules.ts'
import { identityOf } from './runner/ledger.ts'
import { admit, defineStage, reject } from './stage.ts'

/** Judges a raw body by the rules; what keeps them is admitted once per identity. */
export const validate = defineStage({
  name: 'validate',
  from: 'raw',
  to: 'valid',
  counts: 'admitted',
  decide: ({ body }) => {
    const order = checkOrder(body)
    if ('code' in order) return reject(order)
    return admit(identityOf(order), {
      user_id: order.userId,
      order_id: order.orderId,
      minor: order.minor,
      order_timestamp: order.orderTimestamp,
    })
  },
})
