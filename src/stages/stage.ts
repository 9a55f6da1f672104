import type { z } from 'zod'
import type { Keys } from '../keys.ts'
import type { Carried, CarriedName, RawRecord, RecordKind } from '../messages.ts'
import type { OrderFormat } from '../order/format.ts'
import type { Effect, Verdict } from './verdict.ts'

/** Next to the definition of a stage, its file needs these. */
export { expire, hincrby, pass, rank, reject } from './verdict.ts'

/** The channel and kind of the records that a stage passes on. The stream is `orders:<channel>`. */
export interface Passes<Out extends object = object> {
  readonly channel: string
  readonly record: RecordKind<Out>
}

/** Times of a record, in ms. */
export interface RecordTimes {
  /** When it was sent to SQS; when its entry was written, where that is not known. */
  readonly sentMs: number
  /** When it is decided. */
  readonly nowMs: number
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

/** A stage at its place in a pipeline. */
export interface Stage {
  readonly name: string
  readonly counts: string
  /** Name of the channel that it reads, and of the one that it writes. */
  readonly from: string
  readonly to?: string
  /** Fields of the order that its output carries because a later stage needs them. */
  readonly carries: readonly CarriedName[]
  /** True if it reads orders from outside, and so admits them and keeps the ledger. */
  readonly isFirst: boolean
  readonly isObserver: boolean
  readonly counters: StageCounters
  /** @param times not needed where a dry run asks for the outcome alone */
  decide(record: object, keys: Keys, format: OrderFormat, times?: RecordTimes): Verdict
}

/** A channel of a pipeline: the records on its stream, and the stages that read it. */
export interface Channel {
  readonly name: string
  /** Parses the records of an entry. */
  readonly batch: z.ZodType<object[]>
  isPlain(value: Readonly<Record<string, unknown>>): boolean
  orders(record: object): number
  text(record: object): string
  /** Parses one record. */
  readonly record: z.ZodType<object>
  /** Says whether each of its records names an order, a user, or neither. */
  readonly names: 'order' | 'user' | 'neither'
  readonly readers: readonly Stage[]
  /** The stage that writes it; undefined if the bridge does. */
  readonly writer: Stage | undefined
}

/** Names of the counters by which the books of a stage are kept: in = out + missed + lost + waiting. */
export interface StageCounters {
  /** Orders that came in: from the stage before, and from other clients that wrote to its stream. */
  readonly in: readonly string[]
  /** Orders, and corrections, that another stage or the bridge passed on to it. */
  readonly inflow: readonly string[]
  /** Those that it has processed: passed, rejected and, in the first stage, corrections and duplicates. */
  readonly outflow: readonly string[]
  /** Orders that it rejected. The first stage's is `rejected`, as in received = admitted + corrected + duplicates + rejected. */
  readonly rejected: string
  /** Orders that had passed before the stage was added to the pipeline. */
  readonly missed: string
  /** Orders that were deleted from its stream before it had committed them, once written off. */
  readonly lost: string
  /** Orders that a foreign client put on its stream. */
  readonly foreign: string
  /** Orders that are counted when the stage commits them, because they were not counted when they were written. */
  readonly found: string
}

/** Stages in order, and what follows from their order. Immutable. */
export interface Pipeline {
  readonly stages: readonly Stage[]
  /** The stages that an order passes, without observers. */
  readonly chain: readonly Stage[]
  readonly first: Stage
  readonly names: readonly string[]
  /** In the order of the chain. */
  readonly channels: readonly Channel[]
  /** The components that can be paused: the bridge and the stages. */
  readonly components: readonly string[]
  /** Names of the counters that never decrease. A replay subtracts what a later stage rejected, so that is not among them. */
  readonly growing: readonly string[]
  /** Returns the pipeline without one of its observers. */
  without(name: string): Pipeline
  /** Returns the stage with that name, if it exists. */
  stage(name: string): Stage | undefined
  /** Returns a channel. @throws Error if this pipeline has none with that name */
  channel(name: string): Channel
}
