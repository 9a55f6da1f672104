import type { Partition } from '../../app.ts'
import { aggregate } from '../../stages/aggregate.ts'
import { type Evidence, waits } from '../../stages/evidence.ts'
import { rejectedBy } from '../../stages/pipeline.ts'
import { generationSeconds } from '../../stages/runner/ledger.ts'
import { idMs, isoOf } from '../../time.ts'
import type { Rejected } from './sightings.ts'

/** Whether an order took a step, when (null where that is not known), and how that is known or why it is not. */
export interface Step {
  readonly done: 'yes' | 'no' | 'unknown'
  readonly not_before: string | null
  readonly not_after: string | null
  readonly because: string
}

export interface Steps {
  readonly received: Step
  readonly admitted: Step
  readonly applied: Step
  readonly ranked: Step
}

export function stepsOf(app: Partition, evidence: Evidence): Steps {
  const admitted = admittedStep(app, evidence)
  const applied = appliedStep(evidence, admitted)
  return { received: receivedStep(evidence, admitted), admitted, applied, ranked: rankedStep(evidence, applied) }
}

/** As it stands in the invalid channel, or stood there when it was given up. */
const rejections = ({ invalid, discarded }: Evidence): Rejected[] => [
  ...invalid.found,
  ...discarded.found.map(({ rejected }) => rejected),
]

const never = (because: string): Step => ({ done: 'no', not_before: null, not_after: null, because })
const unknown = (because: string): Step => ({ ...never(because), done: 'unknown' })

function receivedStep(evidence: Evidence, admitted: Step): Step {
  const { raw, valid, invalid, discarded } = evidence
  const traces = [
    ...raw.found.map((sighting) => sighting.record.history?.first_ts ?? isoOf(idMs(sighting.entry.id))),
    ...rejections(evidence).map(({ first_ts, ts }) => first_ts ?? ts),
    ...(admitted.not_after === null ? [] : [admitted.not_after]),
  ]
  const times = traces.map(Date.parse).filter(Number.isFinite)
  if (times.length > 0) {
    const because = 'This is the earliest trace of it that is left.'
    return { done: 'yes', not_before: null, not_after: isoOf(Math.min(...times)), because }
  }
  const whole = [raw, valid, invalid, discarded].every(({ look }) => look.whole)
  const where = whole ? 'It is in none of the streams' : 'It is not in what was looked through of the streams'
  return unknown(`${where}. It may wait in SQS still, which cannot be looked through.`)
}

function admittedStep({ config, keys }: Partition, evidence: Evidence): Step {
  const { known, atMs } = evidence.now
  const lengthMs = generationSeconds(config) * 1_000
  if (!known) {
    if (evidence.now.counted === 0) return never('The ledger does not have it, and its user has no counted order.')
    const from = isoOf((Math.floor(atMs / lengthMs) - 1) * lengthMs)
    return unknown(
      `The ledger does not have it. It goes back to ${from}: what was admitted before is not known any more.`,
    )
  }
  // What a replay put back has an entry that is younger than its admission.
  const entry = evidence.valid.found.find((sighting) => sighting.entry.group === undefined)
  if (entry) {
    const at = isoOf(idMs(entry.entry.id))
    return { done: 'yes', not_before: at, not_after: at, because: `Its entry in ${keys.stream.valid} says when.` }
  }
  const from = known.generation * lengthMs
  // It was in the ledger when another order was refused for it, or when a later stage rejected it.
  const later = rejections(evidence).filter(({ code, stage }) => code === 'conflict' || stage !== undefined)
  return {
    done: 'yes',
    not_before: isoOf(from),
    not_after: isoOf(Math.min(from + lengthMs, atMs, ...later.map(({ id }) => idMs(id)))),
    because: 'The ledger has it, which keeps no time but that of its generation.',
  }
}

function appliedStep(evidence: Evidence, admitted: Step): Step {
  const { valid, invalid, discarded, now, heldBy } = evidence
  if (admitted.done === 'no') return never('It was not admitted.')
  if (valid.found.some((sighting) => waits(heldBy(sighting).filter(({ stage }) => stage === aggregate.name)))) {
    return never(`It waits for ${aggregate.name}.`)
  }
  if (rejections(evidence).some(({ stage }) => stage === aggregate.name)) {
    return never(`The stage ${aggregate.name} rejected it.`)
  }
  if (admitted.done === 'unknown') return unknown('Whether it was admitted is not known.')
  if (valid.found.length === 0 && !valid.look.whole) {
    return unknown(`Whether it waits for ${aggregate.name} is not known: more waits there than is looked through.`)
  }
  const seenAll = invalid.look.whole && discarded.look.whole
  if (!seenAll && (now.counters[rejectedBy(aggregate)] ?? 0) > 0) {
    const told = `The stage ${aggregate.name} has rejected orders, and more are in the invalid channel than are looked through`
    return unknown(`${told}: whether this one is among them is not known.`)
  }
  const because = `It does not wait for ${aggregate.name} any more.`
  return { done: 'yes', not_before: admitted.not_before, not_after: isoOf(now.atMs), because }
}

function rankedStep({ now: { counted, ranked, atMs } }: Evidence, applied: Step): Step {
  if (applied.done === 'no') return never('It was not counted.')
  if (applied.done === 'unknown') return unknown('Whether it was counted is not known.')
  if (counted === 0)
    return unknown('Its user has no counted orders: orders verify --deep tells whether the books are right.')
  if (ranked >= counted) {
    const because = `All ${counted} orders of its user are ranked.`
    return { done: 'yes', not_before: applied.not_before, not_after: isoOf(atMs), because }
  }
  const missing = `${counted - ranked} of ${counted} orders of its user are not ranked yet`
  return unknown(`${missing}; which they are is not kept, so this one may be among them.`)
}
