import { type Carried, type CarriedName, carriedFrom, isOrderField, messageFieldsOf } from '../carried.ts'
import type { Keys } from '../keys.ts'
import { admittedOrder, type RawRecord, rawOrder } from '../messages.ts'
import type { OrderFormat } from '../order/format.ts'
import { isObject } from '../order/json.ts'
import { readOrder } from '../order/read-order.ts'
import { otherPartition } from '../partitions.ts'
import type { Rejection } from '../reject-codes.ts'
import { correctionOf } from './correction.ts'
import { reverse } from './reversal.ts'
import { checkMessage, sentEventId } from './rules.ts'
import { correctionIdentityOf, identityOf } from './runner/ledger.ts'
import { admit, correct, defineStage, reject } from './stage.ts'

/** Checks a raw body against the rules. Valid orders are admitted once per identity, and corrected once per event. */
export const validate = defineStage({
  name: 'validate',
  takes: rawOrder,
  passes: { channel: 'valid', record: admittedOrder },
  counts: 'admitted',
  decide: (record, keys, { carry, format }) => {
    const { body, rejection, undo } = record
    if (rejection) return reject(rejection)
    if (undo) return reverse(undo)
    const message = checkMessage(body, format)
    if ('code' in message) return reject(message)
    const other = format.fields && otherPartition(message.userId, keys)
    if (other !== undefined) return reject(misplaced(keys, other))
    const { userId: user_id, orderId: order_id, orderTimestamp: order_timestamp } = message
    const carried = carry.length > 0 && carriedOf(record, carry, format)
    if (!('kind' in message)) {
      const emit = { user_id, order_id, minor: message.minor, order_timestamp }
      return admit(identityOf(message, format), carried ? { ...emit, ...carried } : emit)
    }
    const event_id = sentEventId(message)
    return correct({
      identity: correctionIdentityOf(message, format),
      kind: message.kind,
      correct: (standing) => {
        const left = correctionOf(message, standing, format)
        if (left === 'done' || 'code' in left) return left
        const minor = left.net - standing.net
        return {
          standing: left,
          emit: { user_id, order_id, minor, correction: message.kind, event_id, order_timestamp, ...carried },
        }
      },
    })
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

function carriedOf(record: RawRecord, carry: readonly CarriedName[], format: OrderFormat): Carried {
  const fields = carry.filter(isOrderField)
  const sent = fields.length > 0 && carriedFrom(sentIn(record.body, format), fields)
  return { ...sent, ...messageFieldsOf(record, carry) }
}

/** Parses the body again. Only a pipeline with a stage that needs fields of the order pays for that. */
function sentIn(body: string, format: OrderFormat): Readonly<Record<string, unknown>> {
  const sent = readOrder(body, format)
  return isObject(sent) ? sent : {}
}
