import type { Keys } from '../keys.ts'
import { admittedOrder, carriedFrom, rawOrder } from '../messages.ts'
import type { OrderFormat } from '../order/format.ts'
import { isObject } from '../order/json.ts'
import { readOrder } from '../order/read-order.ts'
import { otherPartition } from '../partitions.ts'
import type { Rejection } from '../reject-codes.ts'
import { checkOrder } from './rules.ts'
import { identityOf } from './runner/ledger.ts'
import { admit, defineStage, reject } from './stage.ts'

/** Checks a raw body against the rules. Valid orders are admitted once per identity. */
export const validate = defineStage({
  name: 'validate',
  takes: rawOrder,
  passes: { channel: 'valid', record: admittedOrder },
  counts: 'admitted',
  decide: ({ body, rejection }, keys, { carry, format }) => {
    if (rejection) return reject(rejection)
    const order = checkOrder(body, format)
    if ('code' in order) return reject(order)
    const other = format.fields && otherPartition(order.userId, keys)
    if (other !== undefined) return reject(misplaced(keys, other))
    const emit = {
      user_id: order.userId,
      order_id: order.orderId,
      minor: order.minor,
      order_timestamp: order.orderTimestamp,
    }
    return admit(
      identityOf(order, format),
      carry.length === 0 ? emit : { ...emit, ...carriedFrom(sentIn(body, format), carry) },
    )
  },
})

/**
 * With a field map, the user in a body depends on the settings of the process that chose the partition. An order that was
 * placed by others is not counted: what is known of its user, and of the order, is in another partition.
 */
const misplaced = ({ partition }: Keys, other: number): Rejection => ({
  code: 'other-partition',
  reason: `The order is in partition ${partition} and its user in partition ${other}`,
})

/** Parses the body again. Only a pipeline with a stage that needs more fields pays for that. */
function sentIn(body: string, format: OrderFormat): Readonly<Record<string, unknown>> {
  const sent = readOrder(body, format)
  return isObject(sent) ? sent : {}
}
