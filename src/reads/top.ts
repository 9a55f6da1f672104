import { z } from 'zod'
import { OrdersError } from '../errors.ts'
import type { Keys } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { loadScript, runScript } from '../redis/script.ts'
import {
  type Board,
  boardKey,
  boards,
  byRank,
  mergeRanked,
  type RankedUser,
  rankedUsers,
} from '../stages/leaderboard.ts'

const script = loadScript(import.meta.url)

/** Some users of a board, best first. */
export interface Page {
  readonly users: readonly RankedUser[]
  /** How many users stand before the first of them. */
  readonly offset: number
  /** Behind whom the next page begins; null where there is none. */
  readonly next: Cursor | null
}

/**
 * A place on a board: behind this user with this score, wherever the user may be by now. So what others do shifts no
 * page. Scores only grow: nobody is shown twice; who rises past the cursor meanwhile is not shown behind it.
 */
export type Cursor = RankedUser & { readonly board: Board }

export type From = { readonly offset: number } | { readonly after: Cursor }

/**
 * Best first; users with the same score in descending order of their id's bytes. Of one partition a page is read at one
 * moment. Of several each is asked for as much as the page may take of it; far down, some hundred single reads find first
 * where the page begins in each.
 * @throws the signal's reason
 */
export async function readTop(
  redis: RedisClient,
  partitions: readonly Keys[],
  board: Board,
  { limit, signal, ...from }: { limit: number; signal?: AbortSignal } & From,
): Promise<Page> {
  const boards = partitions.map((keys) => boardKey(keys, board))
  // One more than asked for tells whether there is a next page.
  const { offset, read } =
    'after' in from
      ? await readAfter(redis, boards, from.after, limit + 1)
      : { ...from, read: await readFrom(redis, boards, from.offset, limit + 1, signal) }
  const users = read.slice(0, limit)
  const last = users.at(-1)
  return { users, offset, next: last && read.length > limit ? { ...last, board } : null }
}

/** Less than this is read and left out rather than stepped over. */
const leastSteppedOver = 1_000

async function readFrom(
  redis: RedisClient,
  boards: readonly string[],
  offset: number,
  count: number,
  signal: AbortSignal | undefined,
): Promise<RankedUser[]> {
  const alone = boards.length === 1
  const { starts, left } = alone ? { starts: [offset], left: 0 } : await stepOver(redis, boards, offset, signal)
  if (left > leastSteppedOver) return [] // there are not so many users
  const parts = await Promise.all(
    boards.map(async (key, at) => {
      const from = starts[at] ?? 0
      return rankedUsers(await redis.zrange(key, `${from}`, `${from + left + count - 1}`, 'REV', 'WITHSCORES'))
    }),
  )
  return mergeRanked(parts).slice(left, left + count)
}

/**
 * Where to begin on each board so that together nearly `offset` users stand before; `left` is what lacks. Of n boards the
 * best of their k-th users has at most n (k - 1) others before it, so with k = left / n its board is stepped over k users.
 */
async function stepOver(
  redis: RedisClient,
  boards: readonly string[],
  offset: number,
  signal: AbortSignal | undefined,
): Promise<{ starts: number[]; left: number }> {
  const starts = boards.map(() => 0)
  let left = offset
  while (left > leastSteppedOver) {
    signal?.throwIfAborted()
    const step = Math.floor(left / boards.length)
    const candidates = await Promise.all(
      boards.map(async (key, at) => {
        const place = `${(starts[at] ?? 0) + step - 1}`
        return rankedUsers(await redis.zrange(key, place, place, 'REV', 'WITHSCORES')).map((user) => ({ at, user }))
      }),
    )
    const [best] = candidates.flat().sort((one, other) => byRank(one.user, other.user))
    if (!best) break // no board has as many as that left: all together have fewer than `left`
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
  const offset = parts.reduce((sum, { before }) => sum + before, 0)
  return { offset, read: mergeRanked(parts.map(({ on }) => on)).slice(0, count) }
}

/** What stands around a place on a board. */
export interface Around {
  /** How many users stand before `on`. */
  readonly before: number
  readonly on: readonly RankedUser[]
  readonly back: readonly RankedUser[]
  /** How many users the board has. */
  readonly users: number
}

const reply = z.tuple([z.int(), z.array(z.string()), z.array(z.string()), z.int()])

/** So many users who stand behind a place, and so many before it. */
export async function readAround(
  redis: RedisClient,
  key: string,
  { userId, score }: RankedUser,
  { on, back }: { on: number; back: number },
): Promise<Around> {
  const parsed = reply.safeParse(await runScript(redis, script, [key], [score, userId, on, back]))
  if (!parsed.success) {
    throw new OrdersError('ORD_REDIS_REPLY', 'Redis replied to top.lua in an unknown shape.', { cause: parsed.error })
  }
  const [before, behind, ahead, users] = parsed.data
  return { before, on: rankedUsers(behind), back: rankedUsers(ahead), users }
}

/** JSON has no infinity, which another client may have written. */
const score = z.union([z.number(), z.literal(['Infinity', '-Infinity']).transform(Number)])
const cursorParts = z.tuple([z.enum(boards), score, z.string()])

/** A cursor as text for a URL. */
export function cursorText({ board, score, userId }: Cursor): string {
  return Buffer.from(JSON.stringify([board, Number.isFinite(score) ? score : String(score), userId])).toString(
    'base64url',
  )
}

/** Undefined where the text is no cursor of ours. */
export function readCursor(text: string): Cursor | undefined {
  try {
    const [board, score, userId] = cursorParts.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
    return { board, score, userId }
  } catch {
    return undefined
  }
}
