import { admittedOrder, carriedFrom, rawOrder } from '../messages.ts'
import { isObject, parseJson } from '../order/identity.ts'
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
    return admit(identityOf(order), carry.length === 0 ? emit : { ...emit, ...carriedFrom(sentIn(body), carry) })
  },
})

/** Parses the body again. Only a pipeline with a stage that needs more fields pays for that. */
function sentIn(body: string): Readonly<Record<string, unknown>> {
  const sent = parseJson(body)
  return isObject(sent) ? sent : {}
}
