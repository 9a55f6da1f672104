import { admittedOrder, carriedFrom, rawOrder } from '../messages.ts'
import type { OrderFormat } from '../order/format.ts'
import { isObject } from '../order/json.ts'
import { readWholeOrder } from '../order/read-order.ts'
import { checkOrder } from './rules.ts'
import { identityOf } from './runner/ledger.ts'
import { admit, defineStage, reject } from './stage.ts'

/** Checks a raw body against the rules. Valid orders are admitted once per identity. */
export const validate = defineStage({
  name: 'validate',
  takes: rawOrder,
  passes: { channel: 'valid', record: admittedOrder },
  counts: 'admitted',
  decide: ({ body, unresolved }, _keys, { carry, format }) => {
    if (unresolved !== undefined) return reject({ code: 'unresolved-pointer', reason: unresolved })
    const order = checkOrder(body, format)
    if ('code' in order) return reject(order)
    const emit = {
      user_id: order.userId,
      order_id: order.orderId,
      minor: order.minor,
      order_timestamp: order.orderTimestamp,
    }
    return admit(
      identityOf(order),
      carry.length === 0 ? emit : { ...emit, ...carriedFrom(sentIn(body, format), carry) },
    )
  },
})

/** Parses the body again. Only a pipeline with a stage that needs more fields pays for that. */
function sentIn(body: string, format: OrderFormat): Readonly<Record<string, unknown>> {
  const sent = readWholeOrder(body, format)
  return isObject(sent) ? sent : {}
}
