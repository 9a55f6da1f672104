import type { App } from '../../../app.ts'
import { type Keys, shadowedName } from '../../../keys.ts'
import type { Effect, Rank } from '../../../stages/stage.ts'
import { ranksOfMonth } from '../../calendar/boards.ts'
import { rankUsers } from '../../reconcile/leaderboards.ts'
import { ranksKey } from '../apply.ts'
import type { Build } from '../feed.ts'

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

/** Yields the effects that rank the members of boards of the stages' own. HSCAN may yield one twice. */
export async function* ownRanks({ app, run, shadows }: Build, keys: Keys): AsyncGenerator<Rank> {
  const live = (name: string): string => shadowedName(keys, run.id, name)
  for (let cursor = '', flat: string[]; cursor !== '0'; ) {
    ;[cursor, flat] = await app.redis.hscan(ranksKey(shadows.get(keys) ?? keys), cursor || '0', 'COUNT', 1_000)
    for (let at = 0; at + 1 < flat.length; at += 2) {
      const { boards, hashes, ...rank }: Rank = JSON.parse(flat[at + 1] ?? '')
      const named = boards.map(({ board, fields }) => ({ board: live(board), fields }))
      yield { ...rank, hashes: hashes.map(live), boards: named }
    }
  }
}
