import type { App } from '../../app.ts'
import { enqueue } from '../../ingest/enqueue.ts'
import { openDurable } from '../../ingest/proof/durable.ts'
import { type RawRecord, withTrace } from '../../messages.ts'
import { partitionOf } from '../../order/partition.ts'
import type { InvalidEntry } from '../../stages/invalid/entry.ts'
import { sentElsewhere } from '../../stages/invalid/outcome.ts'
import { type RequeueOptions, removeEntry } from '../../stages/invalid/requeue.ts'

/** An invalid order, and the records to send in place of it. */
export interface Replacement {
  readonly entry: InvalidEntry
  readonly records: readonly RawRecord[]
}

/**
 * Sends records in place of invalid orders, each in the partition of its user, and then removes the orders from the invalid
 * channel. They are removed once the records are durable: another partition may be on another Redis, which may lose them
 * with its last second. After a kill in between they are sent again, and the ledger recognizes them.
 * @returns how many orders were replaced; the job was cancelled before the others, or had sent as many as it may
 */
export async function replaceEntries(
  app: App,
  all: readonly Replacement[],
  options: RequeueOptions,
  signal: AbortSignal,
): Promise<number> {
  if (all.length === 0) return 0
  using durable = await openDurable(app, signal)
  const sent: InvalidEntry[] = []
  for (const { entry, records } of all) if (await sendAll(app, records, options)) sent.push(entry)
  if (sent.length > 0) await durable.confirm()
  for (const entry of sent) await removeEntry(app, entry)
  return sent.length
}

/** Returns false if not all were sent. The limit counts before the first: the orders of one message are sent together. */
async function sendAll(app: App, records: readonly RawRecord[], { jobId, limit }: RequeueOptions): Promise<boolean> {
  const groups = [...Map.groupBy(records, ({ body }) => partitionOf(app, body))]
  for (const [at, [keys, some]] of groups.entries()) {
    const own = some.map((record) => withTrace(record, app.trace))
    const left = at === 0 ? limit - (await sentElsewhere(app, jobId, keys)) : Number.MAX_SAFE_INTEGER
    if ((await enqueue(app.redis, keys, own, { sender: { jobId, limit: left } })).length === 0) return false
  }
  return true
}
