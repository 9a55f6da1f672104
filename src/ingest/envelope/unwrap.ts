import type { Envelope, EnvelopeKind, LayerKind } from '../../messages.ts'
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

/** An order, byte for byte, and the envelopes that it was in; the span that sent it, if one of them names it. */
export interface Unwrapped {
  readonly body: string
  readonly envelope: Envelope
  readonly trace?: string | undefined
  readonly pointer?: undefined
}

/** A pointer to the object that has the rest, and the envelopes that it was in. */
export interface Pointed {
  readonly pointer: S3Pointer
  readonly envelope: Envelope
  readonly trace?: string | undefined
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

/** Returns true if a text is what envelopes are opened for. */
type Holds = (text: string, how: Unwrapping) => boolean

/**
 * Takes an order out of the envelopes that AWS services and producers put around it. Returns undefined for a bare order, and
 * for a body that holds no JSON object with a required field of an order. Never throws.
 */
export function unwrap(text: string, how: Unwrapping, holds: Holds = isOrder): Unwrapped | Pointed | undefined {
  const { body, layers, trace } = openAll(text, {}, how)
  const pointer = how.envelopes.has('s3') ? pointerIn(body) : undefined
  if (pointer) return { pointer, envelope: { layers: [...layers, pointerLayer(pointer)], text }, trace }
  return layers.length > 0 && holds(body, how) ? { body, envelope: { layers, text }, trace } : undefined
}

/**
 * Takes the order out of the envelopes that an object of S3 has, or one part of a body. Without an order in them, it is
 * taken as it is.
 */
export function unwrapInner(
  text: string,
  before: Pick<Unwrapped, 'envelope' | 'trace'>,
  how: Unwrapping,
  holds: Holds = isOrder,
): Unwrapped {
  const { envelope, trace } = before
  const opened = openAll(text, { layers: envelope.layers, trace }, how)
  const isBare = opened.layers.length === envelope.layers.length
  if (isBare || !holds(opened.body, how)) return { body: text, envelope, trace }
  return { body: opened.body, envelope: { ...envelope, layers: opened.layers }, trace: opened.trace }
}

type Layers = Envelope['layers']

interface Opening {
  readonly body: string
  readonly layers: Layers
  readonly trace: string | undefined
}

/** Opens envelope after envelope. The span that the innermost names counts. */
function openAll(
  text: string,
  before: { readonly layers?: Layers; readonly trace?: string | undefined },
  { envelopes, format }: Unwrapping,
): Opening {
  const layers = [...(before.layers ?? [])]
  let trace = before.trace
  for (let body = text; ; ) {
    const opened = open(body, format, ({ kind }) => envelopes.has(kind) && hasRoom(layers, kind))
    if (!opened) return { body, layers, trace }
    layers.push(opened.layer)
    trace = opened.trace ?? trace
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
  const alike = layers.filter((layer) => layer.kind !== 'many' && isEncoding(layer.kind) === isEncoding(kind))
  return alike.length < (isEncoding(kind) ? maxEncodings : maxEnvelopes)
}

const isEncoding = (kind: LayerKind): boolean => kind === 'base64' || kind === 'gzip'

/** Returns true for a JSON object with a required field of an order. */
export function isOrder(text: string, { format }: Pick<Unwrapping, 'format'>): boolean {
  const value = parseJson(text)
  return isObject(value) && hasOrderField(value, format.fields)
}
