import type { Carried, CarriedName } from '../carried.ts'
import type { Keys } from '../keys.ts'
import type { RawRecord, RecordKind, RecordTimes, ValidRecord } from '../messages.ts'
import type { OrderFormat } from '../order/format.ts'
import type { Rejection } from '../reject-codes.ts'

/** A change to Redis that gives the same result in any order, so that consumers may commit in any. Integers within 2^53. */
export type Effect =
  | { readonly kind: 'hincrby'; readonly key: string; readonly field: string; readonly by: number }
  | { readonly kind: 'expire'; readonly key: string; readonly at: number }
  | Rank

/**
 * Sets a member's score on each board to the sum of that board's `fields` over the `hashes`, as they are after the commit.
 * Where the first board's score is not above 0, the member leaves all of them. All ranks on a first board have the same boards.
 */
export interface Rank {
  readonly kind: 'rank'
  readonly member: string
  readonly hashes: readonly string[]
  readonly boards: readonly RankedBy[]
  /** When the boards expire, in seconds since 1970; never without it. */
  readonly expiresAt?: number
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
  /** The undo that took it back, by its tag (see reversal.ts). The rest is as it was before. */
  readonly undoneBy?: string
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
  readonly kind: NonNullable<ValidRecord['correction']>
  /** Pure. Returns `done` if the order stands as the correction would leave it, so that this one repeats another. */
  correct(standing: Standing): Corrected<Out> | Rejection | 'done'
}

/** The channel and kind of the records that a stage passes on. The stream is `orders:<channel>`. */
export interface Passes<Out extends object = object> {
  readonly channel: string
  readonly record: RecordKind<Out>
}

/** Holds what a decision may depend on next to its record. */
export interface DecideContext {
  readonly times: RecordTimes
  /** Fields that the first stage passes on because a later one needs them. */
  readonly carry: readonly CarriedName[]
  /** Says how the order in a message is written. */
  readonly format: OrderFormat
}

/**
 * A stage of the chain is a pure decision about one record. It takes what the stage before it passes on; the first one takes
 * what the bridge writes. The runner owns reading, claiming, batching, committing and stopping.
 * `name` is its consumer group, role and metric label. `counts` names the counter of orders that passed.
 */
export interface StageDefinition<
  In extends object = object,
  Out extends object = object,
  Needs extends CarriedName = CarriedName,
> {
  readonly name: string
  readonly takes: RecordKind<In>
  /** Fields of the order that the record has beyond those of its kind, because this stage needs them. */
  readonly needs?: readonly Needs[]
  /** Absent in the last stage. */
  readonly passes?: Passes<Out>
  readonly counts: string
  /** True for a stage next to the chain (see `defineObserver`). */
  readonly observes?: true
  decide(record: In & Carried<Needs>, keys: Keys, context: DecideContext): Verdict<NoInfer<Out>>
}

/** A definition of a stage of any record types. */
export interface AnyStage {
  readonly name: string
  readonly takes: Pick<RecordKind, 'schema'>
  readonly needs?: readonly CarriedName[] | undefined
  readonly passes?: { readonly channel: string; readonly record: Pick<RecordKind, 'schema'> } | undefined
  readonly counts: string
  readonly observes?: true | undefined
  decide(record: never, keys: Keys, context: DecideContext): Verdict
}

/**
 * The list itself if each stage takes what the one before it in the chain passes on; else a type that names the stage that
 * does not fit.
 */
export type Fitting<List extends readonly AnyStage[], In = RawRecord> = List extends readonly [
  infer One extends AnyStage,
  ...infer Rest extends readonly AnyStage[],
]
  ? One extends { readonly takes: RecordKind<infer Taken> }
    ? [In] extends [Taken]
      ? readonly [One, ...Fitting<Rest, PassedOn<One, In>>]
      : readonly [{ readonly name: One['name']; readonly takes: Taken; readonly isGiven: In }, ...Rest]
    : never
  : List

type PassedOn<One, In> = One extends { readonly observes: true }
  ? In
  : One extends { readonly passes?: Passes<infer Out> }
    ? Out
    : never

/** Defines a stage of the chain. */
export function defineStage<In extends object, Out extends object = never, Needs extends CarriedName = never>(
  stage: StageDefinition<In, Out, Needs>,
): StageDefinition<In, Out, Needs> {
  return stage
}

/** A stage that reads what the nearest stage before it, other than an observer, passes on, and keeps effects of its own. */
export interface ObserverDefinition<In extends object, Needs extends CarriedName> {
  readonly name: string
  readonly takes: RecordKind<In>
  readonly needs?: readonly Needs[]
  readonly counts: string
  decide(record: In & Carried<Needs>, keys: Keys, context: DecideContext): readonly Effect[]
}

/**
 * Defines a stage next to the chain. In the list it comes after the stage whose records it reads. It cannot reject an order or
 * pass one on.
 */
export function defineObserver<In extends object, Needs extends CarriedName = never>(
  observer: ObserverDefinition<In, Needs>,
): StageDefinition<In, never, Needs> & { readonly observes: true } {
  return {
    ...observer,
    observes: true,
    decide: (record, keys, context) => ({ outcome: 'pass', effects: observer.decide(record, keys, context) }),
  }
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
export const rank = (
  member: string,
  hashes: readonly string[],
  boards: readonly RankedBy[],
  expiresAt?: number,
): Effect => ({ kind: 'rank', member, hashes, boards, ...(expiresAt !== undefined && { expiresAt }) })
