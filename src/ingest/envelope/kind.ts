import type { Envelope, EnvelopeKind } from '../../messages.ts'
import type { OrderFormat } from '../../order/format.ts'

/** An opened envelope: the text in it, and where it came from. */
export interface Opened {
  readonly body: string
  readonly layer: Envelope['layers'][number]
  /** The context of the span that sent it, if the envelope names one. */
  readonly trace?: string | undefined
}

/** A kind of envelope. Both functions are pure and never throw. */
export interface Kind {
  readonly kind: EnvelopeKind
  /** Sorts out most bodies by their text, at the cost of a search in it: bare orders are not parsed. */
  mayOpen(text: string): boolean
  /** Returns undefined unless the body has the exact shape of this envelope, and no field of an order. */
  open(text: string, format: OrderFormat): Opened | undefined
}

/** Longer texts of a producer are cut: a layer is kept with each order. */
const maxLength = 256

/** Returns the fields of a layer that are text. */
export function layerOf(
  kind: EnvelopeKind,
  fields: Readonly<Record<'source' | 'id', unknown> & { subject?: unknown }>,
) {
  const texts = Object.entries(fields).flatMap(([name, value]) =>
    typeof value === 'string' && value !== '' ? [[name, value.slice(0, maxLength).toWellFormed()] as const] : [],
  )
  return { kind, ...Object.fromEntries(texts) } as Opened['layer']
}
