import { isObject, parseJson } from '../../identity.ts'
import type { Envelope, EnvelopeKind } from '../../messages.ts'
import { cloudevents } from './cloudevents.ts'
import { base64, gzip } from './encoded.ts'
import { eventbridge } from './eventbridge.ts'
import { hasOrderField } from './json.ts'
import type { Kind, Opened } from './kind.ts'
import { sns } from './sns.ts'

const kinds: readonly Kind[] = [sns, eventbridge, cloudevents, gzip, base64]

/** The order that envelopes hold, byte for byte, and the envelopes. */
export interface Unwrapped {
  readonly body: string
  readonly envelope: Envelope
}

/** EventBridge to SNS to SQS has two envelopes; one is left for the producer's own. */
const maxEnvelopes = 3
/** Each envelope, and the order in the innermost, may be encoded. */
const maxEncodings = 4

/**
 * Takes an order out of the envelopes that AWS services and producers put around it. Returns undefined for a bare order, and
 * for a body that holds no JSON object with a required field of an order. Never throws.
 */
export function unwrap(text: string, enabled: ReadonlySet<EnvelopeKind>): Unwrapped | undefined {
  const layers: Opened['layer'][] = []
  const isFull = ({ kind }: Kind): boolean => {
    const count = (encoding: boolean): number => layers.filter((layer) => isEncoding(layer.kind) === encoding).length
    return isEncoding(kind) ? count(true) === maxEncodings : count(false) === maxEnvelopes
  }
  let body = text
  for (;;) {
    const opened = open(body, (kind) => enabled.has(kind.kind) && !isFull(kind))
    if (!opened) break
    layers.push(opened.layer)
    body = opened.body
  }
  return layers.length > 0 && isOrder(body) ? { body, envelope: { layers, text } } : undefined
}

function open(text: string, isOpened: (kind: Kind) => boolean): Opened | undefined {
  for (const kind of kinds) {
    const opened = isOpened(kind) && kind.mayOpen(text) ? kind.open(text) : undefined
    if (opened) return opened
  }
  return undefined
}

const isEncoding = (kind: EnvelopeKind): boolean => kind === 'base64' || kind === 'gzip'

function isOrder(text: string): boolean {
  const value = parseJson(text)
  return isObject(value) && hasOrderField(value)
}
