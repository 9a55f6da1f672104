import { type Money, moneyOf } from '../../order/money.ts'
import { sumBy } from '../../sums.ts'
import { correcting } from './sample-corrections.ts'

/** A sample order, or the correction of one before it. The same seed gives the same. */
export interface Sample {
  readonly body: string
  readonly kind: 'valid' | 'invalid' | 'correction'
}

export interface SampleOptions {
  readonly valid: number
  readonly invalid: number
  readonly users: number
  /** Percent of the valid orders, each of which is corrected once. The default is none. */
  readonly corrections?: number
  readonly seed: number
  /** The orders are of the 30 days before. The default is fixed, so that the same seed gives the same bytes. */
  readonly until?: Date
  /** Prices are whole minor units of it. The default has two decimals. */
  readonly money?: Money
}

const samplesUntil = new Date('2026-11-28T00:00:00Z')
const daysSeconds = 30 * 86_400

/** Returns the beginning of the day: on one day, the same seed gives the same bytes. */
export const startOfDay = (time: Date): Date => new Date(Math.floor(time.getTime() / 86_400_000) * 86_400_000)

/**
 * Yields valid and invalid orders, mixed evenly. Every identity occurs once, and another seed gives other identities. The
 * valid orders of a seed do not depend on the number of invalid ones, or of corrections. A correction comes some orders after
 * its own, as SQS may deliver messages that are sent together in any order.
 */
export function* sampleOrders(options: SampleOptions): Generator<Sample> {
  const { valid, invalid, users, corrections = 0, seed, until = samplesUntil, money = moneyOf() } = options
  const good = randomOf(seed)
  const bad = randomOf(seed + 1)
  const name = seed.toString(36)
  const total = valid + invalid
  const spoilers = spoilersFor(money)
  const how = { users, from: until.getTime() - daysSeconds * 1_000, money }
  const correct = correcting(randomOf(seed + 2), money, until.getTime())
  const due: { readonly at: number; readonly body: string }[] = []
  for (let i = 0, spoiled = 0; i < total; i++) {
    if (spoiled < Math.floor(((i + 1) * invalid) / total)) {
      const order = sampleOrder(bad, how, `${name}-invalid-${spoiled}`)
      yield { body: spoilers[spoiled++ % spoilers.length]?.(order) ?? '', kind: 'invalid' }
    } else {
      const at = i - spoiled
      const order = sampleOrder(good, how, `${name}-${at}`)
      yield { body: JSON.stringify(order), kind: 'valid' }
      const isCorrected = correctionsOf(at + 1, corrections) > correctionsOf(at, corrections)
      if (isCorrected) due.push({ at: i + correctedAfter, body: JSON.stringify(correct(order)) })
    }
    if (due[0] && due[0].at <= i) yield { body: due.shift()?.body ?? '', kind: 'correction' }
  }
  for (const { body } of due) yield { body, kind: 'correction' }
}

/** More orders than are on their way to SQS at once. */
const correctedAfter = 100

/** Returns the number of corrections of so many valid orders. @param percent that are corrected */
export const correctionsOf = (valid: number, percent: number): number => Math.floor((valid * percent) / 100)

/** Returns a mulberry32 generator: 32 bits of state are enough for samples. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const streets = ['Main St', 'Oak Avenue', 'Harbour Road', 'Mill Lane', 'Station Square']
const payments = ['PayPal', 'Credit Card', 'Debit Card', 'Bank Transfer']

interface How {
  readonly users: number
  /** In ms. */
  readonly from: number
  readonly money: Money
}

function sampleOrder(random: () => number, { users, from, money }: How, id: string) {
  const below = (limit: number): number => Math.floor(random() * limit)
  const items = Array.from({ length: 1 + below(5) }, () => ({
    product_id: `P${String(1 + below(500)).padStart(3, '0')}`,
    quantity: 1 + below(4),
    price_per_unit: money.toAmount(99 + below(9_900)),
  }))
  const minor = sumBy(items, (item) => item.quantity * money.toMinor(item.price_per_unit))
  // Squaring makes some users order much more than others, as in life.
  const user = 1 + Math.floor(users * random() ** 2)
  return {
    user_id: `user_${user}`,
    order_id: id,
    order_value: money.toAmount(minor),
    order_timestamp: new Date(from + below(daysSeconds) * 1_000).toISOString(),
    items,
    shipping_address: `${1 + below(200)} ${streets[below(streets.length)]}`,
    payment_method: payments[below(payments.length)],
  }
}

type SampleOrder = ReturnType<typeof sampleOrder>

type Spoiler = (order: SampleOrder) => string

/** Ways to break each rule. Invalid orders cycle through them. */
const spoilers: readonly Spoiler[] = [
  (order) => JSON.stringify(order).slice(0, -20),
  (order) => JSON.stringify([order]),
  ({ user_id: _, ...order }) => JSON.stringify(order),
  ({ order_id: _, ...order }) => JSON.stringify(order),
  ({ order_value: _, ...order }) => JSON.stringify(order),
  (order) => JSON.stringify({ ...order, user_id: '' }),
  (order) => JSON.stringify({ ...order, order_value: String(order.order_value) }),
  (order) => JSON.stringify({ ...order, order_value: -order.order_value }),
  (order) => JSON.stringify({ ...order, items: 'two of each' }),
  (order) => JSON.stringify({ ...order, order_value: order.order_value * 2 }),
]

/** Without CURRENCY an order may name any currency. */
function spoilersFor(money: Money): readonly Spoiler[] {
  const currency = ['EUR', 'USD'].find((code) => !money.takes(code))
  return currency === undefined ? spoilers : [...spoilers, (order) => JSON.stringify({ ...order, currency })]
}
