import fc from 'fast-check'
import { escaped } from './generated.ts'
import { Oracle } from './oracle.ts'

/** Messages of a first and of a second wave. */
export interface Corrections {
  readonly first: readonly string[]
  readonly second: readonly string[]
}

/** Times of orders, as JSON; undefined for none. */
export type Times = fc.Arbitrary<string | undefined>

/** An order as it is counted. */
interface Counted {
  readonly user_id: unknown
  readonly order_id: unknown
  readonly cents: number
}

/** With an event_id, with null for one, and without: then the body is the event. */
const eventId = fc.constantFrom<((n: number) => { event_id?: string | number | null; note?: number })[]>(
  (n) => ({ event_id: `event-${n}` }),
  (n) => ({ event_id: n }),
  (n) => ({ note: n, event_id: null }),
  (n) => ({ note: n }),
)

const shares = fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 1, maxLength: 3 })

/**
 * Ways to correct an order, so that all that arrives in one wave comes to the same in every order: refunds that fit together, one
 * amendment or several to the same value, cancellations. The second wave meets what the first has left.
 */
const ways: fc.Arbitrary<(order: Counted) => Corrections> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(shares, eventId).map(([parts, id]) => (order: Counted) => {
      const whole = Math.max(10, ...parts) * 3
      const amounts = parts.map((part) => Math.floor((order.cents * part) / whole) / 100)
      const refund = (amount: number, n: number) => refunded(order, amount, id(n))
      const tooMuch = refunded(order, order.cents / 100 + 1, id(9))
      const { event_id = null } = id(0)
      const other = event_id === null ? [] : [refunded(order, (amounts[0] ?? 0) + 0.01, { event_id })]
      return { first: amounts.map(refund), second: [tooMuch, ...other] }
    }),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.integer({ min: 0, max: 500_000 }), eventId, fc.boolean()).map(([cents, id, twice]) => {
      return (order: Counted): Corrections => {
        const value = { order_value: cents / 100 }
        const first = [correction('amended', order, { ...value, ...id(1) })]
        if (twice) first.push(correction('amended', order, { ...value, ...id(2), items: null }))
        return { first, second: [correction('cancelled', order, id(3))] }
      }
    }),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(eventId, fc.boolean()).map(([id, twice]) => (order: Counted): Corrections => {
      const first = [correction('cancelled', order, id(1)), ...(twice ? [correction('cancelled', order, id(2))] : [])]
      const second = [correction('amended', order, { order_value: 1, ...id(3) }), refunded(order, 0.01, id(4))]
      return { first, second }
    }),
  },
  {
    weight: 1,
    arbitrary: eventId.map((id) => (order: Counted): Corrections => {
      const never = { ...order, order_id: `never-${order.order_id}` }
      return { first: [refunded(order, order.cents / 100 + 0.01, id(1)), refunded(never, 1, id(2))], second: [] }
    }),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom<[string, object][]>(
        ['returned', {}],
        ['refunded', {}],
        ['refunded', { amount: -1 }],
        ['refunded', { amount: '1' }],
        ['amended', { items: [] }],
        ['amended', { order_value: 5, items: 'x' }],
        ['amended', { order_value: 5, items: [{ quantity: 1, price_per_unit: 1 }] }],
        ['cancelled', { event_id: '' }],
        ['cancelled', { event_id: {} }],
      )
      .map(([kind, fields]) => (order: Counted): Corrections => {
        return { first: [correction(kind, order, fields)], second: [] }
      }),
  },
)

/**
 * Corrects some of the orders that are accepted. The same seed gives the same corrections.
 * @param times of the corrections, as JSON; those of an order have one time in each wave, as any of two may be the first
 */
export function correctionsOf(
  accepted: readonly string[],
  seed: number,
  times: Times = fc.constant(undefined),
): Corrections {
  const timed = fc.tuple(ways, times, times).map(([correct, ...waves]) => (order: Counted): Corrections => {
    const { first, second } = correct(order)
    return {
      first: first.map((body) => withTime(body, waves[0])),
      second: second.map((body) => withTime(body, waves[1])),
    }
  })
  const chosen = fc.sample(fc.option(timed, { freq: 2, nil: undefined }), { numRuns: accepted.length, seed })
  const all = accepted.flatMap((body, at) => chosen[at]?.(countedIn(body)) ?? [])
  return { first: all.flatMap(({ first }) => first), second: all.flatMap(({ second }) => second) }
}

/** Gives a JSON object a time, instead of its own if it has one. */
export const withTime = (body: string, time: string | undefined): string =>
  time === undefined ? body : body.replace(/\}\s*$/, `,"order_timestamp":${time}}`)

function countedIn(body: string): Counted {
  const oracle = new Oracle()
  oracle.take(body)
  const [[user_id] = ['']] = oracle.users
  return { user_id, order_id: JSON.parse(body).order_id, cents: Number(oracle.cents) }
}

const refunded = (order: Counted, amount: number, more: object): string =>
  correction('refunded', order, { amount, ...more })

function correction(kind: string, { user_id, order_id }: Counted, more: object): string {
  return escaped(JSON.stringify({ event: `order.${kind}`, user_id, order_id, ...more }))
}
