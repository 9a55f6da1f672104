import type { RawRecord } from '../../messages.ts'
import { maxInBody, splitBody } from '../bodies/split.ts'
import { pointerIn } from './s3-pointer.ts'
import { isOrder, type Pointed, type Unwrapped, type Unwrapping, unwrap, unwrapInner } from './unwrap.ts'

/** How messages are read: what envelopes need, and if a body may hold many orders. */
export interface Reading extends Unwrapping {
  readonly many: boolean
}

/** An order of a message as a record of `orders:raw`, and the span that sent it, if an envelope names it. */
export interface Content {
  readonly record: RawRecord
  readonly trace?: string | undefined
}

/**
 * Returns the orders of a message, or the pointer to the object that has them. Pure; never throws.
 * @param id of the message in SQS
 */
export function contentsOf(id: string, text: string, how: Reading): readonly Content[] | Pointed {
  const found = unwrap(text, how, holding(how))
  return found?.pointer ? found : ordersIn(id, found ?? { body: text }, how)
}

/** Returns the orders of a message whose pointer led to this text. */
export function contentsOfObject(id: string, text: string, pointed: Pointed, how: Reading): readonly Content[] {
  return ordersIn(id, unwrapInner(text, pointed, how, holding(how)), how)
}

function ordersIn(id: string, found: Partial<Unwrapped> & { readonly body: string }, how: Reading): Content[] {
  const { body, envelope, trace } = found
  const parts = how.many ? partsOf(body, how) : undefined
  if (parts !== undefined && parts.length <= maxInBody) return parts.map(partIn(id, found, how))
  const record: RawRecord = envelope ? { id, body, envelope } : { id, body }
  return [{ record: parts ? { ...record, rejection: tooMany } : record, trace }]
}

const tooMany = { code: 'too-many-orders', reason: `The body holds more than ${maxInBody} orders` } as const

/** A pointer to S3 is a list, too. It is kept whole even if it is not followed. */
const partsOf = (body: string, { format }: Reading): readonly string[] | undefined =>
  pointerIn(body) ? undefined : splitBody(body, format)

/** Returns a function that makes the content of a part. Its id is the message's with its place, from 0. */
function partIn(id: string, { envelope, trace }: Partial<Unwrapped>, how: Reading) {
  const within = inner(how)
  return (text: string, at: number): Content => {
    const own = `${id}/${at}`
    const layers = [...(envelope?.layers ?? []), { kind: 'many' as const, id: own }]
    const opened = unwrapInner(text, { envelope: { layers }, trace }, within)
    const { body } = opened
    const kept = body === text ? opened.envelope : { ...opened.envelope, text }
    return { record: { id: own, body, envelope: kept }, trace: opened.trace }
  }
}

/** A part may be in an envelope, but not in one that is smaller than what it holds: 10,000 of those would fill the memory. */
const inner = ({ envelopes, format }: Reading): Unwrapping => ({
  envelopes: new Set([...envelopes].filter((kind) => kind !== 'gzip' && kind !== 's3')),
  format,
})

/** Returns a function that says whether a text is an order, or holds one among many. */
function holding(how: Reading): (text: string) => boolean {
  if (!how.many) return (text) => isOrder(text, how)
  const within = inner(how)
  const isPart = (text: string): boolean => isOrder(unwrapInner(text, { envelope: { layers: [] } }, within).body, how)
  return (text) => isOrder(text, how) || (partsOf(text, how) ?? []).some(isPart)
}
