import type { App } from '../../app.ts'
import type { Objects } from '../../ingest/envelope/objects.ts'
import { openingOf, openNow } from '../../ingest/envelope/received.ts'
import type { RawRecord } from '../../messages.ts'
import { partitionOf } from '../../order/partition.ts'
import type { InvalidEntry } from '../../stages/invalid/entry.ts'
import { roundRecord } from '../../stages/invalid/requeue.ts'

export interface Reopening {
  readonly objects: Objects
  readonly jobId: string
  readonly signal: AbortSignal
}

/**
 * Opens the message of an invalid order as the bridge would do it now: other envelopes may be opened, the body may hold many
 * orders, an object of S3 may be there by now, and the order may belong to another partition. Returns undefined if none of
 * that makes a difference, and where no text was sent or a later stage rejected the order.
 * @throws OrdersError ORD_S3 while S3 does not answer: the job is tried again later
 */
export async function openAgain(
  app: App,
  entry: InvalidEntry,
  { objects, jobId, signal }: Reopening,
): Promise<RawRecord[] | undefined> {
  const round = entry.record.stage === undefined ? roundRecord(entry, jobId, undefined, app.now()) : undefined
  if (!round) return undefined
  if (round.envelope && !round.rejection) return partitionOf(app, round.body) === entry.keys ? undefined : [round]
  const message = { MessageId: round.id, Body: round.body }
  const contents = await openNow(message, openingOf(app, objects), signal)
  // Of many orders the first keeps the edits: each has a whole body.
  const historyOf = (at: number): RawRecord['history'] =>
    at === 0 ? round.history : round.history && { ...round.history, edits: undefined }
  const records = contents.map(({ record }, at) => ({
    ...round,
    rejection: undefined,
    history: historyOf(at),
    ...record,
  }))
  const [only] = records
  const isSame = records.length === 1 && only?.body === round.body && only.envelope === round.envelope
  return isSame && !round.rejection && partitionOf(app, round.body) === entry.keys ? undefined : records
}
