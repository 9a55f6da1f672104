import { randomUUID } from 'node:crypto'
import type { Message } from '@aws-sdk/client-sqs'
import type { App, Tick } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
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
  return contents.map(({ record, trace }) => ({ record, trace, message, messageId }))
}

/** An object of S3 is awaited no longer by those that cannot wait for its end. */
const objectMs = 10_000

/**
 * Opens a message for a look or a replay, which do not wait while S3 is away.
 * @throws OrdersError ORD_S3 if the message points to an object that S3 does not give in time
 */
export async function openNow(message: Message, opening: Opening, signal: AbortSignal): Promise<Received[]> {
  const late = AbortSignal.timeout(objectMs)
  try {
    return await openMessage(message, opening, () => {}, AbortSignal.any([signal, late]))
  } catch (error) {
    if (signal.aborted || !late.aborted) throw error
    const what = `S3 has not given the object of message ${message.MessageId} for ${objectMs / 1_000} s`
    throw new OrdersError('ORD_S3', `${what}: check the way to S3, and try again.`, { cause: error })
  }
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
  const { pointer, trace } = found
  const object = await opening.objects.read(pointer, tick, signal)
  if ('text' in object) return contentsOfObject(id, object.text, found, opening)
  const { id: key, source: bucket } = pointerLayer(pointer) // cut: a pointer may be 1 MB of text
  const reason = `The S3 object ${key} of ${bucket} ${object.missing}`
  return [{ record: { id, body, rejection: { code: 'unresolved-pointer', reason } }, trace }]
}
