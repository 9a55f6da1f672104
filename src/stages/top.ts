import { z } from 'zod'
import { OrdersError } from '../errors.ts'
import type { Keys } from '../keys.ts'
import type { RedisClient } from '../redis.ts'
import { loadScript, runScript } from '../script.ts'
import { type Board, boardKey, boards, type RankedUser, rankedUsers } from './leaderboard.ts'

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

/** Best first; users with the same score in descending order of their id's bytes. A page is read at one moment. */
export async function readTop(
  redis: RedisClient,
  keys: Keys,
  board: Board,
  { limit, ...from }: { limit: number } & From,
): Promise<Page> {
  const key = boardKey(keys, board)
  // One more than asked for tells whether there is a next page.
  const { offset, found } =
    'after' in from
      ? await readBehind(redis, key, from.after, limit + 1)
      : { ...from, found: await redis.zrange(key, `${from.offset}`, `${from.offset + limit}`, 'REV', 'WITHSCORES') }
  const read = rankedUsers(found)
  const users = read.slice(0, limit)
  const last = users.at(-1)
  return { users, offset, next: last && read.length > limit ? { ...last, board } : null }
}

const reply = z.tuple([z.int(), z.array(z.string())])

async function readBehind(
  redis: RedisClient,
  key: string,
  { userId, score }: Cursor,
  count: number,
): Promise<{ offset: number; found: string[] }> {
  const parsed = reply.safeParse(await runScript(redis, script, [key], [score, userId, count]))
  if (!parsed.success) {
    throw new OrdersError('ORD_REDIS_REPLY', 'Redis replied to top.lua in an unknown shape.', { cause: parsed.error })
  }
  const [offset, found] = parsed.data
  return { offset, found }
}

const cursorParts = z.tuple([z.enum(boards), z.number(), z.string()])

/** A cursor as text for a URL. */
export function cursorText({ board, score, userId }: Cursor): string {
  return Buffer.from(JSON.stringify([board, score, userId])).toString('base64url')
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
