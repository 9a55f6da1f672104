import type { OrderFormat } from '../../order/format.ts'
import { identityIn } from '../../order/identity.ts'
import { isObject, parseJson } from '../../order/json.ts'
import { memberText } from '../../order/raw-json.ts'
import { codeOf, type Rejection, rejectGroupNames, rejectGroups } from '../../reject-codes.ts'
import { invalidRecord, type Sent } from '../../stages/invalid/record.ts'
import { checkMessage } from '../../stages/rules.ts'

/** An element of the Python system's `invalid_orders`, as the invalid channel keeps it. */
export interface AdoptedEntry {
  /** JSON (see invalid.ts). */
  readonly record: string
  readonly rejection: Rejection
  /** Time of the rejection in ms; undefined if the element has none. */
  readonly ms: number | undefined
  /** The user of the order; undefined if the element names none. */
  readonly userId: string | undefined
}

/**
 * Reads an element: JSON `{"order": …, "reason": …, "ts": …}`, of which any field may be missing. An order that is JSON is
 * kept byte for byte. Anything else is kept whole, as if it were the order.
 * @param fallbackMs time of the rejection if the element has none
 */
export function readElement(element: Buffer, fallbackMs: number, format: OrderFormat): AdoptedEntry {
  const text = element.toString()
  const isText = Buffer.from(text).equals(element)
  const sent = isText ? parseJson(text) : undefined
  const { order, reason, ts, ...others } = isObject(sent) && Object.hasOwn(sent, 'order') ? sent : noFields
  const ms = msOf(ts)
  if (reason !== undefined && typeof reason !== 'string') others['reason'] = reason
  if (ts !== undefined && ms === undefined) others['ts'] = ts
  const body = typeof order === 'string' ? order : order === undefined ? text : (memberText(text, 'order') ?? text)
  const rejection = rejectionOf(body, reason, format)
  const whole: Sent = isText ? { text: body } : { base64: element.toString('base64') }
  const record = invalidRecord(whole, rejection, { now: new Date(ms ?? fallbackMs) })
  const more = Object.keys(others).length === 0 ? '' : `,"python":${JSON.stringify(others)}`
  return {
    record: `{${record.slice(0, -1)}${more}}`,
    rejection,
    ms,
    userId: isText ? identityIn(body, format).userId : undefined,
  }
}

const noFields: Record<string, unknown> = {}

/** Keeps the reason as written. The code is that of the rule with this reason, or of the rule that the order breaks. */
function rejectionOf(body: string, given: unknown, format: OrderFormat): Rejection {
  const judged = checkMessage(body, format)
  const broken = 'code' in judged ? judged : undefined
  if (typeof given !== 'string' || given === '') {
    return broken ?? { code: 'internal-error', reason: 'The Python system did not say why' }
  }
  const group = rejectGroupNames.find((name) => patternOf(name).test(given))
  return { code: group ? codeOf(group) : (broken?.code ?? 'internal-error'), reason: given }
}

/** Returns a pattern for a reason, in which `…` matches the values of the order. */
function patternOf(group: keyof typeof rejectGroups): RegExp {
  const plain = rejectGroups[group].replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${plain.replaceAll('…', '.*')}$`, 's')
}

/** Numbers from here on are milliseconds since 1970; smaller ones are seconds. */
const minMs = 100_000_000_000
/** Dates with years of four digits. */
const lastMs = 253_402_300_799_999

/** Parses the output of Python's isoformat(), in UTC if it has no zone, or seconds since 1970. */
function msOf(ts: unknown): number | undefined {
  const ms = typeof ts === 'number' ? (ts < minMs ? ts * 1_000 : ts) : typeof ts === 'string' ? isoMs(ts) : NaN
  return ms >= 0 && ms <= lastMs ? Math.floor(ms) : undefined
}

function isoMs(ts: string): number {
  const [, date, time, zone] = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?)(Z|[+-]\d\d:?\d\d)?$/.exec(ts) ?? []
  if (date === undefined || time === undefined) return Number.NaN
  return Date.parse(`${date}T${time}${zone?.replace(/(\d\d):?(\d\d)$/, '$1:$2') ?? 'Z'}`)
}
