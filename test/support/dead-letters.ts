import { ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { readConfig } from '../../src/config/config.ts'
import { type DeadLetters, openDeadLetters } from '../../src/ingest/dead-letters/open.ts'
import { openQueue } from '../../src/ingest/sqs/queue.ts'
import { sendBodies } from './send.ts'
import type { Env } from './world.ts'

/** Creates the queue with its dead-letter queue, and puts bodies into the latter. */
export async function fillDeadLetters(env: Env, bodies: readonly string[], send = sendBodies): Promise<void> {
  ;(await openQueue(readConfig({ ...env })))[Symbol.dispose]()
  using letters = await openDeadLetters(readConfig({ ...env }))
  await send({ ...env, SQS_QUEUE_NAME: letters.name }, bodies)
}

/** Sends bodies to the queue, and receives them until SQS gives them up. */
export async function exhaust(env: Env, bodies: readonly string[]): Promise<void> {
  await sendBodies(env, bodies)
  using queue = await openQueue(readConfig({ ...env }))
  using letters = await openDeadLetters(readConfig({ ...env }))
  while ((await letters.count()).messages < bodies.length) {
    const asked = { QueueUrl: queue.url, MaxNumberOfMessages: 10, VisibilityTimeout: 0 }
    await queue.sqs.send(new ReceiveMessageCommand(asked))
  }
}

/** Counts the messages of the dead-letter queue, hidden ones too. */
export async function countDeadLetters(env: Env): Promise<number> {
  using letters: DeadLetters = await openDeadLetters(readConfig({ ...env }))
  const { messages, inFlight } = await letters.count()
  return messages + inFlight
}
