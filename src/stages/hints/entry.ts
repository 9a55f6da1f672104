import { setImmediate } from 'node:timers/promises'
import type { OrderFormat } from '../../order/format.ts'
import { hintOf } from './hint.ts'
import { member, parse } from './reading.ts'

/** Returns the hint on a record of the invalid channel, from its JSON text, with or without its id. */
export const hintIn = (json: string, format: OrderFormat): string | undefined => hintOfRecord(json, parse(json), format)

function hintOfRecord(json: string, record: unknown, format: OrderFormat): string | undefined {
  const [code, reason] = [member(record, 'code'), member(record, 'reason')]
  // An order that a later stage rejects has passed the rules.
  if (typeof code !== 'string' || typeof reason !== 'string' || typeof member(record, 'stage') === 'string')
    return undefined
  const body = bodyIn(json, record)
  if (body !== undefined) return hintOf({ code, reason, body }, format)
  return typeof member(record, 'raw_base64') === 'string'
    ? 'The stream entry holds bytes that are not UTF-8 text: look for what writes to the stream other than this pipeline.'
    : undefined
}

/** Returns the body as it was sent, to the character: the raw text, or the text of the order in the record. */
function bodyIn(json: string, record: unknown): string | undefined {
  const raw = member(record, 'raw')
  if (typeof raw === 'string') return raw
  const order = member(record, 'order')
  if (typeof order !== 'object' || order === null) return undefined
  const { id: _, order: __, ...rest } = record as Readonly<Record<string, unknown>>
  const tail = `,${JSON.stringify(rest).slice(1)}`
  const start = json.indexOf('"order":') + '"order":'.length
  return json.endsWith(tail) ? json.slice(start, -tail.length) : undefined
}

/** Adds the hint to a record, next to its reason. */
export function withHint(json: string, format: OrderFormat): string {
  const record = parse(json)
  const hint = hintOfRecord(json, record, format)
  if (hint === undefined) return json
  // Quotes in texts are escaped, so this is the record's own reason, whatever the order has in it.
  const reason = `"reason":${JSON.stringify(member(record, 'reason'))}`
  const at = json.lastIndexOf(reason)
  if (at === -1) return json
  const end = at + reason.length
  return `${json.slice(0, end)},"hint":${JSON.stringify(hint)}${json.slice(end)}`
}

/** Characters that take about 10 ms to read. The event loop runs after each such batch. */
const maxAtOnce = 500_000

/** A page of hostile bodies would take seconds. Records beyond this many characters get no hint. */
const maxHinted = 2_000_000

/** Adds hints to a page of records. */
export async function withHints(texts: readonly string[], format: OrderFormat): Promise<string[]> {
  const hinted: string[] = []
  let left = maxHinted
  let sinceBreak = 0
  for (const text of texts) {
    left -= text.length
    hinted.push(left < 0 ? text : withHint(text, format))
    sinceBreak += text.length
    if (sinceBreak < maxAtOnce) continue
    sinceBreak = 0
    await setImmediate()
  }
  return hinted
}
