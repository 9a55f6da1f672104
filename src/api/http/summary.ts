import { createHash } from 'node:crypto'
import type { Action } from '../../control/audit-log.ts'
import type { OrderFormat } from '../../order/format.ts'
import { identityIn } from '../../order/identity.ts'
import { isRawJson } from '../../order/raw-json.ts'

/** Fields that identify an order or an action. They come first, wherever they are in the body. */
const first = [
  'user_id',
  'order_id',
  'order_value',
  'amount',
  'event_id',
  'reason',
  'limit',
  'code',
  'ids',
  'dryRun',
  'dry_run',
]

interface Bounds {
  readonly fields: number
  readonly depth: number
  readonly text: number
}

/** Tried in this order until the summary is short enough. The last one always is. */
const bounds: readonly Bounds[] = [
  { fields: 50, depth: 4, text: 200 },
  { fields: 20, depth: 2, text: 80 },
  { fields: 12, depth: 1, text: 40 },
]
/** The length in JSON. It leaves room for the rest of an audit log entry. */
const maxLength = 3_000
const maxName = 40

export interface Summary {
  readonly value: unknown
  /** True if something is left out. */
  readonly isCut: boolean
}

/** Returns a JSON value with its long parts cut: its length is bounded, and the identifying fields stay. Never throws. */
export function summaryOf(value: unknown): Summary {
  for (const bound of bounds) {
    const state = { isCut: false }
    const shown = cut(value, bound, state)
    if (JSON.stringify(shown ?? null).length <= maxLength) return { value: shown, isCut: state.isCut }
  }
  return { value: '…', isCut: true }
}

function cut(value: unknown, { fields, depth, text }: Bounds, state: { isCut: boolean }): unknown {
  if (typeof value === 'string') return value.length <= text ? value : shortened(value, text, state)
  if (typeof value !== 'object' || value === null) return value
  if (isRawJson(value)) return value.rawJSON.length <= text ? value : shortened(value.rawJSON, text, state)
  if (depth === 0) return shortened('', 0, state)
  const within = { fields, depth: depth - 1, text }
  if (Array.isArray(value)) {
    const items = value.slice(0, fields).map((item) => cut(item, within, state))
    return value.length <= fields ? items : [...items, more(value.length - fields, state)]
  }
  const names = Object.keys(value)
  const shown = [
    ...first.filter((name) => Object.hasOwn(value, name)),
    ...names.filter((name) => !first.includes(name)),
  ]
  const entries = shown.slice(0, fields).map((name): [string, unknown] => {
    const short = name.length <= maxName ? name : shortened(name, maxName, state)
    return [short, cut((value as Record<string, unknown>)[name], within, state)]
  })
  if (names.length > fields) entries.push(['…', more(names.length - fields, state)])
  return Object.fromEntries(entries)
}

function shortened(text: string, length: number, state: { isCut: boolean }): string {
  state.isCut = true
  return `${text.slice(0, length).toWellFormed()}…`
}

function more(count: number, state: { isCut: boolean }): string {
  state.isCut = true
  return `… ${count} more`
}

/** The wish of a request, or of a command that does the same. */
export interface Asked {
  readonly action: string
  /** The parameters of the path, or the path itself. */
  readonly where: Readonly<Record<string, unknown>>
  readonly body: unknown
}

/** The order that a body holds, where a field map finds it: its ids may be in what the summary cuts. */
function mappedIds(text: string, format: OrderFormat): Record<string, string | undefined> | undefined {
  if (!format.fields) return undefined
  const { userId, orderId } = identityIn(text, format)
  return userId === undefined && orderId === undefined ? undefined : { user_id: userId, order_id: orderId }
}

/** Actions whose body is an order. */
const ofOrders = ['edit', 'reprocess']

/** Returns the action for the audit log. @param text the body as it was sent */
export function actionAsked({ action, where, body }: Asked, text: string, format: OrderFormat): Omit<Action, 'by'> {
  const { value, isCut } = summaryOf(body)
  const sha256 = isCut ? createHash('sha256').update(text).digest('hex') : undefined // identifies what is not shown
  const order = ofOrders.includes(action) ? mappedIds(text, format) : undefined
  const what = JSON.stringify({ ...where, order, body: value, sha256 })
  return {
    action,
    what,
    logged: JSON.stringify({ ...loggable(where), order: order && loggable(order), body: identifying(body) }),
  }
}

/** Adds the job that an action has queued, so that its verdict can be found. */
export const withJob = (what: string, jobId: string): string => `${what.slice(0, -1)},"job":${JSON.stringify(jobId)}}`

/** Fields that say something of a user. The log, which many read, has none of them; the audit log does. */
const contents = ['user_id', 'order_value', 'amount']
const identifyingFields = first.filter((name) => !contents.includes(name))

const loggable = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !contents.includes(name)))

/** Returns the fields of a body that may go into the log, which must not have whole orders. */
function identifying(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return undefined
  const known = Object.entries(body).filter(([name]) => identifyingFields.includes(name))
  return summaryOf(Object.fromEntries(known)).value
}
