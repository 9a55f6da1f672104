import type { CalendarOracle } from './calendar-oracle.ts'
import { type Message, OrderBook } from './order-book.ts'

/**
 * Computes the right result of the pipeline from the contract alone, independently of src: one body after the other, plain
 * maps, money as decimal text turned into BigInt cents.
 */
export class Oracle {
  /** By user id; those with an order that was counted, even if none is left. */
  readonly users = new Map<string, { orders: number; cents: bigint }>()
  readonly reasons = new Map<string, number>()
  readonly codes = new Map<string, number>()
  /** By kind. */
  readonly corrections = new Map<string, number>()
  received = 0
  admitted = 0
  corrected = 0
  duplicates = 0
  rejected = 0
  cents = 0n
  private readonly book = new OrderBook()
  private readonly overtaken: { readonly body: string; readonly reason: string }[] = []
  /** Counts the days; without it, they are not compared. */
  readonly calendar: CalendarOracle | undefined

  constructor(calendar?: CalendarOracle) {
    this.calendar = calendar
  }

  take(body: string): void {
    this.received++
    const message = judge(body)
    if ('reason' in message) {
      this.reject(body, message.code, message.reason)
      return
    }
    const judgment = this.book.judge(message)
    if (judgment.is === 'duplicate') this.duplicates++
    else if (judgment.is === 'refused') this.reject(body, judgment.group.split(':')[0] ?? '', judgment.reason)
    else {
      this[judgment.is]++
      if (message.kind !== 'placed') add(this.corrections, message.kind, 1)
      this.count(message.user, Number(judgment.orders), judgment.cents)
      this.calendar?.count(message, Number(judgment.orders), judgment.cents)
    }
  }

  /** Takes the corrections again whose order was not known, as a replay does when all orders have arrived. */
  replayUnknown(): void {
    for (const { body, reason } of this.overtaken.splice(0)) {
      this.received--
      this.rejected--
      add(this.codes, 'unknown-order', -1)
      add(this.reasons, reason, -1)
      this.take(body)
    }
  }

  /** Those that are counted: cancelled ones are not any more. */
  get orders(): number {
    return this.users.values().reduce((sum, { orders }) => sum + orders, 0)
  }

  /** The users on the boards. */
  get ranked(): [user: string, totals: { orders: number; cents: bigint }][] {
    return [...this.users].filter(([, { orders }]) => orders > 0)
  }

  private count(user: string, orders: number, cents: bigint): void {
    this.cents += cents
    const totals = this.users.get(user) ?? { orders: 0, cents: 0n }
    this.users.set(user, { orders: totals.orders + orders, cents: totals.cents + cents })
  }

  private reject(body: string, code: string, reason: string): void {
    this.rejected++
    if (code === 'unknown-order') this.overtaken.push({ body, reason })
    add(this.codes, code, 1)
    add(this.reasons, reason, 1)
  }
}

/** Adds to a tally, which has no zeros. */
function add(tally: Map<string, number>, key: string, by: number): void {
  const sum = (tally.get(key) ?? 0) + by
  if (sum === 0) tally.delete(key)
  else tally.set(key, sum)
}

type Judged = Message | { code: string; reason: string }

const kinds = new Map([
  ['order.placed', 'placed'],
  ['order.created', 'placed'],
  ['order.cancelled', 'cancelled'],
  ['order.refunded', 'refunded'],
  ['order.amended', 'amended'],
] as const)
const amountOf = { placed: 'order_value', amended: 'order_value', refunded: 'amount', cancelled: undefined } as const

function judge(body: string): Judged {
  let sent: unknown
  try {
    sent = read(body)
  } catch {
    return { code: 'malformed-json', reason: 'Malformed JSON' }
  }
  if (!isJsonObject(sent)) {
    return { code: 'not-an-object', reason: 'Order must be a JSON object' }
  }
  const order = new Map(Object.entries(sent))
  const event = order.get('event')
  const isEvent = typeof event === 'string' && event.startsWith('order.')
  const kind = isEvent ? kinds.get(event as 'order.placed') : 'placed'
  if (!kind) return { code: 'unknown-event', reason: `event must be one of ${[...kinds.keys()].join(', ')}` }
  const amount = amountOf[kind]
  for (const name of ['user_id', 'order_id', ...(amount ? [amount] : [])]) {
    if (!order.has(name)) return { code: 'missing-field', reason: `Missing required field: ${name}` }
  }
  for (const name of ['user_id', 'order_id']) {
    if (!isIdentity(order.get(name))) return { code: 'bad-identity', reason: `${name} must be a non-empty string` }
  }
  const eventId = order.get('event_id') ?? undefined
  if (kind !== 'placed' && eventId !== undefined && !isIdentity(eventId)) {
    return { code: 'bad-identity', reason: 'event_id must be a non-empty string' }
  }
  const named = {
    user: `${order.get('user_id')}`,
    order: `${order.get('order_id')}`,
    timestamp: order.get('order_timestamp'),
  }
  const ofEvent = {
    eventId: eventId === undefined ? undefined : `${eventId}`,
    event: JSON.stringify(eventId === undefined ? ['body', body] : ['id', `${eventId}`]),
  }
  if (kind === 'cancelled') return { kind, ...named, ...ofEvent, cents: 0n, payload: kind }
  const value = order.get(amount ?? '')
  if (typeof value !== 'number' || value === Infinity || value === -Infinity) {
    return { code: 'bad-value', reason: `${amount} must be a number` }
  }
  if (value < 0 || value > 1e9) return { code: 'bad-value', reason: `${amount} must be between 0 and 1000000000` }
  const items = kind === 'refunded' ? undefined : (order.get('items') ?? undefined)
  if (items !== undefined) {
    if (!Array.isArray(items) || !items.every(isItem)) {
      return { code: 'bad-items', reason: "Invalid structure in 'items' list" }
    }
    let sum = 0
    for (const item of items) sum += (item.quantity ?? 0) * (item.price_per_unit ?? 0)
    const total = Number(sum.toPrecision(10))
    if (Math.abs(total - value) > 0.01 * Math.max(total, value) + 1e-9) {
      return { code: 'total-mismatch', reason: `Calculated total (${total}) does not match order_value (${value})` }
    }
  }
  const cents = toCents(value)
  const payload = `${kind} ${cents} ${items === undefined ? 'no list' : items.map(payloadOf).join()}`
  return kind === 'placed' ? { kind, ...named, cents, payload } : { kind, ...named, ...ofEvent, cents, payload }
}

function payloadOf({ product_id, quantity = 0, price_per_unit = 0 }: SentItem): string {
  const product = product_id instanceof Digits ? `${product_id}` : JSON.stringify(product_id)
  const named = /^["\d-]/.test(product ?? '') ? product : 'none'
  return `${named} ${quantity + 0} ${toCents(price_per_unit)}`
}

interface SentItem {
  readonly product_id?: unknown
  readonly quantity?: number
  readonly price_per_unit?: number
}

/** An integer that a double would round. */
class Digits {
  readonly digits: string
  constructor(digits: string) {
    this.digits = digits
  }

  toString(): string {
    return this.digits
  }
}

/** Reads Python's words for a number that is none as true: no rule accepts that where it needs a value. */
function read(body: string): unknown {
  const strings = /("(?:[^"\\]|\\.)*")/s
  const tokens = /(^|[\s,:[])(?:NaN|-?Infinity)(?=$|[\s,\]}])/g
  const text = body
    .split(strings)
    .map((part, at) => (at % 2 === 1 ? part : part.replace(tokens, '$1true')))
    .join('')
  if (!/\d{16}/.test(text)) return JSON.parse(text)
  return (JSON.parse as ParseWithSource)(text, (_, value, { source = '' }) => {
    return typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source)
      ? new Digits(source)
      : value
  })
}

/** Missing from TypeScript's library: https://tc39.es/proposal-json-parse-with-source/ */
type ParseWithSource = (
  text: string,
  reviver: (name: string, value: unknown, context: { source?: string }) => unknown,
) => unknown

function isJsonObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Digits)
}

function isIdentity(value: unknown): boolean {
  if (value instanceof Digits) return value.digits.replace('-', '').length <= 256
  if (typeof value === 'number') return Number.isSafeInteger(value)
  return typeof value === 'string' && value !== '' && Array.from(value).length <= 256
}

function isItem(item: unknown): boolean {
  if (!isJsonObject(item)) return false
  return Object.entries(item).every(
    ([name, value]) =>
      !['quantity', 'price_per_unit'].includes(name) || (typeof value === 'number' && value >= 0 && value < Infinity),
  )
}

/** Half away from zero on the shortest decimal form, digit by digit. */
function toCents(value: number): bigint {
  const [mantissa = '0', exponent = '0'] = String(value).split('e')
  const [whole = '0', fraction = ''] = mantissa.split('.')
  const shift = Number(exponent)
  const digits = whole + fraction
  const scale = fraction.length - shift
  const thousandths = BigInt(digits) * 10n ** BigInt(Math.max(0, 3 - scale))
  const cut = thousandths / 10n ** BigInt(Math.max(0, scale - 3))
  return (cut + 5n) / 10n
}
