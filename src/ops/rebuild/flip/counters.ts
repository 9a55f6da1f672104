import { aggregate, correctionsCounter } from '../../../stages/aggregate.ts'
import type { Pipeline, Stage } from '../../../stages/placed.ts'

/** By counter, how much a flip adds to it in a partition. */
export type CounterChanges = ReadonlyMap<string, number>

/** Counts what a stage has not processed in a partition: passed before it was added, written off as lost, or missing. */
export interface Unprocessed {
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
  readonly unprocessed: ReadonlyMap<string, Unprocessed>
}

/**
 * Returns how the counters change in each partition, so that the books balance after a flip as they did before.
 * - What a stage gets of the archive was missed by it, lost or missing; its counter says so now.
 * - What nothing of this explains came from another Redis: it counts as received and admitted too, by all stages.
 * Counters of a partition do not say which of its records were corrections once it was moved. So the corrections among what is
 * added count in the first partition.
 * @param lacks by stage, how many records it lacks in all partitions together
 */
export function counterChanges(
  pipeline: Pipeline,
  built: readonly Stage[],
  lacks: ReadonlyMap<string, number>,
  changes: readonly Change[],
): CounterChanges[] {
  const left = new Map(built.map(({ name }) => [name, Math.max(0, lacks.get(name) ?? 0)]))
  const orders = changes.reduce((sum, change) => sum + change.lacks + change.surplus, 0)
  const corrections = lacks.has(aggregate.name) ? (lacks.get(aggregate.name) ?? 0) - orders : 0
  return changes.map((change, at) => {
    const add = new Map<string, number>()
    const plus = (counter: string, by: number): void => {
      if (by !== 0) add.set(counter, (add.get(counter) ?? 0) + by)
    }
    const raised = raiseAggregate(pipeline, built, { ...change, corrections: at === 0 ? corrections : 0 }, plus)
    for (const stage of pipeline.stages) {
      if (stage.isFirst || stage.name === aggregate.name) continue
      const isAfter = stage.from === pipeline.stage(aggregate.name)?.to
      if (isAfter) {
        plus(stage.counts, raised.counted)
      } else if (built.includes(stage)) {
        const takes = absorb(change.unprocessed.get(stage.name), left.get(stage.name) ?? 0)
        left.set(stage.name, (left.get(stage.name) ?? 0) - takes.missed - takes.lost - takes.missing)
        plus(stage.counters.missed, -takes.missed)
        plus(stage.counters.lost, -takes.lost)
        plus(stage.counts, takes.missed + takes.lost + takes.missing + raised.admitted)
      } else plus(stage.counters.missed, raised.admitted)
    }
    return add
  })
}

/** Books what aggregate gets. @returns by how much it has counted more, and by how much the first stage has admitted more */
function raiseAggregate(
  pipeline: Pipeline,
  built: readonly Stage[],
  { lacks, surplus, unprocessed, corrections }: Change & { readonly corrections: number },
  plus: (counter: string, by: number) => void,
): { counted: number; admitted: number } {
  const stage = built.find(({ name }) => name === aggregate.name)
  const counted = stage ? lacks + surplus + corrections : 0
  if (!stage || counted === 0) return { counted: 0, admitted: 0 }
  const takes = absorb(unprocessed.get(stage.name), Math.max(0, counted))
  const admitted = counted - takes.missed - takes.lost - takes.missing
  plus(stage.counters.missed, -takes.missed)
  plus(stage.counters.lost, -takes.lost)
  plus(stage.counts, counted)
  plus(correctionsCounter, corrections)
  plus('received', admitted)
  plus(pipeline.first.counts, admitted)
  return { counted, admitted }
}

function absorb(
  { missed, lost, missing }: Unprocessed = { missed: 0, lost: 0, missing: 0 },
  records: number,
): Unprocessed {
  const ofMissed = Math.min(records, missed)
  const ofLost = Math.min(records - ofMissed, lost)
  return { missed: ofMissed, lost: ofLost, missing: Math.min(records - ofMissed - ofLost, missing) }
}
