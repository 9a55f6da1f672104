import type { App } from '../../app.ts'
import type { BlastRadius } from '../../control/undo/undos.ts'
import { amountsOf, ordersOfPart } from '../../corrections.ts'
import { readTop } from '../../reads/top.ts'
import { readUserStats } from '../../stages/aggregate.ts'
import { byRank, isRanked, type RankedUser } from '../../stages/leaderboard.ts'
import { sumBy } from '../../sums.ts'
import type { Affected } from './collect.ts'

/** By how much an undo changes the totals of a user. */
interface Change {
  orders: number
  minor: number
}

export type Sums = Pick<BlastRadius, 'orders' | 'users' | 'revenue'>

/**
 * Adds up what an undo takes back, or a redo puts back: positive in both cases.
 * @param sign -1 where the parts take back
 */
export function sumsOf({ format }: Pick<App, 'format'>, orders: readonly Affected[], sign: 1 | -1): Sums {
  const all = orders.map(({ parts }) => amountsOf(parts))
  return {
    orders: orders.length,
    users: new Set(orders.map(({ userId }) => userId)).size,
    revenue: format.money.toAmount(sign * sumBy(all, ({ minor }) => minor)),
  }
}

/** Finds out what an undo will change. */
export async function radiusOf(app: App, orders: readonly Affected[]): Promise<Omit<BlastRadius, Skipped>> {
  const users = new Map<string, Change>()
  for (const { userId, parts } of orders) {
    const { orders, minor } = amountsOf(parts)
    const before = users.get(userId) ?? { orders: 0, minor: 0 }
    users.set(userId, { orders: before.orders + orders, minor: before.minor + minor })
  }
  const moved = await movedRanks(app, users)
  return {
    ...sumsOf(app, orders, -1),
    days: daysOf(app, orders),
    ranks_changed: moved.length,
    ranks: moved.slice(0, maxShown),
  }
}

type Skipped =
  | 'erased'
  | 'forgotten'
  | 'undone_before'
  | 'admitted_again'
  | 'other_corrections'
  | 'archive_from'
  | 'warning'

function daysOf({ format }: App, orders: readonly Affected[]): BlastRadius['days'] {
  const days = new Map<string, Change>()
  for (const part of orders.flatMap(({ parts }) => parts)) {
    const { day } = format.calendar.place(part.order_timestamp, part.sent, part.at)
    const before = days.get(day) ?? { orders: 0, minor: 0 }
    days.set(day, { orders: before.orders - ordersOfPart(part), minor: before.minor - part.minor })
  }
  return [...days]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([day, { orders, minor }]) => ({ day, orders: orders + 0, revenue: format.money.toAmount(minor + 0) }))
}

const [topRanks, maxShown] = [100, 10]

/**
 * Finds the users among the top 100 by spend whose rank changes. It reads on until 100 of the users that it has read keep
 * their spend: no one further down can pass them.
 */
async function movedRanks(
  { redis, partitions }: App,
  changes: ReadonlyMap<string, Change>,
): Promise<BlastRadius['ranks']> {
  let before: RankedUser[] = []
  for (let limit = 2 * topRanks; ; limit *= 2) {
    before = [...(await readTop(redis, partitions, 'spend', { limit, offset: 0 })).users]
    const kept = before.filter(({ userId }) => !changes.has(userId)).length
    if (kept >= topRanks || before.length < limit) break
  }
  const left = await Promise.all(
    before.map(async ({ userId, score }) => {
      const change = changes.get(userId)
      if (!change) return [{ userId, score }]
      const { orders } = await readUserStats(redis, partitions, userId)
      return isRanked(orders + change.orders) ? [{ userId, score: score + change.minor }] : []
    }),
  )
  const after = left.flat().sort(byRank)
  const rankOf = new Map(after.map(({ userId }, at) => [userId, at + 1]))
  return before.slice(0, topRanks).flatMap(({ userId }, at) => {
    const rank = rankOf.get(userId) ?? Number.POSITIVE_INFINITY
    if (rank === at + 1) return []
    return [{ user_id: userId, from: at + 1, to: rank > topRanks ? null : rank }]
  })
}
