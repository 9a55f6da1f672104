import { z } from 'zod'
import type { Keys } from '../keys.ts'
import { partitionFor } from '../partitions.ts'
import type { RedisClient } from '../redis/client.ts'
import { defineScript } from '../redis/script.ts'
import { type Board, boardKey, boards, mergeRanked, type RankedUser, rankedUsers } from '../stages/leaderboard.ts'
import { sum, sumBy } from '../sums.ts'
import { readAround } from './top.ts'

/** A user with a rank from 1 on. Ties are broken as on the board, so no two users have the same rank. */
export type Placed = RankedUser & { readonly rank: number }

/** A user's place on a board. */
export interface Standing {
  /** The number of users on the board. */
  readonly users: number
  /** Best first, including the user; empty where the user is not on the board. */
  readonly neighbors: readonly Placed[]
}

const standing = z
  .union([z.tuple([z.int()]), z.tuple([z.int(), z.int(), z.array(z.string())])])
  .transform(([users, from = 0, found = []]): Standing => {
    const neighbors = rankedUsers(found).map((user, at) => ({ ...user, rank: from + at + 1 }))
    return { users, neighbors }
  })
const findStandings = defineScript(import.meta.url, z.tuple([standing, standing]))

/**
 * Reads the rank of a user on each board, with up to `around` neighbors on either side. Reads both boards of the user's own
 * partition at one moment, then those of the others by the user's score.
 */
export async function readRank(
  redis: RedisClient,
  partitions: readonly Keys[],
  userId: string,
  around: number,
  period?: string,
): Promise<Record<Board, Standing>> {
  const home = partitionFor(partitions, userId)
  const others = partitions.filter((keys) => keys !== home)
  const own = await readRankIn(redis, home, { userId, around, period })
  const [spend = notRanked, orders = notRanked] = await Promise.all(
    boards.map((board) =>
      mergeStanding(redis, own[board], { userId, around, boards: others.map((keys) => boardKey(keys, board, period)) }),
    ),
  )
  return { spend, orders }
}

async function readRankIn(
  redis: RedisClient,
  keys: Keys,
  { userId, around, period }: { userId: string; around: number; period: string | undefined },
): Promise<Record<Board, Standing>> {
  const names = boards.map((board) => boardKey(keys, board, period))
  const [spend, orders] = await findStandings(redis, names, [userId, around])
  return { spend, orders }
}

/** Merges the standing in the own partition with the same board of the other partitions. */
async function mergeStanding(
  redis: RedisClient,
  { users, neighbors }: Standing,
  { userId, around, boards }: { userId: string; around: number; boards: readonly string[] },
): Promise<Standing> {
  const own = neighbors.find((user) => user.userId === userId)
  if (!own) {
    const more = await Promise.all(boards.map((board) => redis.zcard(board)))
    return { users: users + sum(more), neighbors }
  }
  const parts = await Promise.all(boards.map((board) => readAround(redis, board, own, { on: around, back: around })))
  const all = mergeRanked([neighbors, ...parts.flatMap(({ on, back }) => [back, on])])
  const at = all.findIndex((user) => user.userId === userId)
  const rank = own.rank + sumBy(parts, ({ before }) => before)
  const from = Math.max(0, at - around)
  return {
    users: users + sumBy(parts, (part) => part.users),
    neighbors: all
      .slice(from, at + around + 1)
      .map(({ userId, score }, index) => ({ userId, score, rank: rank - at + from + index })),
  }
}

const notRanked: Standing = { users: 0, neighbors: [] }
