import type { App } from '../../app.ts'
import type { Keys } from '../../keys.ts'
import { leaderboard } from '../../stages/leaderboard.ts'
import type { Effect } from '../../stages/stage.ts'
import { ranksOfMonth } from '../calendar/boards.ts'
import { keysLike, membersOf, type Scanning } from '../scan.ts'
import { rank } from './rank.ts'

type Scope = Pick<App, 'format' | 'now' | 'pipeline'>

/** Returns the effects that rank a user again whose hash changes: of all orders, or of a month. */
export function ranksOf(scope: Scope, keys: Keys, name: string, fields: readonly string[]): readonly Effect[] {
  const user = keys.userStats('')
  if (name.startsWith(user)) return rankUsers(scope, keys, [name.slice(user.length)])
  if (name.startsWith(keys.monthly('', '').slice(0, -1))) {
    // A field with the spend of a period stands next to the one with its orders.
    return ranksOfMonth(scope, keys, name, [...new Set(fields.map((field) => field.replace(/spend$/, 'orders')))])
  }
  return []
}

type Ranking = Pick<App, 'format' | 'pipeline'>

/** Returns the effects that rank users by all their orders. */
export function rankUsers({ pipeline, format }: Ranking, keys: Keys, userIds: readonly string[]): readonly Effect[] {
  const stage = pipeline.stage(leaderboard.name)
  if (!stage) return []
  return userIds.flatMap((user_id) => {
    const verdict = stage.decide({ user_id, orders: 1, order_count: 0, total_spend_minor: 0 }, keys, format)
    return verdict.outcome === 'pass' ? verdict.effects : []
  })
}

/**
 * Compares the scores of all orders with the users' hashes, and sets those that are wrong if asked to. The stages may work
 * meanwhile: each user is compared at one moment.
 * @param leavesOut says which users are not ranked, such as one whose key is no hash
 * @returns users with a wrong score; the leaderboard may be about to set some
 */
export async function rankAllUsers(
  scope: Ranking & Scanning,
  keys: Keys,
  mode: 'check' | 'set',
  leavesOut: (userId: string) => boolean = () => false,
): Promise<ReadonlySet<string>> {
  const wrong = new Set<string>()
  for await (const all of usersOf(scope, keys)) {
    const users = all.filter((userId) => !leavesOut(userId))
    for (const { userId } of await rank(scope.redis, rankUsers(scope, keys, users), mode)) wrong.add(userId)
  }
  return wrong
}

/** Yields all users with a hash, and all on the leaderboards. */
async function* usersOf(scanning: Scanning, keys: Keys): AsyncGenerator<string[]> {
  const prefix = keys.userStats('')
  for await (const names of keysLike(scanning, keys, prefix)) yield names.map((name) => name.slice(prefix.length))
  for (const board of [keys.leaderboardSpend, keys.leaderboardOrders]) yield* membersOf(scanning, board)
}
