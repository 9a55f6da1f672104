import { aggregate, correctionsCounter } from '../../../stages/aggregate.ts'
import type { Pipeline, Stage } from '../../../stages/placed.ts'

/** By counter, how much a flip adds to it in a partition. */
export type CounterChanges = ReadonlyMap<string, number>

/** Counts what a stage has not counted in a partition: rejected, passed before it was added, written off as lost, or missing. */
export interface Uncounted {
  readonly rejected: number
  readonly missed: number
  readonly lost: number
  readonly missing: number
}

/** How the numbers of a partition change. */
export interface Change {
  /** Orders that the global stats lack, and those that they have and the counter of aggregate does not. */
  readonly lacks: number
  readonly surplus: number
  /** By stage. */
  readonly uncounted: ReadonlyMap<string, Uncounted>
}

type Plus = (counter: string, by: number) => void

/**
 * Returns how the counters change in each partition, so that the books balance after a flip as they did before.
 * - What a stage gets of the archive was rejected or missed by it, lost or missing; its counter says so now. What was rejected
 *   comes first: the archive has it, but may have begun after what was missed.
 * - What nothing of this explains came from another Redis: it counts as received and admitted too, by all stages.
 * Counters of a partition do not say which of its records were corrections once it was moved. So the corrections among what is
 * added count in the first partition. Nor do orders that were rejected take their counter along: where they count in another
 * partition than they were rejected in, that one has admitted more, and this one fewer.
 * @param lacks by stage, how many records it lacks in all partitions together
 */
export function counterChanges(
  pipeline: Pipeline,
  built: readonly Stage[],
  lacks: ReadonlyMap<string, number>,
  changes: readonly Change[],
): CounterChanges[] {
  const left = new Map(built.map(({ name }) => [name, Math.max(0, lacks.get(name) ?? 0)]))
  const takeRejected = (name: string, { uncounted }: Change): number => {
    const taken = Math.min(left.get(name) ?? 0, uncounted.get(name)?.rejected ?? 0)
    left.set(name, (left.get(name) ?? 0) - taken)
    return taken
  }
  const all = changes.map((change) => new Map(built.map(({ name }) => [name, takeRejected(name, change)])))
  const orders = changes.reduce((sum, change) => sum + change.lacks + change.surplus, 0)
  const corrections = lacks.has(aggregate.name) ? (lacks.get(aggregate.name) ?? 0) - orders : 0
  return changes.map((change, at) => {
    const add = new Map<string, number>()
    const plus: Plus = (counter, by) => {
      if (by !== 0) add.set(counter, (add.get(counter) ?? 0) + by)
    }
    const own = { ...change, corrections: at === 0 ? corrections : 0, rejected: all[at] ?? new Map() }
    const raised = raiseAggregate(pipeline, built, own, plus)
    for (const stage of pipeline.stages) {
      if (stage.isFirst || stage.name === aggregate.name) continue
      const isAfter = stage.from === pipeline.stage(aggregate.name)?.to
      if (isAfter) {
        plus(stage.counts, raised.counted)
      } else if (built.includes(stage)) {
        const rejected = own.rejected.get(stage.name) ?? 0
        const others = absorb(stage, change, left.get(stage.name) ?? 0, plus)
        left.set(stage.name, (left.get(stage.name) ?? 0) - others)
        plus(stage.counters.rejected, -rejected)
        plus(stage.counts, rejected + others + raised.admitted)
      } else plus(stage.counters.missed, raised.admitted)
    }
    return add
  })
}

interface OwnChange extends Change {
  readonly corrections: number
  /** By stage, how many orders that it rejected count now. */
  readonly rejected: ReadonlyMap<string, number>
}

/** Books what aggregate gets. @returns by how much it has counted more, and by how much the first stage has admitted more */
function raiseAggregate(
  pipeline: Pipeline,
  built: readonly Stage[],
  change: OwnChange,
  plus: Plus,
): { counted: number; admitted: number } {
  const stage = built.find(({ name }) => name === aggregate.name)
  if (!stage) return { counted: 0, admitted: 0 }
  const { lacks, surplus, corrections } = change
  const counted = lacks + surplus + corrections
  const rejected = change.rejected.get(stage.name) ?? 0
  const admitted = counted - rejected - absorb(stage, change, Math.max(0, counted - rejected), plus)
  plus(stage.counters.rejected, -rejected)
  plus(stage.counts, counted)
  plus(correctionsCounter, corrections)
  plus('received', admitted)
  plus(pipeline.first.counts, admitted)
  return { counted, admitted }
}

/** Takes records from what a stage has missed, lost or misses. @returns how many of them are explained so */
function absorb({ name, counters }: Stage, { uncounted }: Change, records: number, plus: Plus): number {
  const { missed = 0, lost = 0, missing = 0 } = uncounted.get(name) ?? {}
  const ofMissed = Math.min(records, missed)
  const ofLost = Math.min(records - ofMissed, lost)
  plus(counters.missed, -ofMissed)
  plus(counters.lost, -ofLost)
  return ofMissed + ofLost + Math.min(records - ofMissed - ofLost, missing)
}
