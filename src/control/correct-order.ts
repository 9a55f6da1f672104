import type { OrderFormat } from '../order/format.ts'
import { inTheWay } from '../order/mapped.ts'
import { correctionName } from './job-name.ts'
import type { Queues } from './job-queues.ts'

/** The corrections of an order that an operator can ask for, and the event of the message that each sends. */
export const orderCorrections = {
  cancel: 'order.cancelled',
  refund: 'order.refunded',
  amend: 'order.amended',
} as const
export type OrderCorrection = keyof typeof orderCorrections

/** The wish of an operator to correct an order. */
export interface AskedCorrection {
  readonly correction: OrderCorrection
  readonly userId: string
  readonly orderId: string
  /** Fields of the message: its amount or its order_value and items, the reason, and an event_id of the operator's own. */
  readonly fields: Readonly<Record<string, unknown>>
  readonly by: string
}

/**
 * Makes the message that a producer would send. Without an event_id it is that of the job, so that a job that is tried again
 * corrects once. It is dated, because a correction belongs to the day of its own time.
 */
export function messageOf({ correction, userId, orderId, fields, by }: AskedCorrection, jobId: string, now: Date) {
  const { event_id = jobId, ...rest } = fields
  const event = orderCorrections[correction]
  return { event, event_id, user_id: userId, order_id: orderId, ...rest, order_timestamp: now.toISOString(), by }
}

/** Adds the job that sends a correction. BullMQ keeps a job that has this id already. */
export async function addOrderCorrection(
  queues: Queues,
  asked: AskedCorrection,
  { jobId, now, format }: { readonly jobId: string; readonly now: Date; readonly format: OrderFormat },
): Promise<{ refused?: { path: string; field: string } }> {
  const message = messageOf(asked, jobId, now)
  const found = format.fields && inTheWay(message, format.fields)
  if (found) return { refused: found }
  await queues.reprocess.add(correctionName(asked), { body: JSON.stringify(message) }, { jobId })
  return {}
}
