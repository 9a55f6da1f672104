import type { RawRecord, RecordTimes, Timed, Traced } from '../../messages.ts'
import { identityIn } from '../../order/identity.ts'
import { groupOf, type RejectCode, type RejectGroup, type Rejection } from '../../reject-codes.ts'
import { anonymous, noErasures } from '../erasure/erasures.ts'
import { invalidRecord, sentEntry } from '../invalid/record.ts'
import type { Channel } from '../placed.ts'
import type { Verdict } from '../stage.ts'
import { type Deciding, decideRecord, isFirstVerdict } from './decide.ts'
import { type Entry, recordTimes } from './entry.ts'
import { messageName } from './ledger.ts'
import { type Effects, mergeEffect, noEffects } from './merge.ts'
import { type Expected, type Resting, unread, type Weighed, weigh } from './weigh.ts'

/** The work of one commit: the merged verdicts on all records of some entries. */
export interface Plan extends Effects {
  readonly entryIds: readonly string[]
  /** Orders in the records that pass, before the ledger finds duplicates. */
  orders: number
  /** Orders that are not counted yet: those of entries that another client wrote. */
  found: number
  /** Alternating: the time that passing orders were sent to SQS, in ms, and their number; only known ones. */
  readonly sent: number[]
  readonly emits: Emit[]
  readonly rejects: Reject[]
  /** Values that the ledger must hold before this commit, by name: rejections and duplicates rest on them. */
  readonly expects: Map<string, Expected>
  readonly traced: TracedRecord[]
}

/** A record whose producers trace it, and the code if it is rejected. */
export type TracedRecord = Pick<Placed, 'contexts' | 'entry' | 'times'> & { readonly code?: RejectCode }

/** A record for the next stage, as JSON; without its last brace if the totals of the hash `totals` will be appended. */
export interface Emit {
  readonly text: string
  /** In the first stage: what the ledger is to hold of it. */
  readonly admitted?: Weighed
  readonly jobId?: string | undefined
  readonly totals?: string
}

export interface Reject {
  readonly group: RejectGroup
  readonly orders: number
  readonly record: string
  readonly message: string
  /** The id in SQS; undefined after the first stage. */
  readonly messageId: string | undefined
  readonly entryId: string
  /** The user named in the order, if any. */
  readonly userId: string | undefined
  readonly jobId?: string | undefined
  /** Of the first stage: how often the order was rejected, this time included. */
  readonly attempts?: number | undefined
  /** Of its span, if its producer traces it. */
  readonly trace?: string | undefined
}

export interface Planning extends Deciding {
  /** The channel that the stage reads. */
  readonly channel: Channel
  readonly now: Date
  /** The ledger's values, by name, where a plan before this one was wrong about them: '' if there is none. */
  readonly known: ReadonlyMap<string, string>
  /** @param context of the record's span, if its producer traces it */
  onDecideFailed(entryId: string, error: unknown, context: string | undefined): void
  /** Returns the contexts that go on with a record. Without it, they go on as they came. */
  continued?: ((record: object, contexts: readonly string[]) => readonly string[]) | undefined
}

/** Decides every record of the entries and merges the verdicts. Pure, except that it reports a decision that threw. */
export function planBatch(planning: Planning, entries: readonly Entry[]): Plan {
  const plan: Plan = {
    entryIds: entries.map(({ id }) => id),
    orders: 0,
    found: 0,
    sent: [],
    emits: [],
    rejects: [],
    expects: new Map(),
    traced: [],
    ...noEffects(),
  }
  const ledger = new Map<string, string>()
  const stands = (name: string): string | undefined => ledger.get(name) ?? planning.known.get(name)
  const totals: TotalsOf = new Map()
  for (const entry of entries) {
    const before = plan.orders
    for (const placed of recordsOf(planning, entry)) {
      const verdict = decide(planning, placed)
      const held = isFirstVerdict(verdict) ? weigh(verdict, stands, planning.format) : verdict
      if (placed.contexts) plan.traced.push({ ...placed, ...('code' in held && { code: held.code }) })
      if (verdict.outcome === 'pass') {
        plan.orders += placed.orders
        passInto(plan, totals, placed, verdict)
      } else {
        if ('restsOn' in held) expectInto(plan, held.restsOn, ledger, planning)
        if ('code' in held) plan.rejects.push(rejectOf(placed, held, planning))
        else if ('line' in held) {
          plan.orders += placed.orders
          admitInto(plan, ledger, placed, held)
        }
      }
      if (!entry.counted) plan.found += placed.orders
    }
    addSent(plan.sent, entry.sent, plan.orders - before)
  }
  for (const [key, { head, orders, contexts }] of totals) {
    plan.emits.push({ text: textOf({ ...head, orders }, contexts).slice(0, -1), totals: key })
  }
  return plan
}

/** Adds times for the orders that pass. An entry's times include orders that the ledger dropped when it was written. */
function addSent(all: number[], sent: readonly number[], passed: number): void {
  let left = passed
  for (let at = 0; at + 1 < sent.length && left > 0; at += 2) {
    const [ms = 0, orders = 0] = sent.slice(at, at + 2)
    const more = Math.min(orders, left)
    left -= more
    if (all.at(-2) === ms) all[all.length - 1] = (all.at(-1) ?? 0) + more
    else all.push(ms, more)
  }
}

/** A record and its place. `record` is undefined for a whole entry that is not a record batch. */
interface Placed {
  readonly entry: Entry
  /** Its number in the entry, from 0. */
  readonly at?: number
  readonly record: object | undefined
  readonly orders: number
  /** Absent of a whole entry. */
  readonly times?: RecordTimes
  /** Those that go on with it, if its producer traces it. */
  readonly contexts?: readonly string[] | undefined
}

function recordsOf(planning: Planning, entry: Entry): Placed[] {
  const { stage, channel, continued, keys, erasures = noErasures } = planning
  const { records, group, orders } = entry
  if (group !== undefined && group !== stage.name) return []
  if (!records) return [{ entry, record: undefined, orders }]
  const timesOf = recordTimes(entry)
  return records.map((sent: Traced & Timed, at) => {
    const record = stage.isFirst ? sent : anonymous(sent, erasures, keys)
    const orders = channel.orders(record)
    const { traceparents } = record
    const contexts = traceparents && (continued?.(record, traceparents) ?? traceparents)
    return { entry, at, record, orders, times: timesOf(sent, orders), contexts }
  })
}

function decide(planning: Planning, { entry, record, times, contexts }: Placed): Verdict {
  if (record === undefined) return { outcome: 'reject', code: 'malformed-json', reason: 'Malformed JSON' }
  return decideRecord(planning, record, (error) => planning.onDecideFailed(entry.id, error, contexts?.[0]), times)
}

function rejectOf(
  { entry, at, record, orders, times: runner_times, contexts }: Placed,
  rejection: Rejection,
  { stage, channel, format, now }: Planning,
): Reject {
  const sent = record ? { text: channel.text(stage.isFirst ? record : { ...record, runner_times }) } : sentEntry(entry)
  const raw = stage.isFirst ? (record as RawRecord | undefined) : undefined
  const rejecting = { now, past: raw?.history, envelope: raw?.envelope, stage: stage.isFirst ? undefined : stage.name }
  const text = invalidRecord(sent, rejection, rejecting)
  const message = raw ? messageName(raw) : at === undefined ? entry.id : `${entry.id}/${at}`
  const userId = raw && identityIn(raw.body, format).userId
  const attempts = raw && (raw.history?.attempts ?? 0) + 1
  const ids = { messageId: raw?.id, entryId: entry.id, jobId: raw?.jobId, attempts, trace: contexts?.[0] }
  return { group: groupOf(rejection), orders, record: text, message, userId, ...ids }
}

/** key → the one record for all orders of that key in the batch */
type TotalsOf = Map<string, { orders: number; readonly head: object; contexts: readonly string[] | undefined }>

/** @param ledger what the ledger holds once the records before are committed, by name */
function admitInto(plan: Plan, ledger: Map<string, string>, { record, contexts }: Placed, held: Weighed): void {
  ledger.set(held.line.name, held.line.value)
  if (held.change && held.change.value !== unread) ledger.set(held.change.name, held.change.value)
  plan.emits.push({ text: textOf(held.emit ?? {}, contexts), admitted: held, jobId: (record as RawRecord).jobId })
}

/** Adds the names under which the ledger was read. One that this batch changes is expected there already. */
function expectInto(
  plan: Plan,
  names: Resting['restsOn'],
  ledger: ReadonlyMap<string, string>,
  { known }: Planning,
): void {
  for (const { name, userId } of names ?? []) {
    if (!ledger.has(name)) plan.expects.set(name, { name, userId, expected: known.get(name) ?? '' })
  }
}

function passInto(
  plan: Plan,
  totals: TotalsOf,
  { orders, contexts }: Placed,
  verdict: Extract<Verdict, { outcome: 'pass' }>,
): void {
  for (const effect of verdict.effects) mergeEffect(plan, effect)
  if ('totals' in verdict) {
    const key = verdict.totals.key.toWellFormed()
    const total = totals.get(key)
    if (total) {
      total.orders += orders
      if (contexts) total.contexts = [...(total.contexts ?? []), ...contexts].slice(0, maxContexts)
    } else totals.set(key, { head: verdict.totals.head, orders, contexts })
  } else if ('emit' in verdict) {
    plan.emits.push({ text: textOf(verdict.emit, contexts) })
  }
}

/** Of all orders of a user in a batch: as many as a span can have links. A record grows by 60 bytes with each. */
const maxContexts = 128

const textOf = (emit: object, traceparents: readonly string[] | undefined): string =>
  JSON.stringify(traceparents ? { ...emit, traceparents } : emit)
