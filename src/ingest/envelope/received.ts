import { randomUUID } from 'node:crypto'
import type { Message } from '@aws-sdk/client-sqs'
import type { Tick } from '../../app.ts'
import type { RawRecord } from '../../messages.ts'
import type { Objects } from './objects.ts'
import { type Unwrapping, unwrap, unwrapObject } from './unwrap.ts'

/** A message of SQS, and its record for `orders:raw`: with the order in its envelopes, or the body as it is. */
export interface Received {
  readonly message: Message
  readonly record: RawRecord
}

export interface Opening extends Unwrapping {
  readonly objects: Objects
}

/**
 * Opens the envelopes of a message. Waits while S3, which a pointer needs, is away.
 * @throws when the signal aborts
 */
export async function openMessage(
  message: Message,
  opening: Opening,
  tick: Tick,
  signal: AbortSignal,
): Promise<Received> {
  const { MessageId: id = randomUUID(), Body: body = '' } = message
  const content = unwrap(body, opening)
  if (content?.pointer === undefined) return { message, record: { id, ...(content ?? { body }) } }
  const { pointer, envelope } = content
  const found = await opening.objects.read(pointer, tick, signal)
  if ('text' in found) return { message, record: { id, ...unwrapObject(found.text, envelope, opening) } }
  return {
    message,
    record: { id, body, unresolved: `The S3 object ${pointer.key} of ${pointer.bucket} ${found.missing}` },
  }
}
