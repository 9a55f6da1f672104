import type { App } from '../../app.ts'
import { enqueue } from '../../ingest/enqueue.ts'
import { type RawRecord, withTrace } from '../../messages.ts'
import { writeOrder } from '../../order/write-order.ts'
import { partitionFor } from '../../partitions.ts'
import type { Affected } from './collect.ts'

export interface Sending {
  readonly name: string
  readonly jobId: string
  readonly redo: boolean
}

/**
 * Sends a record for each order to `orders:raw` of its partition. Sent twice, it is a duplicate to the ledger.
 * @returns false if the job was cancelled: then some were not sent
 */
export async function sendReversals(app: App, orders: readonly Affected[], sending: Sending): Promise<boolean> {
  const sender = { jobId: sending.jobId, limit: Number.MAX_SAFE_INTEGER }
  for (const [keys, own] of Map.groupBy(orders, ({ userId }) => partitionFor(app.partitions, userId))) {
    const records = own.map((order) => withTrace(recordOf(app, order, sending), app.trace))
    if ((await enqueue(app.redis, keys, records, { sender })).length === 0) return false
  }
  return true
}

/** Its body only names the order, for those who look for it. */
function recordOf(
  { format }: Pick<App, 'format'>,
  { userId, orderId, parts }: Affected,
  { name, redo }: Sending,
): RawRecord {
  const order = { user_id: userId, order_id: orderId }
  const body = { event: redo ? 'order.redone' : 'order.undone', ...order, undo: name }
  return {
    id: `${redo ? 'redo' : 'undo'} ${name}`,
    body: writeOrder(JSON.stringify(body), format),
    undo: { ...order, name, parts: [...parts], ...(redo && { redo }) },
  }
}
