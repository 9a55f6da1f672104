import { z } from 'zod'
import { OrdersError } from '../errors.ts'
import type { Keys } from '../keys.ts'
import { partitionFor } from '../partitions.ts'
import type { RedisClient } from '../redis/client.ts'
import { loadScript, runScript } from '../redis/script.ts'
import { type Board, boardKey, boards, mergeRanked, type RankedUser, rankedUsers } from '../stages/leaderboard.ts'
import { readAround } from './top.ts'

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

/**
 * Where a user stands on each board, with up to `around` neighbors on either side; in the user's own partition both boards
 * at one moment, then in the others by the user's score.
 */
export async function readRank(
  redis: RedisClient,
  partitions: readonly Keys[],
  userId: string,
  around: number,
): Promise<Record<Board, Standing>> {
  const home = partitionFor(partitions, userId)
  const others = partitions.filter((keys) => keys !== home)
  const own = await readRankIn(redis, home, userId, around)
  const [spend = nobody, orders = nobody] = await Promise.all(
    boards.map((board) =>
      among(redis, own[board], { userId, around, boards: others.map((keys) => boardKey(keys, board)) }),
    ),
  )
  return { spend, orders }
}

async function readRankIn(
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

/** A standing on one board, among those of other partitions too. */
async function among(
  redis: RedisClient,
  { users, neighbors }: Standing,
  { userId, around, boards }: { userId: string; around: number; boards: readonly string[] },
): Promise<Standing> {
  const own = neighbors.find((user) => user.userId === userId)
  if (!own) {
    const more = await Promise.all(boards.map((board) => redis.zcard(board)))
    return { users: more.reduce((sum, count) => sum + count, users), neighbors }
  }
  const parts = await Promise.all(boards.map((board) => readAround(redis, board, own, { on: around, back: around })))
  const all = mergeRanked([neighbors, ...parts.flatMap(({ on, back }) => [back, on])])
  const at = all.findIndex((user) => user.userId === userId)
  const rank = parts.reduce((sum, { before }) => sum + before, own.rank)
  const from = Math.max(0, at - around)
  return {
    users: parts.reduce((sum, part) => sum + part.users, users),
    neighbors: all
      .slice(from, at + around + 1)
      .map(({ userId, score }, index) => ({ userId, score, rank: rank - at + from + index })),
  }
}

const nobody: Standing = { users: 0, neighbors: [] }
