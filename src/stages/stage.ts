import type { Keys } from '../keys.ts'
import type { ChannelName, RecordOf, Rejection } from '../messages.ts'

/** A change to Redis that commutes with itself, so that consumers may commit in any order. Integers within 2^53. */
export type Effect =
  | { readonly kind: 'hincrby'; readonly key: string; readonly field: string; readonly by: number }
  | { readonly kind: 'zaddGt'; readonly key: string; readonly member: string; readonly score: number }

/** What makes two messages the same order, and a fingerprint that tells the same payload from another. */
export interface Identity {
  readonly userId: string
  readonly orderId: string
  readonly minor: number
  readonly fingerprint: string
}

/**
 * `emit` is one record for the next stage. `totals` is one record per `key` and batch: `head`, the number of orders
 * merged into it, and what those fields of the hash that the batch added to are after the commit.
 */
export type Passed = { readonly effects: readonly Effect[] } & (
  | { readonly emit: object }
  | { readonly totals: { readonly key: string; readonly head: object } }
  | object
)

/** What a stage decides about one record. */
export type Verdict =
  | { readonly outcome: 'admit'; readonly identity: Identity; readonly emit: object }
  | (Passed & { readonly outcome: 'pass' })
  | ({ readonly outcome: 'reject' } & Rejection)

/**
 * A stage is a pure decision about one record; the runner owns reading, claiming, batching, committing and stopping.
 * `name` is its consumer group, role and metric label. `counts` names the counter of orders that passed.
 */
export interface Stage<C extends ChannelName = ChannelName> {
  readonly name: string
  readonly from: C
  readonly to?: ChannelName
  readonly counts: string
  decide(record: RecordOf[C], keys: Keys): Verdict
}

export function defineStage<C extends ChannelName>(stage: Stage<C>): Stage<C> {
  return stage
}

export const admit = (identity: Identity, emit: object): Verdict => ({ outcome: 'admit', identity, emit })
export const pass = (passed: Passed): Verdict => ({ outcome: 'pass', ...passed })
export const reject = (rejection: Rejection): Verdict => ({ outcome: 'reject', ...rejection })

/** Adds to a hash field. */
export const hincrby = (key: string, field: string, by: number): Effect => ({ kind: 'hincrby', key, field, by })
/** Sets a member's score unless it has a greater one. */
export const zaddGt = (key: string, member: string, score: number): Effect => ({ kind: 'zaddGt', key, member, score })
