import type { Keys } from '../keys.ts'
import { userTotals } from '../messages.ts'
import { exactInteger } from '../order/money.ts'
import { isAccount } from './erasure/account.ts'
import { defineStage, pass, rank } from './stage.ts'

/**
 * Ranks a user whose totals have changed, by the user's hash as it is. So the order of records does not matter. A user without
 * an order leaves the boards.
 */
export const leaderboard = defineStage({
  name: 'leaderboard',
  takes: userTotals,
  counts: 'ranked',
  decide: ({ user_id }, keys) =>
    pass({
      effects: [
        rank(
          user_id,
          [keys.userStats(user_id)],
          [
            { board: keys.leaderboardOrders, fields: ['order_count'] },
            { board: keys.leaderboardSpend, fields: ['total_spend_minor'] },
          ],
        ),
      ],
    }),
})

/** Returns whether a user with that many orders is on the boards: not once all are taken back. */
export const isRanked = (orders: number): boolean => orders > 0

export const boards = ['spend', 'orders'] as const
export type Board = (typeof boards)[number]

/**
 * Returns the scores of users by their hashes, as ZADD takes them: those that the commit script sets (see effects.lua).
 * @param users user ids and hashes
 */
export function scoresOn(board: Board, users: readonly (readonly [userId: string, hash: UserHash])[]): string[] {
  return users.flatMap(([userId, { order_count, total_spend_minor }]) => {
    const orders = exactInteger(order_count) ?? 0n
    if (!isRanked(Number(orders)) || isAccount(userId)) return []
    return [String(board === 'orders' ? orders : (exactInteger(total_spend_minor) ?? 0n)), userId]
  })
}

type UserHash = Readonly<Record<string, string>>

export interface RankedUser {
  readonly userId: string
  /** Minor units on the board `spend`, orders on the board `orders`: an integer, unless another client wrote it. */
  readonly score: number
}

/** @param period name of a day, week or month; without it, the board of all orders */
export function boardKey(keys: Keys, board: Board, period?: string): string {
  if (period !== undefined) return keys.periodBoard(period, board)
  return board === 'spend' ? keys.leaderboardSpend : keys.leaderboardOrders
}

/** @param flat alternating members and scores, as Redis replies */
export function rankedUsers(flat: readonly string[]): RankedUser[] {
  const users: RankedUser[] = []
  for (let i = 0; i + 1 < flat.length; i += 2) users.push({ userId: flat[i] ?? '', score: scoreIn(flat[i + 1]) })
  return users
}

/** Redis writes infinity as `inf`. */
export const scoreIn = (text = ''): number => Number(text.replace(/^(-?)inf$/, '$1Infinity'))

/** Merges the ranked users of partitions, best first: by score, then by the bytes of their ids, as one board orders them. */
export function mergeRanked(boards: readonly (readonly RankedUser[])[]): RankedUser[] {
  const [first = []] = boards
  return boards.length === 1 ? [...first] : boards.flat().sort(byRank)
}

export function byRank(one: RankedUser, other: RankedUser): number {
  return other.score - one.score || Buffer.compare(Buffer.from(other.userId), Buffer.from(one.userId))
}
