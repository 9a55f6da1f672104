import type { App } from '../../app.ts'
import { enqueue } from '../../ingest/enqueue.ts'
import { maxOrders } from '../../ingest/lane.ts'
import type { RawRecord } from '../../messages.ts'
import type { InvalidEntry } from '../../stages/invalid/entry.ts'
import { sentElsewhere } from '../../stages/invalid/outcome.ts'
import { type RequeueOptions, removeEntry } from '../../stages/invalid/requeue.ts'
import { partitionOf } from './open-again.ts'

const unlimited = Number.MAX_SAFE_INTEGER

/**
 * Sends records in place of an invalid order, each in the partition of its user, and then removes the order from the invalid
 * channel. After a kill in between they are sent again, and the ledger recognizes them.
 * @returns false if the job was cancelled, or has sent as many as it may: then the order stays
 */
export async function sendInPlace(
  app: App,
  entry: InvalidEntry,
  records: readonly RawRecord[],
  { jobId, limit: most }: RequeueOptions,
): Promise<boolean> {
  let limit: number | undefined = most
  for (const [keys, own] of Map.groupBy(records, (record) => partitionOf(app, record))) {
    for (let at = 0; at < own.length; at += maxOrders) {
      const left: number = limit === undefined ? unlimited : limit - (await sentElsewhere(app, jobId, keys))
      const sender = { jobId, limit: left }
      if ((await enqueue(app.redis, keys, own.slice(at, at + maxOrders), { sender })).length === 0) return false
      limit = undefined // orders of one message are sent together
    }
  }
  await removeEntry(app, entry)
  return true
}
