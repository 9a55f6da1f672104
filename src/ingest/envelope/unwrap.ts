import type { Envelope, EnvelopeKind } from '../../messages.ts'
import type { OrderFormat } from '../../order/format.ts'
import { isObject, parseJson } from '../../order/json.ts'
import { hasOrderField } from '../../order/mapped.ts'
import { cloudevents } from './cloudevents.ts'
import { base64, gzip } from './encoded.ts'
import { eventbridge } from './eventbridge.ts'
import type { Kind, Opened } from './kind.ts'
import { pointerIn, pointerLayer, type S3Pointer } from './s3-pointer.ts'
import { sns } from './sns.ts'

const kinds: readonly Kind[] = [sns, eventbridge, cloudevents, gzip, base64]

/** An order, byte for byte, and the envelopes that it was in. */
export interface Unwrapped {
  readonly body: string
  readonly envelope: Envelope
  readonly pointer?: undefined
}

/** A pointer to the object that has the rest, and the envelopes that it was in. */
export interface Pointed {
  readonly pointer: S3Pointer
  readonly envelope: Envelope
  readonly body?: undefined
}

/** Which kinds are opened, and how an order is written: what has an order's fields is no envelope. */
export interface Unwrapping {
  readonly envelopes: ReadonlySet<EnvelopeKind>
  readonly format: OrderFormat
}

/** EventBridge to SNS to SQS has two envelopes; one is left for the producer's own. */
const maxEnvelopes = 3
/** Each envelope, and the order in the innermost, may be encoded. */
const maxEncodings = 4

/**
 * Takes an order out of the envelopes that AWS services and producers put around it. Returns undefined for a bare order, and
 * for a body that holds no JSON object with a required field of an order. Never throws.
 */
export function unwrap(text: string, how: Unwrapping): Unwrapped | Pointed | undefined {
  const { body, layers } = openAll(text, [], how)
  const pointer = how.envelopes.has('s3') ? pointerIn(body) : undefined
  if (pointer) return { pointer, envelope: { layers: [...layers, pointerLayer(pointer)], text } }
  return layers.length > 0 && isOrder(body, how) ? { body, envelope: { layers, text } } : undefined
}

/** Takes the order out of the envelopes that an object of S3 has. Without an order in them, the object is taken as it is. */
export function unwrapObject(text: string, before: Envelope, how: Unwrapping): Unwrapped {
  const { body, layers } = openAll(text, before.layers, how)
  return isOrder(body, how) ? { body, envelope: { ...before, layers } } : { body: text, envelope: before }
}

type Layers = Envelope['layers']

function openAll(text: string, before: Layers, { envelopes, format }: Unwrapping): { body: string; layers: Layers } {
  const layers = [...before]
  for (let body = text; ; ) {
    const opened = open(body, format, ({ kind }) => envelopes.has(kind) && hasRoom(layers, kind))
    if (!opened) return { body, layers }
    layers.push(opened.layer)
    body = opened.body
  }
}

function open(text: string, format: OrderFormat, isOpened: (kind: Kind) => boolean): Opened | undefined {
  for (const kind of kinds) {
    const opened = isOpened(kind) && kind.mayOpen(text) ? kind.open(text, format) : undefined
    if (opened) return opened
  }
  return undefined
}

function hasRoom(layers: Layers, kind: EnvelopeKind): boolean {
  const alike = layers.filter((layer) => isEncoding(layer.kind) === isEncoding(kind))
  return alike.length < (isEncoding(kind) ? maxEncodings : maxEnvelopes)
}

const isEncoding = (kind: EnvelopeKind): boolean => kind === 'base64' || kind === 'gzip'

function isOrder(text: string, { format }: Unwrapping): boolean {
  const value = parseJson(text)
  return isObject(value) && hasOrderField(value, format.fields)
}
