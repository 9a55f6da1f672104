export type KeyKind = 'stream' | 'list' | 'hash' | 'zset' | 'string'

/**
 * The owner of a key's data.
 * - `user`, `order`: of one user, or of orders whose user is known; follows the user to another partition.
 * - `job`: results of one job; follows its partition's other results.
 * - `partition`: of one partition; rewritten by a repartition, deleted with a partition that goes away.
 * - `whole`: of the whole system; under the tag of the first partition, or under a bare name.
 */
export type KeyOwner = 'user' | 'order' | 'job' | 'partition' | 'whole'

export interface KeyDeclaration {
  /** `user:<id>`: a name with a placeholder stands for many keys. */
  readonly name: string
  readonly kind: KeyKind
  readonly owner: KeyOwner
  /** One line for the table of keys. */
  readonly holds: string
  /** True for a key of seconds or minutes, which is not worth moving. */
  readonly transient?: true
}

/** Keeps the name as a literal type, from which the type of the function that makes it follows. */
export const declare = <const D extends KeyDeclaration>(declaration: D): D => declaration
