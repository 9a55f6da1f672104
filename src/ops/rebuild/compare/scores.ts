import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../../app.ts'
import type { Effect } from '../../../stages/stage.ts'
import { rankAll } from '../../calendar/boards.ts'
import { rankAllUsers, rankSome } from '../../reconcile/leaderboards.ts'
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
  const scope = { ...app, alive }
  let wrong = [...(await rankAllUsers(scope, keys, 'check', leavesOut))]
  for (let checks = 0; checks < maxChecks && wrong.length > 0; checks++) {
    await sleep(settleMs)
    wrong = [...(await rankSome(scope, keys, 'check', wrong))]
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
