export type KeyKind = 'stream' | 'list' | 'hash' | 'zset' | 'string'

/**
 * The owner of a key's data.
 * - `user`, `order`: of one user, or of orders whose user is known; follows the user to another partition.
 * - `job`: results of one job; follows its partition's other results.
 * - `partition`: of one partition; rewritten by a repartition, deleted with a partition that goes away.
 * - `whole`: of the whole system; under the tag of the first partition, or under a bare name.
 */
export type KeyOwner = 'user' | 'order' | 'job' | 'partition' | 'whole'

/**
 * How an erasure removes a user from a key (see src/stages/erasure/places.ts).
 * - `none`: it names no user. `hashes`: it has hashes of identities only.
 * - `totals`: numbers of the user, which move to an anonymous account.
 * - `stages`: the stages write it, and name no erased user; entries from before are trimmed.
 * - `shadow`: what a flip has kept. An erasure deletes it.
 * - any other: the place of that name removes or redacts the records.
 */
export type KeyErasure =
  | ('none' | 'hashes' | 'totals' | 'stages' | 'shadow')
  | ('invalid' | 'discarded' | 'outcomes' | 'audit')

export interface KeyDeclaration {
  /** `user:<id>`: a name with a placeholder stands for many keys. */
  readonly name: string
  readonly kind: KeyKind
  readonly owner: KeyOwner
  readonly erase: KeyErasure
  /** One line for the table of keys. */
  readonly holds: string
  /** True for a key of seconds or minutes, which is not worth moving. */
  readonly transient?: true
}

/** Keeps the name as a literal type, from which the type of the function that makes it follows. */
export const declare = <const D extends KeyDeclaration>(declaration: D): D => declaration
