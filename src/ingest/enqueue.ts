import { z } from 'zod'
import type { App } from '../app.ts'
import type { Keys } from '../keys.ts'
import { outcomeSeconds, type RawRecord } from '../messages.ts'
import { partitionOf } from '../order/partition.ts'
import type { RedisClient } from '../redis/client.ts'
import { defineScript } from '../redis/script.ts'

const addEntries = defineScript(import.meta.url, z.array(z.string()))

/** A job that sends records, and how many of its orders are enough in a partition: then it sends no more. */
export interface Sender {
  readonly jobId: string
  readonly limit: number
}

interface Sent {
  readonly sentMs?: number | undefined
  readonly traceparent?: string | undefined
  readonly sender?: Sender | undefined
}

/**
 * Puts raw records on `orders:raw` in one write, as one entry (or more, where bodies are large or many). Sent twice, its orders
 * are duplicates to the ledger. Those of a job are sent all or none: none after it was cancelled, or has sent enough. Their
 * verdicts go to its outcome.
 * @param from when the first of them was sent to SQS, the span that writes them, and the job
 * @returns the ids of the entries; none where the job may not send them
 * @throws OrdersError ORD_LAYOUT where the partitions have changed since this process started
 */
export async function enqueue(
  redis: RedisClient,
  keys: Keys,
  records: readonly RawRecord[],
  { sentMs, traceparent, sender }: Sent = {},
): Promise<string[]> {
  const names = [keys.stream('raw'), keys.counters, keys.layoutKey]
  if (sender) names.push(keys.outcome(sender.jobId))
  const own = sender ? records.map((record) => ({ ...record, jobId: sender.jobId })) : records
  const head = [keys.layout, outcomeSeconds, sentMs ?? '', traceparent ?? '', sender?.limit ?? '']
  return addEntries(redis, names, [...head, ...batchesOf(own)])
}

/** Puts a job's one order on `orders:raw` of its partition, once however often the job is tried. */
export async function enqueueOnce(
  app: Pick<App, 'redis' | 'partitions' | 'format'>,
  jobId: string,
  record: RawRecord,
): Promise<void> {
  await enqueue(app.redis, partitionOf(app, record.body), [record], { sender: { jobId, limit: 1 } })
}

/** Stages read many entries at once: with ten bodies of 1 MB in each they would read a gigabyte. */
const entryLength = 1_000_000
/** A stage reads whole entries, and commits a few hundred records at once. */
const entryOrders = 100

function batchesOf(records: readonly RawRecord[]): (number | string)[] {
  const batches: RawRecord[][] = []
  let length = Number.POSITIVE_INFINITY
  for (const record of records) {
    const own = lengthOf(record)
    length += own
    if (length > entryLength || batches.at(-1)?.length === entryOrders) {
      batches.push([])
      length = own
    }
    batches.at(-1)?.push(record)
  }
  return batches.flatMap((batch) => [batch.length, JSON.stringify(batch)])
}

/** Returns the characters of a record in about. Layers of many orders are no longer little. */
export const lengthOf = ({ body, envelope }: RawRecord): number =>
  body.length + (envelope ? (envelope.text?.length ?? 0) + JSON.stringify(envelope.layers).length : 0)
