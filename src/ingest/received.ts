import { randomUUID } from 'node:crypto'
import type { Message } from '@aws-sdk/client-sqs'
import type { EnvelopeKind, RawRecord } from '../messages.ts'
import { unwrap } from './envelope/unwrap.ts'

/** A message of SQS, and its record for `orders:raw`: with the order in its envelopes, or the body as it is. */
export interface Received {
  readonly message: Message
  readonly record: RawRecord
}

export function openMessage(message: Message, envelopes: ReadonlySet<EnvelopeKind>): Received {
  const { MessageId: id = randomUUID(), Body: body = '' } = message
  return { message, record: { id, body, ...unwrap(body, envelopes) } }
}
