import { sampleOrders } from '../src/ops/local/sample-orders.ts'
import { moneyOf } from '../src/order/money.ts'

const money = moneyOf()

export interface BenchOrder {
  readonly body: string
  readonly userId: string
  readonly minor: number
}

/**
 * Makes orders with 1 to 5 items. Users follow Zipf's law (exponent 1): of 10,000 users the first has 7 % of the
 * orders.
 */
export function benchOrders(count: number, { users = 10_000, seed = 7, spoilEvery = 0 } = {}): BenchOrder[] {
  const pick = zipf(users)
  return Array.from(sampleOrders({ valid: count, invalid: 0, users, seed }), ({ body }, at) => {
    const userId = `user_${pick(at)}`
    const whole = withUser(body, userId)
    const spoiled = spoilEvery > 0 && at % spoilEvery === 0
    return { userId, body: spoiled ? whole.slice(0, -20) : whole, minor: money.toMinor(orderValue(body)) }
  })
}

export const withUser = (body: string, userId: string): string =>
  body.replace(/"user_id":"[^"]*"/, `"user_id":"${userId}","customer_email":"${userId}@example.com"`)

export function meanBytes(orders: readonly BenchOrder[]): number {
  return Math.round(orders.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0) / orders.length)
}

const orderValue = (body: string): number => Number(/"order_value":([\d.]+)/.exec(body)?.[1])

/**
 * Picks a user: users^random gives user k about 1/k as often as user 1. Multiples of the golden ratio spread evenly.
 */
function zipf(users: number): (at: number) => number {
  const golden = 0.618033988749895
  return (at) => Math.floor(users ** ((at * golden) % 1))
}
