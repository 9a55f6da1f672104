import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../../app.ts'
import type { Keys } from '../../../keys.ts'
import type { Effect } from '../../../stages/stage.ts'
import { membersOf, rankAll } from '../../calendar/boards.ts'
import { rank } from '../../calendar/rank.ts'
import { keysLike } from '../../repartition/move.ts'
import { rankUsers } from '../flip/ranks.ts'
import type { Compared } from './compare.ts'

/** A stage ranks a user within some ms of the commit that counts an order of theirs. */
const settleMs = 300
const maxChecks = 5

/**
 * Returns the users of a partition whose score is not what their hash says, and does not become so either.
 * @param differences of hashes: a flip ranks their users again in any case
 */
export async function wrongScores(
  app: App,
  { keys, differences }: Pick<Compared, 'keys' | 'differences'>,
  alive: () => Promise<void>,
): Promise<string[]> {
  const check = async (all: readonly string[]): Promise<string[]> => {
    const users = all.filter((userId) => !differences.has(keys.userStats(userId)))
    const found = await rank(app.redis, rankUsers(app, keys, users), 'check')
    return [...new Set(found.map(({ userId }) => userId))]
  }
  let wrong = new Set<string>()
  for await (const users of usersOf(app, keys, alive)) for (const user of await check(users)) wrong.add(user)
  for (let checks = 0; checks < maxChecks && wrong.size > 0; checks++) {
    await sleep(settleMs)
    const before = [...wrong]
    wrong = new Set()
    for (let from = 0; from < before.length; from += 500) {
      for (const user of await check(before.slice(from, from + 500))) wrong.add(user)
    }
  }
  return [...wrong]
}

/** Counts the scores of days, weeks and months that are not what the hashes say, without those that a flip sets in any case. */
export async function wrongPeriods(
  app: App,
  { keys, differences }: Pick<Compared, 'keys' | 'differences'>,
  alive: () => Promise<void>,
): Promise<number> {
  const leavesOut = (effect: Effect): boolean => {
    if (effect.kind !== 'rank') return false
    const fields = effect.boards.flatMap((board) => board.fields)
    return effect.hashes.some((name) => {
      const found = differences.get(name)
      return found !== undefined && fields.some((field) => found.add.has(field) || found.odd.includes(field))
    })
  }
  return (await rankAll({ ...app, leavesOut }, keys, 'check', alive)).wrong.length
}

/** Yields all users with a hash, and all on the leaderboards. */
async function* usersOf({ redis }: App, keys: Keys, alive: () => Promise<void>): AsyncGenerator<string[]> {
  const prefix = keys.userStats('')
  for await (const names of keysLike({ redis, alive }, keys, prefix))
    yield names.map((name) => name.slice(prefix.length))
  for (const board of [keys.leaderboardSpend, keys.leaderboardOrders]) yield* membersOf(redis, board, alive)
}
