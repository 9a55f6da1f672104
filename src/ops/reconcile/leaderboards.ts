import type { App } from '../../app.ts'
import type { Keys } from '../../keys.ts'
import { leaderboard } from '../../stages/leaderboard.ts'
import type { Effect } from '../../stages/stage.ts'
import { keysOnce, membersOf, type Scanning } from '../scan.ts'
import { checkScores } from './scores.ts'

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

/** Users per script: some ms of Redis' time. */
const maxUsers = 500

/** Does what `rankAllUsers` does, for some users. */
export async function rankSome(
  scope: Ranking & Scanning,
  keys: Keys,
  mode: 'check' | 'set',
  userIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const wrong = new Set<string>()
  for (let from = 0; from < userIds.length; from += maxUsers) {
    await scope.alive()
    const effects = rankUsers(scope, keys, userIds.slice(from, from + maxUsers))
    for (const { userId } of await checkScores(scope.redis, effects, mode)) wrong.add(userId)
  }
  return wrong
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
    for (const userId of await rankSome(scope, keys, mode, users)) wrong.add(userId)
  }
  return wrong
}

/** Yields all users with a hash, and then those on the leaderboards without one. */
async function* usersOf(scanning: Scanning, keys: Keys): AsyncGenerator<string[]> {
  const prefix = keys.userStats('')
  const seen = new Set<string>()
  for await (const names of keysOnce(scanning, keys, prefix)) {
    const users = names.map((name) => name.slice(prefix.length))
    for (const user of users) seen.add(user)
    yield users
  }
  for (const board of [keys.leaderboardSpend, keys.leaderboardOrders]) {
    for await (const members of membersOf(scanning, board)) yield members.filter((user) => !seen.has(user))
  }
}
