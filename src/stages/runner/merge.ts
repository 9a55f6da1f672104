import { isAccount } from '../erasure/account.ts'
import type { Effect, Rank } from '../stage.ts'

/** Key of a hash → field → amount. */
export type Amounts = Map<string, Map<string, number>>
/** The first board of a rank → member → the rank. */
export type Ranks = Map<string, Map<string, Rank>>

/** The effects of a batch, merged. */
export interface Effects {
  readonly hashes: Amounts
  readonly ranks: Ranks
  /** key → when it expires, in seconds since 1970 */
  readonly expiries: Map<string, number>
}

export const noEffects = (): Effects => ({ hashes: new Map(), ranks: new Map(), expiries: new Map() })

/**
 * Merges an effect into those before it: amounts are added, and a member is ranked once. An anonymous account, whose score
 * follows from no hash, leaves the boards.
 */
export function mergeEffect({ hashes, ranks, expiries }: Effects, effect: Effect): void {
  if (effect.kind === 'hincrby') {
    const fields = groupFor(hashes, effect.key)
    const field = effect.field.toWellFormed()
    fields.set(field, (fields.get(field) ?? 0) + effect.by)
  } else if (effect.kind === 'expire') {
    expiries.set(effect.key.toWellFormed(), effect.at)
  } else {
    const members = groupFor(ranks, effect.boards[0]?.board ?? '')
    if (members.size === 0 && effect.expiresAt !== undefined) {
      for (const { board } of effect.boards) expiries.set(board.toWellFormed(), effect.expiresAt)
    }
    const { member } = effect
    members.set(member.toWellFormed(), isAccount(member) ? { ...effect, hashes: [] } : effect)
  }
}

/** Returns the group of a name. Redis keeps no half surrogate pair: names that differ only in one are the same there. */
function groupFor<T>(groups: Map<string, Map<string, T>>, name: string): Map<string, T> {
  const key = name.toWellFormed()
  const group = groups.get(key) ?? new Map<string, T>()
  groups.set(key, group)
  return group
}
