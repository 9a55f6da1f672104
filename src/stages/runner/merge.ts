import type { Effect, Rank } from '../stage.ts'

/** Key of a hash → field → amount. */
export type Amounts = Map<string, Map<string, number>>
/** The boards of a rank → member → the rank. */
export type Ranks = Map<string, Map<string, Rank>>

/** Merges an effect into those before it: amounts are added, and a member is ranked once. */
export function mergeEffect(
  { hashes, ranks }: { readonly hashes: Amounts; readonly ranks: Ranks },
  effect: Effect,
): void {
  if (effect.kind === 'hincrby') {
    const fields = groupFor(hashes, effect.key)
    const field = effect.field.toWellFormed()
    fields.set(field, (fields.get(field) ?? 0) + effect.by)
  } else {
    const boards = effect.boards.map(({ board, fields }) => [board, ...fields].join(' ')).join()
    groupFor(ranks, boards).set(effect.member.toWellFormed(), effect)
  }
}

/** Returns the group of a name. Redis keeps no half surrogate pair: names that differ only in one are the same there. */
function groupFor<T>(groups: Map<string, Map<string, T>>, name: string): Map<string, T> {
  const key = name.toWellFormed()
  const group = groups.get(key) ?? new Map<string, T>()
  groups.set(key, group)
  return group
}
