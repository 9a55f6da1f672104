import { type Message, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { withRunningTimeout } from '../../running-timeout.ts'
import type { Queue } from '../sqs/queue.ts'
import { tracedIn } from '../write-messages.ts'

/** The most messages of one receive. */
const maxInReceive = 10
/** A long poll asks every server of SQS, so that an empty answer says something; it ends as soon as a message is found. */
const waitSeconds = 1
/** Added to the long poll's time: an answer that takes longer will not come. */
const lateMs = 5_000

export interface Receiving {
  /** For how long SQS hides what is received. */
  readonly hiddenSeconds: number
  /** True to ask when a message was sent. */
  readonly dated?: boolean
  /** True to ask which spans sent it. */
  readonly traced?: boolean
}

/** Receives up to `count` messages in several calls at once. The first one says whether there are more. */
export async function receive(
  queue: Queue,
  count: number,
  receiving: Receiving,
  signal: AbortSignal,
): Promise<Message[]> {
  const first = await receiveOnce(queue, Math.min(count, maxInReceive), waitSeconds, receiving, signal)
  if (first.length < maxInReceive) return first
  const rest = Array.from({ length: Math.ceil((count - maxInReceive) / maxInReceive) }, (_, at) =>
    receiveOnce(queue, Math.min(maxInReceive, count - maxInReceive * (at + 1)), 0, receiving, signal),
  )
  return [...first, ...(await Promise.all(rest)).flat()]
}

async function receiveOnce(
  { sqs, url }: Queue,
  count: number,
  seconds: number,
  { hiddenSeconds, dated = false, traced = false }: Receiving,
  signal: AbortSignal,
): Promise<Message[]> {
  const system = [...(dated ? (['SentTimestamp'] as const) : []), ...(traced ? [tracedIn.system] : [])]
  const command = new ReceiveMessageCommand({
    QueueUrl: url,
    MaxNumberOfMessages: count,
    WaitTimeSeconds: seconds,
    VisibilityTimeout: hiddenSeconds,
    ...(system.length > 0 && { MessageSystemAttributeNames: system }),
    ...(traced && { MessageAttributeNames: [...tracedIn.own] }),
  })
  const { Messages = [] } = await withRunningTimeout(seconds * 1_000 + lateMs, (late) =>
    sqs.send(command, { abortSignal: AbortSignal.any([signal, late]) }),
  )
  return Messages
}
