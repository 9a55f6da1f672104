import type { z } from 'zod'
import type { CarriedName } from '../carried.ts'
import type { Keys } from '../keys.ts'
import type { RecordTimes } from '../messages.ts'
import type { OrderFormat } from '../order/format.ts'
import type { Verdict } from './stage.ts'

/* All that follows from the order of the stages in a pipeline. */

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
