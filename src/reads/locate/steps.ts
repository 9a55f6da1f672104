import type { PartitionScope } from '../../app.ts'
import { aggregate, type Totals } from '../../stages/aggregate.ts'
import { isRanked } from '../../stages/leaderboard.ts'
import type { Pipeline, Stage } from '../../stages/placed.ts'
import { generationSeconds } from '../../stages/runner/ledger.ts'
import { idMs, isoOf } from '../../stream-id.ts'
import { type Evidence, waits } from './evidence.ts'
import type { Sent } from './sent.ts'
import type { Rejected } from './sightings.ts'

/** One step of an order: whether it happened, when (null if unknown), and why that is known or not. */
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

export function stepsOf(scope: PartitionScope, evidence: Evidence, sent: readonly Sent[] = []): Steps {
  const admitted = sinceSent(admittedStep(scope, evidence), sent)
  const applied = appliedStep(scope, evidence, admitted)
  return { received: receivedStep(evidence, admitted), admitted, applied, ranked: rankedStep(evidence, applied) }
}

/** Returns its rejections: those in the invalid channel, and those that were discarded. */
const rejections = ({ invalid, discarded }: Evidence): Rejected[] => [
  ...invalid.found,
  ...discarded.found.map(({ rejected }) => rejected),
]

const never = (because: string): Step => ({ done: 'no', not_before: null, not_after: null, because })
const unknown = (because: string): Step => ({ ...never(because), done: 'unknown' })

function receivedStep(evidence: Evidence, admitted: Step): Step {
  const { raw, invalid, discarded } = evidence
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
  const whole = [raw, ...evidence.admitted, invalid, discarded].every(({ scan }) => scan.whole)
  const where = whole ? 'It is in none of the streams' : 'It is not in the scanned part of the streams'
  return unknown(`${where}. It may still wait in SQS, which cannot be searched.`)
}

function admittedStep({ config, keys }: PartitionScope, evidence: Evidence): Step {
  const { known, atMs } = evidence.now
  const lengthMs = generationSeconds(config) * 1_000
  if (!known) {
    if (!evidence.now.counted) return never('The ledger does not have it, and its user has no counted order.')
    const from = isoOf((Math.floor(atMs / lengthMs) - 1) * lengthMs)
    return unknown(`The ledger does not have it. It goes back to ${from}: orders admitted earlier are no longer known.`)
  }
  // The entry of a replayed order is younger than its admission.
  const entry = evidence.admitted[0]?.found.find((sighting) => sighting.entry.group === undefined)
  if (entry) {
    const at = isoOf(idMs(entry.entry.id))
    return {
      done: 'yes',
      not_before: at,
      not_after: at,
      because: `Its entry in ${keys.stream(entry.channel)} says when.`,
    }
  }
  const from = known.admittedIn === undefined ? undefined : known.admittedIn * lengthMs
  const to = from === undefined ? atMs : Math.min(from + lengthMs, atMs)
  // It was already in the ledger when another order conflicted with it, or when a later stage rejected it.
  const later = rejections(evidence).filter(({ code, stage }) => code === 'conflict' || stage !== undefined)
  return {
    done: 'yes',
    not_before: from === undefined ? null : isoOf(from),
    not_after: isoOf(Math.min(to, ...later.map(({ id }) => idMs(id)))),
    because:
      from === undefined
        ? 'The ledger has it as it was corrected, and no longer as it was admitted.'
        : 'The ledger has it, and keeps no exact times.',
  }
}

/** An order that a job sent, and that was admitted by its verdict, was not admitted before it was sent. */
function sinceSent(step: Step, sent: readonly Sent[]): Step {
  const { at } = sent.find(({ verdict }) => verdict === 'admitted') ?? {}
  const { done, not_before, not_after } = step
  if (done !== 'yes' || at === undefined || not_before === null || not_after === null) return step
  return at > not_before && at < not_after ? { ...step, not_before: at } : step
}

/** An admitted order is counted once every stage up to aggregate has processed it and none has rejected it. */
function appliedStep({ pipeline }: PartitionScope, evidence: Evidence, admitted: Step): Step {
  const { invalid, discarded, now } = evidence
  if (admitted.done === 'no') return never('It was not admitted.')
  const path = stagesUpTo(pipeline, aggregate.name)
  const waiting = path.find(({ name }) => waitsFor(evidence, name))
  if (waiting) return never(`It waits for ${waiting.name}.`)
  const rejecting = path.find(({ name }) => rejections(evidence).some(({ stage }) => stage === name))
  if (rejecting) return never(`The stage ${rejecting.name} rejected it.`)
  const former = rejections(evidence).find(({ stage }) => stage !== undefined && !pipeline.stage(stage))
  if (former) return formerStep(former)
  if (now.otherList !== undefined) return unknown(now.otherList)
  if (admitted.done === 'unknown') return unknown('Whether it was admitted is not known.')
  const unseen = path.find((_, at) => evidence.admitted[at]?.scan.whole === false)
  if (unseen && evidence.admitted.every(({ found }) => found.length === 0)) {
    return unknown(`Whether it waits for ${unseen.name} is not known: more orders wait there than were scanned.`)
  }
  const seenAll = invalid.scan.whole && discarded.scan.whole
  const mayReject = seenAll ? undefined : rejectingIn(pipeline, path, now.counters)
  if (mayReject !== undefined) {
    const found = `The stage ${mayReject} has rejected orders, and the invalid channel has more entries than were scanned`
    return unknown(`${found}: whether this one is among them is not known.`)
  }
  const because = `It does not wait for ${aggregate.name} any more.`
  return { done: 'yes', not_before: admitted.not_before, not_after: isoOf(now.atMs), because }
}

/** Judges by a rejection of a stage that the list does not have. An observer rejects only when it fails, and keeps no order back. */
function formerStep({ code, stage }: Rejected): Step {
  const which = `The stage ${stage}, which is not in this list of stages,`
  if (code !== 'internal-error') return never(`${which} rejected it.`)
  return unknown(`${which} failed on it: whether that kept it from being counted is not known.`)
}

/** Returns the name of a stage of the path, or of one that the list does not have, that has rejected orders. */
function rejectingIn(
  pipeline: Pipeline,
  path: readonly Stage[],
  counters: Readonly<Record<string, number>>,
): string | undefined {
  const suffix = ':rejected'
  const known = path.find((stage) => (counters[stage.counters.rejected] ?? 0) > 0)
  if (known) return known.name
  const names = Object.keys(counters).filter((name) => name.endsWith(suffix) && (counters[name] ?? 0) > 0)
  return names.map((name) => name.slice(0, -suffix.length)).find((name) => !pipeline.stage(name))
}

/** Returns the stages of the chain after the first, up to the one with that name. */
function stagesUpTo({ chain }: Pipeline, name: string): readonly Stage[] {
  return chain.slice(1, chain.findIndex((stage) => stage.name === name) + 1)
}

function waitsFor({ admitted, heldBy }: Evidence, name: string): boolean {
  const sightings = admitted.flatMap(({ found }) => found)
  return sightings.some((sighting) => waits(heldBy(sighting).filter(({ stage }) => stage === name)))
}

function rankedStep({ now: { counted, ranked, atMs } }: Evidence, applied: Step): Step {
  if (applied.done === 'no') return never('It was not counted.')
  if (applied.done === 'unknown') return unknown('Whether it was counted is not known.')
  if (!counted) return unknown('Its user has no counted orders: run orders verify --deep to check the books.')
  const isRight = isRanked(counted.orders)
    ? ranked?.orders === counted.orders && ranked.minor === counted.minor
    : !ranked
  if (isRight)
    return { done: 'yes', not_before: applied.not_before, not_after: isoOf(atMs), because: rankedText(counted) }
  const open = counted.orders - (ranked?.orders ?? 0)
  if (open < 1)
    return unknown(
      'The scores of its user are not those of the totals. If that stays so, orders verify --deep says why.',
    )
  const missing = `${open} of ${counted.orders} orders of its user ${open === 1 ? 'is' : 'are'} not ranked yet`
  return unknown(`${missing}; this one may be among them.`)
}

function rankedText({ orders }: Totals): string {
  if (!isRanked(orders)) return 'Its user has no order left, and so no rank.'
  return orders === 1 ? 'The one order of its user is ranked.' : `All ${orders} orders of its user are ranked.`
}
