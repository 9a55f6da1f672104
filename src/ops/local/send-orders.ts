import { setTimeout as sleep } from 'node:timers/promises'
import { SendMessageBatchCommand } from '@aws-sdk/client-sqs'
import { OrdersError } from '../../errors.ts'
import type { Queue } from '../../ingest/sqs/queue.ts'
import type { Progress } from '../terminal/interactive/progress.ts'

/** SendMessageBatch takes at most ten messages and 1 MiB. */
const batchSize = 10
/** With round trips of 10 ms, eight calls in flight send some 8,000 messages a second. */
const inFlight = 8
/** Attempts after which a refusal of SQS counts as permanent. */
const maxAttempts = 5

/**
 * Sends bodies to the queue.
 * @param rate messages a second; undefined for as fast as SQS accepts them
 * @throws OrdersError ORD_SQS when SQS refuses a message permanently.
 */
export async function sendOrders(
  queue: Queue,
  bodies: Iterable<string>,
  { rate, progress }: { rate?: number | undefined; progress: Progress },
  signal: AbortSignal,
): Promise<number> {
  const batches = batchesOf(bodies)
  const started = performance.now()
  let taken = 0
  let sent = 0
  const sender = async (): Promise<void> => {
    for (const batch of batches) {
      const dueMs = rate === undefined ? 0 : (taken / rate) * 1_000 - (performance.now() - started)
      taken += batch.length
      if (dueMs > 0) await sleep(dueMs, undefined, { signal })
      signal.throwIfAborted()
      await sendBatch(queue, batch, signal)
      sent += batch.length
      progress.show(sent)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, sender))
  return sent
}

/** Sends a batch. SQS may accept some of its messages and refuse others, which are sent again. */
export async function sendBatch(
  { sqs, url }: Queue,
  bodies: readonly string[],
  abortSignal: AbortSignal,
): Promise<void> {
  let left = bodies.map((body, index) => ({ Id: String(index), MessageBody: body }))
  for (let attempt = 1; left.length > 0; attempt++) {
    const command = new SendMessageBatchCommand({ QueueUrl: url, Entries: left })
    const { Failed = [] } = await sqs.send(command, { abortSignal })
    const [failed] = Failed
    if (failed && (failed.SenderFault || attempt === maxAttempts)) {
      throw new OrdersError('ORD_SQS', `SQS refused a message (${failed.Code}: ${failed.Message}).`)
    }
    left = left.filter(({ Id }) => Failed.some((entry) => entry.Id === Id))
  }
}

function* batchesOf(bodies: Iterable<string>): Generator<string[]> {
  let batch: string[] = []
  for (const body of bodies) {
    batch.push(body)
    if (batch.length === batchSize) {
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}
