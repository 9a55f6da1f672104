/*
 * Where a span stands in its trace, as text that travels with messages, records and jobs: a traceparent, then after a space
 * the tracestate, if there is one. https://www.w3.org/TR/trace-context/
 */

/** The place of a span that another process began. */
export interface TraceContext {
  readonly traceId: string
  readonly spanId: string
  /** Undefined where the sender leaves the decision to the receiver. */
  readonly isSampled: boolean | undefined
  /** Data of vendors, as it came. */
  readonly state?: string | undefined
}

/** Later versions may append fields. */
const w3c = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-\S*)?(?: ([\s\S]*))?$/
const zeros = /^0+$/
/** W3C asks everyone to pass on this much. */
const maxState = 512
const stateForm = /^[\x20-\x7e]+$/

/** Reads a context, or the header of X-Ray. Returns undefined for what is neither, or names no span. */
export function readContext(text: string | undefined): TraceContext | undefined {
  if (text === undefined) return undefined
  const [, version, traceId = '', spanId = '', flags = '', more, state] = w3c.exec(text) ?? []
  if (version === undefined) return readXRay(text)
  if (zeros.test(traceId) || zeros.test(spanId) || (version === '00' && more !== undefined)) return undefined
  const isSampled = (Number.parseInt(flags, 16) & 1) === 1
  return { traceId, spanId, isSampled, ...(state && isSound(state) && { state }) }
}

const isSound = (state: string): boolean => state.length <= maxState && stateForm.test(state)

/** Returns a context as text. */
export const contextText = ({ traceId, spanId, isSampled, state }: TraceContext): string =>
  `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}${state ? ` ${state}` : ''}`

/** Joins the two values that a sender has written. The second means nothing without the first. */
export const sentContext = (traceparent: string | undefined, state: unknown): string | undefined =>
  traceparent !== undefined && typeof state === 'string' && state !== '' ? `${traceparent} ${state}` : traceparent

export const traceIdIn = (text: string): string => text.slice(3, 35)

const root = /^1-([0-9a-f]{8})-([0-9a-f]{24})$/i
const parent = /^[0-9a-f]{16}$/i

/**
 * Reads the attribute AWSTraceHeader, or the header of a load balancer. Its fields come in any order, with others among them.
 * Without a parent, the trace goes on below a span that does not exist: the id of the trace is what a search is for.
 */
function readXRay(text: string): TraceContext | undefined {
  const fields = new Map(text.split(';').map((field) => nameAndValue(field)))
  const [, time, rest] = root.exec(fields.get('Root') ?? '') ?? []
  if (!time || !rest) return undefined
  const traceId = `${time}${rest}`.toLowerCase()
  const above = fields.get('Parent') ?? ''
  const spanId = (parent.test(above) ? above : rest.slice(-16)).toLowerCase()
  if (zeros.test(traceId) || zeros.test(spanId)) return undefined
  const sampled = fields.get('Sampled')
  return { traceId, spanId, isSampled: sampled === '1' ? true : sampled === '0' ? false : undefined }
}

function nameAndValue(field: string): [string, string] {
  const [name = '', value = ''] = field.trim().split('=')
  return [name, value]
}
