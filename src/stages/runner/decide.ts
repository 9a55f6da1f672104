import type { Keys } from '../../keys.ts'
import type { OrderFormat } from '../../order/format.ts'
import type { Stage } from '../placed.ts'
import type { RecordTimes, Verdict } from '../stage.ts'
import type { FirstVerdict } from './weigh.ts'

/** The stage that decides, for orders of a partition. */
export interface Deciding {
  readonly stage: Stage
  readonly keys: Keys
  readonly format: OrderFormat
}

/** Returns true for a verdict of the first stage on a record that it lets pass. */
export const isFirstVerdict = (verdict: Verdict): verdict is FirstVerdict =>
  verdict.outcome === 'admit' || verdict.outcome === 'correct'

/** Decides a record. A decision that throws, or that cannot be committed, is a bug: it rejects only that record. */
export function decideRecord(
  { stage, keys, format }: Deciding,
  record: object,
  onFailed: (error: unknown) => void,
  times?: RecordTimes,
): Verdict {
  try {
    const verdict = stage.decide(record, keys, format, times)
    requireSound(verdict, stage)
    return verdict
  } catch (error) {
    onFailed(error)
    return { outcome: 'reject', code: 'internal-error', reason: `Stage ${stage.name} failed on this order` }
  }
}

/** Throws if a verdict cannot be committed: the script could not undo its effects when it finds the mistake. */
function requireSound(verdict: Verdict, stage: Stage): void {
  if (verdict.outcome === 'reject') return
  if (isFirstVerdict(verdict) !== stage.isFirst) {
    throw new Error(`${stage.name}: the first stage admits, and no other does`)
  }
  if (isFirstVerdict(verdict)) return
  for (const effect of verdict.effects) {
    if (effect.kind === 'hincrby' && !Number.isInteger(effect.by)) {
      throw new Error(`${stage.name}: ${effect.by} is no integer`)
    }
  }
  if (!('totals' in verdict)) return
  const { key } = verdict.totals
  if (!verdict.effects.some((effect) => effect.kind === 'hincrby' && effect.key === key)) {
    throw new Error(`${stage.name}: ${key} is in totals and in no effect`)
  }
}
