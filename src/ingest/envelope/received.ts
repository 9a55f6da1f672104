import { randomUUID } from 'node:crypto'
import type { Message } from '@aws-sdk/client-sqs'
import type { App, Tick } from '../../app.ts'
import { type Content, contentsOf, contentsOfObject, type Reading } from './contents.ts'
import type { Objects } from './objects.ts'
import { pointerLayer } from './s3-pointer.ts'

/** An order for `orders:raw`, and the message of SQS that it came in. */
export interface Received extends Content {
  readonly message: Message
  readonly messageId: string
}

export interface Opening extends Reading {
  readonly objects: Objects
}

/** Returns how the messages of this system are opened. */
export const openingOf = ({ config, format }: Pick<App, 'config' | 'format'>, objects: Objects): Opening => ({
  envelopes: config.envelopes,
  many: config.ordersPerBody === 'many',
  format,
  objects,
})

/**
 * Opens the envelopes of a message, and takes its orders apart. Waits while S3, which a pointer needs, is away.
 * @throws when the signal aborts
 */
export async function openMessage(
  message: Message,
  opening: Opening,
  tick: Tick,
  signal: AbortSignal,
): Promise<Received[]> {
  const { MessageId: messageId = randomUUID(), Body: body = '' } = message
  const contents = await contentsIn(messageId, body, opening, tick, signal)
  return contents.map(({ record, traceparent }) => ({ record, traceparent, message, messageId }))
}

async function contentsIn(
  id: string,
  body: string,
  opening: Opening,
  tick: Tick,
  signal: AbortSignal,
): Promise<readonly Content[]> {
  const found = contentsOf(id, body, opening)
  if (!('pointer' in found)) return found
  const { pointer, traceparent } = found
  const object = await opening.objects.read(pointer, tick, signal)
  if ('text' in object) return contentsOfObject(id, object.text, found, opening)
  const { id: key, source: bucket } = pointerLayer(pointer) // cut: a pointer may be 1 MB of text
  const reason = `The S3 object ${key} of ${bucket} ${object.missing}`
  return [{ record: { id, body, rejection: { code: 'unresolved-pointer', reason } }, traceparent }]
}
