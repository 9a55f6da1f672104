import type { CorrectionKind } from '../messages.ts'
import type { Rejection } from '../reject-codes.ts'

/* Decisions of a stage about a record, and the functions that make them. */

/** A change to Redis that gives the same result in any order, so that consumers may commit in any. Integers within 2^53. */
export type Effect =
  | { readonly kind: 'hincrby'; readonly key: string; readonly field: string; readonly by: number }
  | { readonly kind: 'expire'; readonly key: string; readonly at: number }
  | Rank

/**
 * Sets a member's score on each board to the sum of that board's `fields` over the `hashes`, as they are after the commit.
 * Where the first board's score is not above 0, the member leaves all of them.
 */
export interface Rank {
  readonly kind: 'rank'
  readonly member: string
  readonly hashes: readonly string[]
  readonly boards: readonly RankedBy[]
}

export interface RankedBy {
  readonly board: string
  readonly fields: readonly string[]
}

/** Identifies an order, with a fingerprint that distinguishes two payloads of it. */
export interface Identity {
  readonly userId: string
  readonly orderId: string
  readonly minor: number
  readonly fingerprint: string
}

/** Identifies a correction of an order, with a fingerprint that distinguishes two payloads of it. */
export interface CorrectionIdentity {
  readonly userId: string
  readonly orderId: string
  readonly eventId: string
  readonly fingerprint: string
}

/** The rest of an admitted order. */
export interface Standing {
  /** As it was admitted, in minor units. */
  readonly minor: number
  /** After its corrections. */
  readonly net: number
  readonly isCancelled: boolean
}

/** A correction that is possible: what it leaves of the order, and the record for the next stage. */
export interface Corrected<Out extends object = object> {
  readonly standing: Standing
  readonly emit: Out
}

/**
 * `emit` is one record for the next stage. `totals` is one record per `key` and batch: `head`, the number of orders
 * merged into it, and the values after the commit of those fields of the hash that the batch added to.
 */
export type Passed<Out extends object = object> = { readonly effects: readonly Effect[] } & (
  | { readonly emit: Out }
  | { readonly totals: { readonly key: string; readonly head: object } }
  | object
)

/** A stage's decision about one record. */
export type Verdict<Out extends object = object> =
  | { readonly outcome: 'admit'; readonly identity: Identity; readonly emit: Out }
  | Correct<Out>
  | (Passed<Out> & { readonly outcome: 'pass' })
  | ({ readonly outcome: 'reject' } & Rejection)

/** Corrects an order that was admitted before, by what is left of it. */
export interface Correct<Out extends object = object> {
  readonly outcome: 'correct'
  readonly identity: CorrectionIdentity
  /** The counter `corrected:<kind>`. */
  readonly kind: CorrectionKind
  /** Pure. Returns `done` if the order stands as the correction would leave it, so that this one repeats another. */
  correct(standing: Standing): Corrected<Out> | Rejection | 'done'
}

export const admit = <Out extends object>(identity: Identity, emit: Out): Verdict<Out> => ({
  outcome: 'admit',
  identity,
  emit,
})
export const correct = <Out extends object>(correction: Omit<Correct<Out>, 'outcome'>): Verdict<Out> => ({
  outcome: 'correct',
  ...correction,
})
export const pass = <Out extends object = never>(passed: Passed<Out>): Verdict<Out> => ({ outcome: 'pass', ...passed })
export const reject = (rejection: Rejection): Verdict<never> => ({ outcome: 'reject', ...rejection })

/** Adds to a hash field. */
export const hincrby = (key: string, field: string, by: number): Effect => ({ kind: 'hincrby', key, field, by })
/** Lets a key expire at a time in seconds since 1970. It is set when a commit makes the key, so an effect must write to it. */
export const expire = (key: string, at: number): Effect => ({ kind: 'expire', key, at })
/** Ranks a member by fields of hashes. */
export const rank = (member: string, hashes: readonly string[], boards: readonly RankedBy[]): Effect => ({
  kind: 'rank',
  member,
  hashes,
  boards,
})
