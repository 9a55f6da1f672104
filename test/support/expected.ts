import fc from 'fast-check'
import { expect } from 'vitest'
import { correctionsOf, type Times, withTime } from './corrections.ts'
import { body, conflicting, shuffled } from './generated.ts'
import { writing } from './jobs.ts'
import { Oracle } from './oracle.ts'

/** Two waves, because which of two conflicting orders comes first decides: the second wave is sent when the first is through. */
export function waves(orders: number, seed: number): [string[], string[]] {
  const first = fc.sample(body, { numRuns: orders - 100, seed })
  return wavesOf(first, secondOf(acceptedOf(first)), seed)
}

/**
 * The same with corrections, of which some overtake their orders.
 * @param times of the messages, as JSON
 */
export function correctedWaves(orders: number, seed: number, times: Times): [string[], string[]] {
  const dated = fc.tuple(body, times).map(([sent, time]) => (isFilled(sent) ? withTime(sent, time) : sent))
  const first = fc.sample(dated, { numRuns: orders - 100, seed })
  const accepted = acceptedOf(first)
  const corrections = correctionsOf(accepted, seed, times)
  // Seldom among the others.
  const unknown = JSON.stringify({ event: 'order.shipped', user_id: 'user_1', order_id: 'o', order_value: 1 })
  return wavesOf([...first, unknown, ...corrections.first], [...secondOf(accepted), ...corrections.second], seed)
}

/** True for a JSON object with members. */
const isFilled = (sent: string): boolean => /^\{"/.test(sent) && sent.endsWith('}')

const acceptedOf = (bodies: readonly string[]): string[] =>
  bodies.filter((sent) => {
    const oracle = new Oracle()
    oracle.take(sent)
    return oracle.admitted === 1
  })

const secondOf = (accepted: readonly string[]): string[] => [
  ...accepted.slice(0, 100).map(conflicting),
  ...accepted.slice(50, 250),
]

function wavesOf(first: readonly string[], second: readonly string[], seed: number): [string[], string[]] {
  const repeats = first
    .filter((_, at) => at % 5 === 0)
    .flatMap((again, at) => (at % 2 === 0 ? [again] : [again, again]))
  return [shuffled([...first, ...repeats], seed), shuffled(second, seed + 1)]
}

export type Get = (path: string) => Promise<Record<string, unknown>>

export function getFrom(url: string): Get {
  return async (path) => (await fetch(`${url}${path}`, { headers: writing })).json() as never
}

/** A board as it must be: best first, equals in descending order of the id's bytes. */
export function rankingOf({ ranked }: Oracle, by: 'spend' | 'orders'): { user_id: string; score: number }[] {
  const score = (totals: { orders: number; cents: bigint }): number =>
    by === 'spend' ? Number(totals.cents) / 100 : totals.orders
  return ranked
    .map(([user_id, totals]) => ({ user_id, score: score(totals) }))
    .sort((a, b) => b.score - a.score || Buffer.compare(Buffer.from(b.user_id), Buffer.from(a.user_id)))
}

/** Global stats, the stats of every user and pages of both boards are the oracle's. */
export async function expectStats(get: Get, oracle: Oracle): Promise<void> {
  expect(await get('/stats/global')).toEqual({
    total_orders: oracle.orders,
    total_revenue: Number(oracle.cents) / 100,
  })
  for (const [user, { orders, cents }] of oracle.users) {
    expect(await get(`/users/${encodeURIComponent(user)}/stats`)).toEqual({
      user_id: user,
      order_count: orders,
      total_spend: Number(cents) / 100,
    })
  }
  for (const by of ['spend', 'orders'] as const) {
    const ranking = rankingOf(oracle, by)
    expect(await get(`/stats/top-users?by=${by}&n=100`)).toEqual({
      by,
      n: 100,
      offset: 0,
      users: ranking.slice(0, 100),
    })
    expect(await get(`/stats/top-users?by=${by}&n=7&offset=5`)).toMatchObject({ users: ranking.slice(5, 12) })
  }
}
