import { identityIn } from '../../identity.ts'
import type { Keys } from '../../keys.ts'
import {
  type Channel,
  type ChannelName,
  channels,
  groupOf,
  type RecordOf,
  type RejectGroup,
  type Rejection,
} from '../../messages.ts'
import { invalidRecord, sentEntry } from '../invalid/record.ts'
import type { Effect, Identity, Stage, Verdict } from '../stage.ts'
import type { Entry } from './consume.ts'
import { admittedRecord, type LedgerPlace, type LedgerRecord, rejectedRecord } from './ledger.ts'

/** What one commit is to do: the verdicts on all records of some entries, merged. */
export interface Plan {
  readonly entryIds: readonly string[]
  /** Orders in the records that pass, before the ledger finds duplicates. */
  orders: number
  /** Orders that nothing of ours has counted yet: those of entries that another process wrote. */
  found: number
  /** When the orders that pass were sent to SQS, in ms, and how many then, in turn, as far as that is known. */
  readonly sent: number[]
  readonly emits: Emit[]
  readonly rejects: Reject[]
  /** key → field → by */
  readonly hashes: Groups
  /** key → member → score */
  readonly boards: Groups
}

type Groups = Map<string, Map<string, number>>

/** A record for the next stage, as JSON; where the totals of the hash `totals` are to be appended, without its last brace. */
export interface Emit {
  readonly text: string
  /** Whose order this is and which record, should the ledger know it otherwise. */
  readonly admitted?: { readonly identity: Identity; readonly at: RecordAt; readonly ticket?: string | undefined }
  readonly totals?: string
}

interface Reject {
  readonly group: RejectGroup
  readonly orders: number
  readonly record: string
  readonly message: string
  /** Whose order it is, as far as it says so. */
  readonly userId: string | undefined
  readonly ticket?: string | undefined
}

/** A record's place: entry id and index, as text. */
export type RecordAt = string

export interface Planning {
  readonly stage: Stage
  readonly keys: Keys
  readonly now: Date
  /** Verdicts that the ledger has overruled. */
  readonly conflicts: ReadonlyMap<RecordAt, Rejection>
  onDecideFailed(entryId: string, error: unknown): void
}

/** Decides every record of the entries and merges what is to be done. Pure, but for the report of a decision that threw. */
export function planBatch(planning: Planning, entries: readonly Entry[]): Plan {
  const plan: Plan = {
    entryIds: entries.map(({ id }) => id),
    orders: 0,
    found: 0,
    sent: [],
    emits: [],
    rejects: [],
    hashes: new Map(),
    boards: new Map(),
  }
  const totals: TotalsOf = new Map()
  for (const entry of entries) {
    const before = plan.orders
    for (const placed of recordsOf(planning.stage, entry)) {
      const verdict = decide(planning, placed)
      if (verdict.outcome === 'reject') {
        plan.rejects.push(rejectOf(placed, verdict, planning))
      } else {
        plan.orders += placed.orders
        passInto(plan, totals, placed, verdict)
      }
      if (!entry.counted) plan.found += placed.orders
    }
    addSent(plan.sent, entry.sent, plan.orders - before)
  }
  for (const [key, { head, orders }] of totals) {
    plan.emits.push({ text: JSON.stringify({ ...head, orders }).slice(0, -1), totals: key })
  }
  return plan
}

/** As many as pass: an entry's times count what the ledger dropped when it was written. */
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

/** A record and where it stands; `record` is undefined for a whole entry that is no record batch. */
interface Placed {
  readonly at: RecordAt
  readonly entry: Entry
  readonly record: RecordOf[ChannelName] | undefined
  readonly orders: number
}

function recordsOf({ name, from }: Stage, entry: Entry): Placed[] {
  const { id, records, group, orders } = entry
  if (group !== undefined && group !== name) return []
  if (!records) return [{ at: id, entry, record: undefined, orders }]
  const channel = channels[from] as Channel<RecordOf[ChannelName]>
  return records.map((record, at) => ({ at: `${id}/${at}`, entry, record, orders: channel.orders(record) }))
}

/** A decision that throws, or that no commit could carry out, is a bug of ours: its record is rejected, the rest goes on. */
function decide({ stage, keys, conflicts, onDecideFailed }: Planning, { at, entry, record }: Placed): Verdict {
  if (record === undefined) return { outcome: 'reject', code: 'malformed-json', reason: 'Malformed JSON' }
  const conflict = conflicts.size > 0 ? conflicts.get(at) : undefined
  if (conflict) return { outcome: 'reject', ...conflict }
  try {
    const verdict = stage.decide(record, keys)
    requireSound(verdict, stage)
    return verdict
  } catch (error) {
    onDecideFailed(entry.id, error)
    return { outcome: 'reject', code: 'internal-error', reason: `Stage ${stage.name} failed on this order` }
  }
}

/** The commit script cannot take back what it did before it found a mistake in a plan. */
function requireSound(verdict: Verdict, stage: Stage): void {
  if (verdict.outcome === 'reject') return
  if ((verdict.outcome === 'admit') !== keepsLedger(stage)) {
    throw new Error(`${stage.name}: the stage that reads orders:raw admits, and no other does`)
  }
  if (verdict.outcome === 'admit') return
  for (const effect of verdict.effects) {
    const amount = effect.kind === 'hincrby' ? effect.by : effect.score
    if (!Number.isInteger(amount)) throw new Error(`${stage.name}: ${amount} is no integer`)
  }
  if (!('totals' in verdict)) return
  const { key } = verdict.totals
  if (!verdict.effects.some((effect) => effect.kind === 'hincrby' && effect.key === key)) {
    throw new Error(`${stage.name}: ${key} is in totals and in no effect`)
  }
}

/** The first stage remembers what it admits. */
export function keepsLedger(stage: Stage): boolean {
  return stage.from === 'raw'
}

function rejectOf({ at, entry, record, orders }: Placed, rejection: Rejection, { stage, now }: Planning): Reject {
  const channel = channels[stage.from] as Channel<RecordOf[ChannelName]>
  const sent = record ? { text: channel.text(record) } : sentEntry(entry)
  const raw = record && 'body' in record ? record : undefined
  const rejecting = { now, past: raw?.history, stage: stage.from === 'raw' ? undefined : stage.name }
  const text = invalidRecord(sent, rejection, rejecting)
  // With the body: whoever writes to the stream may give two messages one id.
  const message = raw ? `${raw.id} ${raw.body}` : at
  const userId = raw && identityIn(raw.body).userId
  return { group: groupOf(rejection), orders, record: text, message, userId, ticket: raw?.ticket }
}

/** key → the one record that stands for all orders of that key in the batch */
type TotalsOf = Map<string, { orders: number; readonly head: object }>

function passInto(
  plan: Plan,
  totals: TotalsOf,
  { at, orders, record }: Placed,
  verdict: Exclude<Verdict, Rejection>,
): void {
  if (verdict.outcome === 'admit') {
    const ticket = record && 'ticket' in record ? record.ticket : undefined
    plan.emits.push({ text: JSON.stringify(verdict.emit), admitted: { identity: verdict.identity, at, ticket } })
    return
  }
  for (const effect of verdict.effects) merge(plan, effect)
  if ('totals' in verdict) {
    const key = verdict.totals.key.toWellFormed()
    const total = totals.get(key)
    if (total) total.orders += orders
    else totals.set(key, { head: verdict.totals.head, orders })
  } else if ('emit' in verdict) {
    plan.emits.push({ text: JSON.stringify(verdict.emit) })
  }
}

function merge({ hashes, boards }: Plan, effect: Effect): void {
  if (effect.kind === 'hincrby') {
    const fields = within(hashes, effect.key)
    const field = effect.field.toWellFormed()
    fields.set(field, (fields.get(field) ?? 0) + effect.by)
  } else {
    const members = within(boards, effect.key)
    const member = effect.member.toWellFormed()
    members.set(member, Math.max(members.get(member) ?? Number.NEGATIVE_INFINITY, effect.score))
  }
}

/** Half a surrogate pair is no text to Redis: names that differ in it alone are one key, field or member there. */
function within(groups: Groups, name: string): Map<string, number> {
  const key = name.toWellFormed()
  const group = groups.get(key) ?? new Map<string, number>()
  groups.set(key, group)
  return group
}

/** The ledger's lines of a plan, as the commit script reads them: one per emitted record, then one per rejected one. */
export interface LedgerLines {
  /** Two per line: this generation's bucket and the last one's. */
  readonly buckets: string[]
  /** Two per line: field and value. */
  readonly lines: string[]
  /** Of which line (from 1) the verdict goes to which ticket's outcome. */
  readonly tickets: (readonly [line: number, ticket: string])[]
}

export function ledgerLines(plan: Plan, place: LedgerPlace): LedgerLines {
  const ledger: LedgerLines = { buckets: [], lines: [], tickets: [] }
  for (const { admitted } of plan.emits) {
    if (admitted) addLine(ledger, admittedRecord(admitted.identity, place), admitted.ticket)
  }
  for (const { message, userId, ticket } of plan.rejects) {
    addLine(ledger, rejectedRecord(message, { ...place, userId }), ticket)
  }
  return ledger
}

function addLine(ledger: LedgerLines, record: LedgerRecord, ticket: string | undefined): void {
  ledger.buckets.push(record.current, record.previous)
  ledger.lines.push(record.field, record.value)
  if (ticket !== undefined) ledger.tickets.push([ledger.lines.length / 2, ticket])
}
