import { messageOf, OrdersError } from '../../errors.ts'
import { type Keys, makeKeys } from '../../keys.ts'
import type { RecordTimes, ValidRecord } from '../../messages.ts'
import type { OrderFormat } from '../../order/format.ts'
import { aggregate } from '../../stages/aggregate.ts'
import { calendar } from '../../stages/calendar.ts'
import type { Stage } from '../../stages/placed.ts'
import { decideRecord } from '../../stages/runner/decide.ts'
import { type Amounts, type Effects, mergeEffect, noEffects } from '../../stages/runner/merge.ts'
import { hincrby } from '../../stages/stage.ts'

/** The stages whose numbers are built, and how orders are read. */
export interface Planning {
  readonly stages: readonly Stage[]
  /** The first stage: it reads again from a body what a stage needs of it. */
  readonly first: Stage
  readonly format: OrderFormat
}

/** A record, the id of its entry, and its times. */
export interface Timed {
  readonly record: object
  readonly entry: string
  readonly times: RecordTimes
}

/** Stages whose scores follow from hashes by name (see ranks.ts). */
const ranked: readonly string[] = [aggregate.name, calendar.name]

/**
 * Decides records as the stages do, and merges the effects. Counts them in the books of each stage. Pure.
 * @param keys of the shadow
 * @throws OrdersError ORD_BOOKS if a stage fails on a record, or rejects it
 */
export function planRecords({ stages, first, format }: Planning, keys: Keys, records: readonly Timed[]): Effects {
  const effects = noEffects()
  for (const stage of stages) {
    const isOwn = !ranked.includes(stage.name)
    for (const { record, entry, times } of records) {
      const full = isOwn ? { ...fieldsOf(first, record, format), ...record } : record
      const verdict = decideRecord(
        { stage, keys, format },
        full,
        (error) => fail(stage, { record, entry }, error),
        times,
      )
      if (verdict.outcome !== 'pass') return fail(stage, { record, entry })
      for (const effect of verdict.effects) {
        if (effect.kind !== 'rank' || isOwn) mergeEffect(effects, effect)
      }
    }
    if (records.length > 0) mergeEffect(effects, hincrby(keys.counters, stage.counts, records.length))
  }
  return effects
}

function fail({ name }: Stage, { record, entry }: Pick<Timed, 'record' | 'entry'>, cause?: unknown): never {
  const { user_id, order_id } = record as Partial<ValidRecord>
  const where = `the order ${JSON.stringify(order_id)} of ${JSON.stringify(user_id)} in the entry ${entry}`
  const how = cause === undefined ? 'does not pass' : 'fails on'
  const why = cause === undefined ? '' : ` ${messageOf(cause)}.`
  throw new OrdersError('ORD_BOOKS', `${name} ${how} ${where}.${why} Correct the stage, and run this again.`, { cause })
}

/** A message of the archive is where its user is, in whichever partition it was. */
const anywhere = makeKeys()

/** Returns what the first stage passes on of a body. A stage that was added later may need more than was passed on then. */
function fieldsOf(first: Stage, record: object, format: OrderFormat): object {
  const { body } = record as { readonly body?: unknown }
  if (typeof body !== 'string') return {}
  const verdict = first.decide({ id: 'archive', body }, anywhere, format)
  if (verdict.outcome === 'admit') return verdict.emit
  if (verdict.outcome !== 'correct') return {}
  const corrected = verdict.correct({ minor: 0, net: Number.MAX_SAFE_INTEGER, isCancelled: false })
  return corrected !== 'done' && 'emit' in corrected ? corrected.emit : {}
}

/** Adds amounts to others. @param times -1 to take them away */
export function addAmounts(to: Amounts, amounts: Amounts, times: 1 | -1): void {
  for (const [key, fields] of amounts) {
    const sums = to.get(key) ?? new Map<string, number>()
    to.set(key, sums)
    for (const [field, by] of fields) sums.set(field, (sums.get(field) ?? 0) + times * by)
  }
}
