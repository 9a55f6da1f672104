import { ChangeMessageVisibilityBatchCommand, type Message } from '@aws-sdk/client-sqs'
import type { Config } from '../../config/config.ts'
import { withRunningTimeout } from '../../running-timeout.ts'
import type { Queue } from '../sqs/queue.ts'
import { receive } from './receive.ts'

/** Messages received and given back at once in one step. */
const maxInStep = 100
/** A call of SQS takes milliseconds. */
const callMs = 5_000

/**
 * Yields up to `limit` messages of a queue in steps, and gives all of them back at the end: meanwhile SQS hides them, so
 * that none comes twice. If the process dies, they are back after SQS_VISIBILITY_TIMEOUT_SECONDS. Each look counts as a
 * receive. Of one message group of a FIFO queue only the first ten are seen: the next ones wait until these are deleted.
 */
export async function* look(
  queue: Queue,
  config: Pick<Config, 'sqsVisibilityTimeoutSeconds'>,
  limit: number,
  signal: AbortSignal,
): AsyncGenerator<Message[]> {
  const receiving = { hiddenSeconds: config.sqsVisibilityTimeoutSeconds, dated: true }
  const seen = new Map<string | undefined, Message>()
  const until = performance.now() + receiving.hiddenSeconds * 1_000
  try {
    while (seen.size < limit && performance.now() < until) {
      const messages = await receive(queue, Math.min(maxInStep, limit - seen.size), receiving, signal)
      const fresh = messages.filter(({ MessageId }) => !seen.has(MessageId))
      for (const message of messages) seen.set(message.MessageId, message) // the last receipt is the one that counts
      if (fresh.length === 0) return
      yield fresh
    }
  } finally {
    await giveBack(queue, [...seen.values()])
  }
}

/** Shows messages to other consumers again. One that cannot be given back now is back after its visibility timeout. */
export async function giveBack({ sqs, url }: Queue, messages: readonly Message[]): Promise<void> {
  for (let from = 0; from < messages.length; from += 10) {
    const Entries = messages
      .slice(from, from + 10)
      .map(({ ReceiptHandle }, at) => ({ Id: String(at), ReceiptHandle, VisibilityTimeout: 0 }))
    const command = new ChangeMessageVisibilityBatchCommand({ QueueUrl: url, Entries })
    await withRunningTimeout(callMs, (abortSignal) => sqs.send(command, { abortSignal })).catch(() => {})
  }
}
