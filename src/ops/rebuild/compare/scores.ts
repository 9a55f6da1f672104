import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../../app.ts'
import type { Effect } from '../../../stages/stage.ts'
import { rankAll } from '../../calendar/boards.ts'
import { rankAllUsers, rankUsers } from '../../reconcile/leaderboards.ts'
import { checkScores } from '../../reconcile/scores.ts'
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
  const leavesOut = (userId: string): boolean => differences.has(keys.userStats(userId))
  let wrong = [...(await rankAllUsers({ ...app, alive }, keys, 'check', leavesOut))]
  for (let checks = 0; checks < maxChecks && wrong.length > 0; checks++) {
    await sleep(settleMs)
    const found: string[] = []
    for (let from = 0; from < wrong.length; from += 500) {
      const some = await checkScores(app.redis, rankUsers(app, keys, wrong.slice(from, from + 500)), 'check')
      found.push(...some.map(({ userId }) => userId))
    }
    wrong = [...new Set(found)]
  }
  return wrong
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
  return (await rankAll({ ...app, leavesOut, alive }, keys, 'check')).wrong.length
}
