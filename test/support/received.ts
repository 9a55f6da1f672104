import type { Message } from '@aws-sdk/client-sqs'
import type { Objects } from '../../src/ingest/envelope/objects.ts'
import { openMessage, type Received } from '../../src/ingest/envelope/received.ts'
import { envelopeKinds } from '../../src/messages.ts'
import { plainFormat } from './plain-format.ts'

/** For messages without pointers: a bucket without objects. */
export const noObjects: Objects = { read: async () => ({ missing: 'does not exist' }), [Symbol.dispose]: () => {} }

/** Opens messages as the bridge does. */
export async function received(messages: readonly Message[], many = false): Promise<Received[]> {
  const opening = { envelopes: new Set(envelopeKinds), many, format: plainFormat, objects: noObjects }
  const open = (message: Message) => openMessage(message, opening, () => {}, new AbortController().signal)
  return (await Promise.all(messages.map(open))).flat()
}
