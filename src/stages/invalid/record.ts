import type { Envelope, History } from '../../messages.ts'
import type { Rejection } from '../../reject-codes.ts'
import type { Entry } from '../runner/entry.ts'

/**
 * Returns a rejected record for the invalid channel: JSON without its first brace, because the commit script inserts the id
 * there. An order that is a JSON object is kept byte for byte; anything else as text.
 */
export function invalidRecord(
  sent: Sent,
  { code, reason }: Rejection,
  { now, past, stage, envelope }: Rejecting,
): string {
  const ts = now.toISOString()
  const attempts = (past?.attempts ?? 0) + 1
  if (code === 'erased') return `"order":null,${JSON.stringify({ code, reason, ts, attempts }).slice(1)}` // and no more
  const tail = JSON.stringify({ code, reason, ts, stage, ...past, attempts, envelope }).slice(1)
  if ('base64' in sent) return `"order":null,"raw_base64":"${sent.base64}",${tail}`
  if (isReadableObject(sent.text)) return `"order":${sent.text},${tail}`
  return `"order":null,"raw":${JSON.stringify(sent.text)},${tail}`
}

/** The time of the rejection, the history of earlier ones, the envelopes of the order, and the stage unless it is the first. */
export interface Rejecting {
  readonly now: Date
  readonly past?: History | undefined
  readonly envelope?: Envelope | undefined
  readonly stage?: string | undefined
}

/** The order as sent: text, or the fields of an entry that is not text, each in base64. */
export type Sent = { readonly text: string } | { readonly base64: string }

/** Returns all fields of an entry that cannot be decoded. */
export function sentEntry({ fields }: Entry): Sent {
  const text = JSON.stringify(fields.map((field) => field.toString()))
  const isText = fields.every((field) => Buffer.from(field.toString()).equals(field))
  return isText ? { text } : { base64: fields.map((field) => field.toString('base64')).join(' ') }
}

/** Deeper orders are kept as text: many JSON readers give up at a depth of 1,000, some much earlier. */
const maxReadableDepth = 100

function isReadableObject(text: string): boolean {
  if (!/^\s*\{/.test(text) || depth(text) > maxReadableDepth) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Returns how deep brackets nest outside of strings. */
function depth(text: string): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let at = 0; at < text.length; at++) {
    const unit = text[at]
    if (unit === '"') inString = !inString
    else if (inString && unit === '\\') at++
    else if (inString) continue
    else if (unit === '{' || unit === '[') deepest = Math.max(deepest, ++depth)
    else if (unit === '}' || unit === ']') depth--
  }
  return deepest
}
