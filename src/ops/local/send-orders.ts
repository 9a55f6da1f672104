import { hash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { SendMessageBatchCommand, type SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'
import { messageOf, OrdersError } from '../../errors.ts'
import { isFifo } from '../../ingest/sqs/create.ts'
import type { Queue } from '../../ingest/sqs/queue.ts'
import type { OrderFormat } from '../../order/format.ts'
import { identityIn } from '../../order/identity.ts'
import { redactUrl } from '../../redact.ts'
import type { Progress } from '../terminal/interactive/progress.ts'
import { countOf } from '../terminal/numbers.ts'

/** SendMessageBatch takes at most ten messages and 1 MiB. */
const batchSize = 10
const maxBytes = 1_048_576
/** With round trips of 10 ms, eight calls in flight send some 8,000 messages a second. */
const inFlight = 8
/** Attempts after which a refusal of SQS counts as permanent. */
const maxAttempts = 5

/**
 * Sends bodies to the queue.
 * @param rate messages a second; undefined for as fast as SQS accepts them
 * @throws OrdersError ORD_SQS when SQS refuses a message permanently, or does not answer
 */
export async function sendOrders(
  queue: Queue,
  bodies: Iterable<string>,
  { rate, progress, format }: { rate?: number | undefined; progress: Progress; format: OrderFormat },
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
      await sendBatch(queue, batch, format, signal).catch((error: unknown) => {
        throw signal.aborted || error instanceof OrdersError ? error : away(queue, sent, error)
      })
      sent += batch.length
      progress.show(sent)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, sender))
  return sent
}

const away = ({ url }: Queue, sent: number, cause: unknown): OrdersError =>
  new OrdersError(
    'ORD_SQS',
    `SQS at ${redactUrl(url)} took ${countOf(sent, 'message')} and then failed (${messageOf(cause)}): make sure that it runs.`,
    { cause },
  )

type Ids = Pick<SendMessageBatchRequestEntry, 'MessageGroupId' | 'MessageDeduplicationId'>
const noIds = (): Ids => ({})

/**
 * The orders of a user are a group. The other id is that of this message, not of its order: it keeps SQS from taking a try
 * twice, and lets an order that is sent twice arrive twice.
 */
const fifoIds = (body: string, format: OrderFormat): Ids => ({
  MessageGroupId: groupOf(body, format),
  MessageDeduplicationId: randomUUID(),
})

/** Returns the user where SQS takes the name for a group, and else a hash: of the user, or of a body that names none. */
function groupOf(body: string, format: OrderFormat): string {
  const user = identityIn(body, format).userId
  return user !== undefined && /^[!-~]{1,128}$/.test(user) ? user : hash('sha256', user ?? body)
}

/** Sends a batch. SQS may accept some of its messages and refuse others, which are sent again. */
export async function sendBatch(
  { sqs, url }: Queue,
  bodies: readonly string[],
  format: OrderFormat,
  abortSignal: AbortSignal,
): Promise<void> {
  const ids = isFifo(url) ? fifoIds : noIds
  let left = bodies.map((body, index) => ({ Id: String(index), MessageBody: body, ...ids(body, format) }))
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
  let bytes = 0
  for (const body of bodies) {
    const own = Buffer.byteLength(body)
    if (batch.length === batchSize || (batch.length > 0 && bytes + own > maxBytes)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(body)
    bytes += own
  }
  if (batch.length > 0) yield batch
}
