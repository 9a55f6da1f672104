import { z } from 'zod'
import type { Keys } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { defineScript } from '../redis/script.ts'
import {
  type Board,
  boardKey,
  boards,
  byRank,
  mergeRanked,
  type RankedUser,
  rankedUsers,
} from '../stages/leaderboard.ts'
import { sumBy } from '../sums.ts'

const readNeighbors = defineScript(
  import.meta.url,
  z.tuple([z.int(), z.array(z.string()), z.array(z.string()), z.int()]),
)

/** A page of a board, best first. */
export interface Page {
  readonly users: readonly RankedUser[]
  /** The number of users before the first of them. */
  readonly offset: number
  /** The last user of this page, after whom the next one begins; null where there is none. */
  readonly next: Cursor | null
}

/**
 * A position on a board: after this user with this score, even if the user has moved since. So other orders do not shift a
 * page. A user who rises past the cursor is not shown after it; one whom corrections lower past it is shown again.
 */
export type Cursor = RankedUser & { readonly board: Board; readonly period?: string | undefined }

export type From = { readonly offset: number } | { readonly after: Cursor }

/**
 * Reads a page, best first; users with the same score are in descending order of their id's bytes. With one partition the
 * page is read at one moment. With several, each returns as many users as the page may need; far down, a few hundred single
 * reads first find where the page begins in each.
 * @throws the signal's reason
 */
export async function readTop(
  redis: RedisClient,
  partitions: readonly Keys[],
  board: Board,
  { limit, signal, period, ...from }: { limit: number; signal?: AbortSignal; period?: string | undefined } & From,
): Promise<Page> {
  const boards = partitions.map((keys) => boardKey(keys, board, period))
  // One user more than asked for shows that there is a next page.
  const { offset, read } =
    'after' in from
      ? await readAfter(redis, boards, from.after, limit + 1)
      : { ...from, read: await readFrom(redis, boards, from.offset, limit + 1, signal) }
  const users = read.slice(0, limit)
  const last = users.at(-1)
  return { users, offset, next: last && read.length > limit ? { ...last, board, period } : null }
}

/** Fewer users than this are read and dropped rather than stepped over. */
const minSteppedOver = 1_000

async function readFrom(
  redis: RedisClient,
  boards: readonly string[],
  offset: number,
  count: number,
  signal: AbortSignal | undefined,
): Promise<RankedUser[]> {
  const alone = boards.length === 1
  const { starts, left } = alone ? { starts: [offset], left: 0 } : await stepOver(redis, boards, offset, signal)
  if (left > minSteppedOver) return [] // there are fewer users
  const parts = await Promise.all(
    boards.map(async (key, at) => {
      const from = starts[at] ?? 0
      return rankedUsers(await redis.zrange(key, `${from}`, `${from + left + count - 1}`, 'REV', 'WITHSCORES'))
    }),
  )
  return mergeRanked(parts).slice(left, left + count)
}

/**
 * Finds starts on each board with nearly `offset` users before them together; `left` is the rest. Of n boards, the best of
 * their k-th users has at most n (k - 1) others before it. So with k = left / n, k users of its board are stepped over.
 */
async function stepOver(
  redis: RedisClient,
  boards: readonly string[],
  offset: number,
  signal: AbortSignal | undefined,
): Promise<{ starts: number[]; left: number }> {
  const starts = boards.map(() => 0)
  let left = offset
  while (left > minSteppedOver) {
    signal?.throwIfAborted()
    const step = Math.floor(left / boards.length)
    const candidates = await Promise.all(
      boards.map(async (key, at) => {
        const place = `${(starts[at] ?? 0) + step - 1}`
        return rankedUsers(await redis.zrange(key, place, place, 'REV', 'WITHSCORES')).map((user) => ({ at, user }))
      }),
    )
    const [best] = candidates.flat().sort((one, other) => byRank(one.user, other.user))
    if (!best) break // no board has that many users left, so all together have fewer than `left`
    starts[best.at] = (starts[best.at] ?? 0) + step
    left -= step
  }
  return { starts, left }
}

async function readAfter(
  redis: RedisClient,
  boards: readonly string[],
  after: RankedUser,
  count: number,
): Promise<{ offset: number; read: RankedUser[] }> {
  const parts = await Promise.all(boards.map((key) => readAround(redis, key, after, { on: count, back: 0 })))
  const offset = sumBy(parts, ({ before }) => before)
  return { offset, read: mergeRanked(parts.map(({ on }) => on)).slice(0, count) }
}

/** The users around a position on a board. */
export interface Around {
  /** The number of users before `on`. */
  readonly before: number
  /** The users after the position. */
  readonly on: readonly RankedUser[]
  /** The users before it. */
  readonly back: readonly RankedUser[]
  /** The number of users on the board. */
  readonly users: number
}

/** Reads the next `on` users after a position, and the last `back` users before it. */
export async function readAround(
  redis: RedisClient,
  key: string,
  { userId, score }: RankedUser,
  { on, back }: { on: number; back: number },
): Promise<Around> {
  const [before, behind, ahead, users] = await readNeighbors(redis, [key], [score, userId, on, back])
  return { before, on: rankedUsers(behind), back: rankedUsers(ahead), users }
}

/** JSON has no infinity, but another client may have written it as a score. */
const score = z.union([z.number(), z.literal(['Infinity', '-Infinity']).transform(Number)])
const cursorParts = z.tuple([z.enum(boards), score, z.string(), z.string().optional()])

/** Encodes a cursor for a URL. */
export function cursorText({ board, score, userId, period }: Cursor): string {
  const parts = [
    board,
    Number.isFinite(score) ? score : String(score),
    userId,
    ...(period === undefined ? [] : [period]),
  ]
  return Buffer.from(JSON.stringify(parts)).toString('base64url')
}

/** Decodes a cursor; undefined where the text is not one. */
export function readCursor(text: string): Cursor | undefined {
  try {
    const [board, score, userId, period] = cursorParts.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
    return { board, score, userId, period }
  } catch {
    return undefined
  }
}
