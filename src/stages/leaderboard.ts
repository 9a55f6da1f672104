import type { Keys } from '../keys.ts'
import { defineStage, pass, zaddGt } from './stage.ts'

/** Ranks a user by the totals that aggregate emitted. Totals only grow, so the greatest is the newest. */
export const leaderboard = defineStage({
  name: 'leaderboard',
  from: 'counted',
  counts: 'ranked',
  decide: ({ user_id, order_count, total_spend_minor }, keys) =>
    pass({
      effects: [
        zaddGt(keys.leaderboardSpend, user_id, total_spend_minor),
        zaddGt(keys.leaderboardOrders, user_id, order_count),
      ],
    }),
})

export const boards = ['spend', 'orders'] as const
export type Board = (typeof boards)[number]

export interface RankedUser {
  readonly userId: string
  /** Minor units on the board `spend`, orders on the board `orders`: an integer, unless another client wrote it. */
  readonly score: number
}

export function boardKey(keys: Keys, board: Board): string {
  return board === 'spend' ? keys.leaderboardSpend : keys.leaderboardOrders
}

/** @param flat members and scores in turn, as Redis replies */
export function rankedUsers(flat: readonly string[]): RankedUser[] {
  const users: RankedUser[] = []
  for (let i = 0; i + 1 < flat.length; i += 2) users.push({ userId: flat[i] ?? '', score: scoreIn(flat[i + 1]) })
  return users
}

/** Redis writes infinity as `inf`. */
export const scoreIn = (text = ''): number => Number(text.replace(/^(-?)inf$/, '$1Infinity'))

/** Ranked users of several partitions as one board would have them: by score, equals by the bytes of their ids, best first. */
export function mergeRanked(boards: readonly (readonly RankedUser[])[]): RankedUser[] {
  const [first = []] = boards
  return boards.length === 1 ? [...first] : boards.flat().sort(byRank)
}

export function byRank(one: RankedUser, other: RankedUser): number {
  return other.score - one.score || Buffer.compare(Buffer.from(other.userId), Buffer.from(one.userId))
}
