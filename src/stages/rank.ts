import { z } from 'zod'
import { OrdersError } from '../errors.ts'
import type { Keys } from '../keys.ts'
import type { RedisClient } from '../redis.ts'
import { loadScript, runScript } from '../script.ts'
import { type Board, boardKey, boards, type RankedUser, rankedUsers } from './leaderboard.ts'

const script = loadScript(import.meta.url)

/** A user and where they stand, from 1 on; ties are broken as on the board, so no two have the same rank. */
export type Placed = RankedUser & { readonly rank: number }

/** A user's place on a board. */
export interface Standing {
  /** How many users the board ranks. */
  readonly users: number
  /** Best first, the user among them; none where the board does not have the user. */
  readonly neighbors: readonly Placed[]
}

const replies = z.array(z.union([z.tuple([z.int()]), z.tuple([z.int(), z.int(), z.array(z.string())])]))

/** Where a user stands on each board, with up to `around` neighbors on either side; both boards at one moment. */
export async function readRank(
  redis: RedisClient,
  keys: Keys,
  userId: string,
  around: number,
): Promise<Record<Board, Standing>> {
  const names = boards.map((board) => boardKey(keys, board))
  const parsed = replies.safeParse(await runScript(redis, script, names, [userId, around]))
  if (!parsed.success) {
    throw new OrdersError('ORD_REDIS_REPLY', 'Redis replied to rank.lua in an unknown shape.', { cause: parsed.error })
  }
  const standings = parsed.data.map(([users, from = 0, found = []]) => ({
    users,
    neighbors: rankedUsers(found).map((user, at) => ({ ...user, rank: from + at + 1 })),
  }))
  const [spend = nobody, orders = nobody] = standings
  return { spend, orders }
}

const nobody: Standing = { users: 0, neighbors: [] }
