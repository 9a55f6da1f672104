import { setImmediate } from 'node:timers/promises'
import type { Retry } from '../../invalid-order.ts'
import type { OrderFormat } from '../../order/format.ts'
import { isObject } from '../../order/json.ts'
import { type RetryPolicy, retryOf } from '../invalid/retries.ts'
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

/** Returns the body as it was sent, to the character: the raw text, or the text of the order in the record, without notes. */
export function bodyIn(json: string, record: unknown): string | undefined {
  const raw = member(record, 'raw')
  if (typeof raw === 'string') return raw
  const order = member(record, 'order')
  if (typeof order !== 'object' || order === null) return undefined
  const { id: _, order: __, ...rest } = record as Readonly<Record<string, unknown>>
  const tail = `,${JSON.stringify(rest).slice(1)}`
  const start = json.indexOf('"order":') + '"order":'.length
  return json.endsWith(tail) ? json.slice(start, -tail.length) : undefined
}

/** Notes are made by the settings of the process that reads a record. */
export interface NoteSettings {
  readonly format: OrderFormat
  readonly config: RetryPolicy
}

/** Adds to a record what is not kept: the hint, next to its reason, and when it is retried. */
export function withNotes(json: string, { format, config }: NoteSettings): string {
  const record = parse(json)
  const hinted = withHint(json, record, hintOfRecord(json, record, format))
  const retry = retryInRecord(record, config)
  return retry ? `${hinted.slice(0, -1)},"retry":${JSON.stringify(retry)}}` : hinted
}

/** Returns when a record of the invalid channel is retried. Undefined for one that holds no text, which is never sent again. */
function retryInRecord(record: unknown, policy: RetryPolicy): Retry | undefined {
  const [id, code, attempts, stage] = ['id', 'code', 'attempts', 'stage'].map((name) => member(record, name))
  const isText = typeof member(record, 'raw') === 'string' || isObject(member(record, 'order'))
  if (typeof id !== 'string' || typeof code !== 'string' || !isText) return undefined
  const times = typeof attempts === 'number' ? attempts : undefined
  return retryOf({ id, code, attempts: times, stage: typeof stage === 'string' ? stage : undefined }, policy)
}

function withHint(json: string, record: unknown, hint: string | undefined): string {
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

/** A page of hostile bodies would take seconds. Records beyond this many characters get no notes. */
const maxNoted = 2_000_000

/** Adds notes to a page of records. */
export async function withAllNotes(texts: readonly string[], settings: NoteSettings): Promise<string[]> {
  const noted: string[] = []
  let left = maxNoted
  for await (const [, text] of inBatches(texts)) {
    left -= text.length
    noted.push(left < 0 ? text : withNotes(text, settings))
  }
  return noted
}

/** Yields records and their indexes. Other work runs between the batches. */
export async function* inBatches(texts: readonly string[]): AsyncGenerator<[at: number, text: string]> {
  let sinceBreak = 0
  for (const entry of texts.entries()) {
    yield entry
    sinceBreak += entry[1].length
    if (sinceBreak < maxAtOnce) continue
    sinceBreak = 0
    await setImmediate()
  }
}
