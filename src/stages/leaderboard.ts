import type { Keys } from '../keys.ts'
import type { RedisClient } from '../redis.ts'
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
  /** Minor units on the board `spend`, orders on the board `orders`. */
  readonly score: number
}

/** Best first; users with the same score in descending order of their id's bytes. */
export async function readTop(
  redis: RedisClient,
  keys: Keys,
  board: Board,
  { limit, offset }: { limit: number; offset: number },
): Promise<RankedUser[]> {
  const key = board === 'spend' ? keys.leaderboardSpend : keys.leaderboardOrders
  const reply = await redis.zrange(key, String(offset), String(offset + limit - 1), 'REV', 'WITHSCORES')
  const users: RankedUser[] = []
  for (let i = 0; i + 1 < reply.length; i += 2) users.push({ userId: reply[i] ?? '', score: Number(reply[i + 1]) })
  return users
}
