import type { Keys } from '../../keys.ts'
import type { RawRecord, RecordTimes } from '../../messages.ts'
import type { OrderFormat } from '../../order/format.ts'
import { identityIn } from '../../order/identity.ts'
import { type Rejection, rejectGroups } from '../../reject-codes.ts'
import { type Erasures, noErasures } from '../erasure/erasures.ts'
import type { Stage } from '../placed.ts'
import { type Correct, reject, type Verdict } from '../stage.ts'
import type { FirstVerdict } from './weigh.ts'

/** The stage that decides, for orders of a partition. */
export interface Deciding {
  readonly stage: Stage
  readonly keys: Keys
  readonly format: OrderFormat
  /** Without it, no user is erased. */
  readonly erasures?: Erasures | undefined
}

/** Returns true for a verdict of the first stage on a record that it lets pass. */
export const isFirstVerdict = (verdict: Verdict): verdict is FirstVerdict =>
  verdict.outcome === 'admit' || verdict.outcome === 'correct'

/** Decides a record. A decision that throws, or that cannot be committed, is a bug: it rejects only that record. */
export function decideRecord(
  { stage, keys, format, erasures = noErasures }: Deciding,
  record: object,
  onFailed: (error: unknown) => void,
  times?: RecordTimes,
): Verdict {
  const failed = (error: unknown): Rejection => {
    onFailed(error)
    return { code: 'internal-error', reason: `Stage ${stage.name} failed on this order` }
  }
  try {
    const verdict = stage.decide(record, keys, format, times)
    requireSound(verdict, stage)
    if (stage.isFirst && erasures.has(userOf(verdict, record as RawRecord, format))) return reject(ofErased)
    return verdict.outcome === 'correct' ? guarded(verdict, stage, failed) : verdict
  } catch (error) {
    return reject(failed(error))
  }
}

const ofErased: Rejection = { code: 'erased', reason: rejectGroups.erased }

/** Returns the user of a message; '' where it names none. Only that of a rejected one must be read again. */
const userOf = (verdict: Verdict, { body }: RawRecord, format: OrderFormat): string =>
  isFirstVerdict(verdict) ? verdict.identity.userId : (identityIn(body, format).userId ?? '')

/** Returns a correction whose second half, the decision by what is left of the order, cannot throw either. */
function guarded(verdict: Correct, stage: Stage, failed: (error: unknown) => Rejection): Correct {
  const correct: Correct['correct'] = (standing) => {
    try {
      const found = verdict.correct(standing)
      const { net } = found !== 'done' && 'standing' in found ? found.standing : standing
      if (!Number.isInteger(net)) throw new Error(`${stage.name}: ${net} is no integer`)
      return found
    } catch (error) {
      return failed(error)
    }
  }
  return { ...verdict, correct }
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
