import type { Effect } from '../stage.ts'

/** Key → field of a hash or member of a board → amount or score. */
export type Groups = Map<string, Map<string, number>>

/** Merges an effect into those of its key: amounts are added, and of scores the highest counts. */
export function mergeEffect(
  { hashes, boards }: { readonly hashes: Groups; readonly boards: Groups },
  effect: Effect,
): void {
  if (effect.kind === 'hincrby') {
    const fields = groupFor(hashes, effect.key)
    const field = effect.field.toWellFormed()
    fields.set(field, (fields.get(field) ?? 0) + effect.by)
  } else {
    const members = groupFor(boards, effect.key)
    const member = effect.member.toWellFormed()
    members.set(member, Math.max(members.get(member) ?? Number.NEGATIVE_INFINITY, effect.score))
  }
}

/** Returns the group of a name. Redis keeps no half surrogate pair: names that differ only in one are the same there. */
function groupFor(groups: Groups, name: string): Map<string, number> {
  const key = name.toWellFormed()
  const group = groups.get(key) ?? new Map<string, number>()
  groups.set(key, group)
  return group
}
