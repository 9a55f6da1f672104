/**
 * Computes the right result of the pipeline from the contract alone, independently of src: one body after the other, plain
 * maps, money as decimal text turned into BigInt cents.
 */
export class Oracle {
  readonly users = new Map<string, { orders: number; cents: bigint }>()
  readonly reasons = new Map<string, number>()
  readonly codes = new Map<string, number>()
  received = 0
  admitted = 0
  duplicates = 0
  rejected = 0
  cents = 0n
  private readonly ledger = new Map<string, { payload: string; cents: bigint }>()

  take(body: string): void {
    this.received++
    const verdict = judge(body)
    if ('reason' in verdict) {
      this.reject(verdict.code, verdict.reason)
      return
    }
    const { user, order, cents, payload } = verdict
    const identity = JSON.stringify([user, order])
    const known = this.ledger.get(identity)
    if (known && known.payload === payload) {
      this.duplicates++
      return
    }
    if (known) {
      const value = Number(known.cents) / 100
      this.reject('conflict', `Order ${order} of user ${user} was already accepted with order_value ${value}`)
      return
    }
    this.ledger.set(identity, { payload, cents })
    this.admitted++
    this.cents += cents
    const totals = this.users.get(user) ?? { orders: 0, cents: 0n }
    this.users.set(user, { orders: totals.orders + 1, cents: totals.cents + cents })
  }

  private reject(code: string, reason: string): void {
    this.rejected++
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1)
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1)
  }
}

type Judged = { user: string; order: string; cents: bigint; payload: string } | { code: string; reason: string }

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
  for (const name of ['user_id', 'order_id', 'order_value']) {
    if (!order.has(name)) return { code: 'missing-field', reason: `Missing required field: ${name}` }
  }
  for (const name of ['user_id', 'order_id']) {
    if (!isIdentity(order.get(name))) return { code: 'bad-identity', reason: `${name} must be a non-empty string` }
  }
  const value = order.get('order_value')
  if (typeof value !== 'number' || value === Infinity || value === -Infinity) {
    return { code: 'bad-value', reason: 'order_value must be a number' }
  }
  if (value < 0 || value > 1e9) return { code: 'bad-value', reason: 'order_value must be between 0 and 1000000000' }
  const items = order.get('items') ?? undefined
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
  return {
    user: `${order.get('user_id')}`,
    order: `${order.get('order_id')}`,
    cents,
    payload: `${cents} ${items === undefined ? 'no list' : items.map(payloadOf).join()}`,
  }
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
