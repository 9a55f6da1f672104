import { type Keys, shadowedName } from '../../../keys.ts'
import type { Rank } from '../../../stages/stage.ts'
import { ranksKey } from '../apply.ts'
import type { Build } from '../feed.ts'

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
