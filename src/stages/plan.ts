import type { Keys } from '../keys.ts'
import { type ChannelName, channels, type RecordOf, type Rejection } from '../messages.ts'
import type { Entry } from './consume.ts'
import { invalidRecord, sentEntry, sentRecord } from './invalid.ts'
import { admittedRecord, type LedgerRecord, rejectedRecord } from './ledger.ts'
import type { Effect, Identity, Stage, Verdict } from './stage.ts'

/** What one commit is to do: the verdicts on all records of some entries, merged. */
export interface Plan {
  readonly entryIds: string[]
  /** Orders in the records that pass (before the ledger finds duplicates). */
  orders: number
  /** Orders counted as received here: those of entries that the bridge did not write. */
  received: number
  readonly emits: Emit[]
  readonly rejects: Reject[]
  /** key → field → by */
  readonly hashes: Map<string, Map<string, number>>
  /** key → member → score */
  readonly boards: Map<string, Map<string, number>>
}

interface Emit {
  record: object
  /** Of a stage with a ledger: whose order this is, and which record, should the ledger know it otherwise. */
  readonly admitted?: { readonly identity: Identity; readonly at: RecordAt }
  readonly totals?: { readonly key: string; readonly fields: readonly string[] }
}

interface Reject {
  readonly code: string
  readonly orders: number
  readonly record: string
  readonly messageId: string
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

/** Decides every record of the entries. Pure but for the report of a decision that threw. */
export function planBatch(planning: Planning, entries: readonly Entry[]): Plan {
  const plan: Plan = {
    entryIds: entries.map(({ id }) => id),
    orders: 0,
    received: 0,
    emits: [],
    rejects: [],
    hashes: new Map(),
    boards: new Map(),
  }
  const merged = new Map<string, Emit & { orders: number }>()
  for (const entry of entries) {
    if (entry.records === undefined) rejectEntry(plan, planning, entry)
    else for (const [index, record] of entry.records.entries()) planRecord(plan, planning, merged, entry, record, index)
  }
  for (const { record, orders, ...emit } of merged.values()) plan.emits.push({ ...emit, record: { ...record, orders } })
  return plan
}

function planRecord(
  plan: Plan,
  planning: Planning,
  merged: Map<string, Emit & { orders: number }>,
  entry: Entry,
  record: RecordOf[ChannelName],
  index: number,
): void {
  const { stage } = planning
  const orders = channels[stage.from].orders(record as never)
  const at = `${entry.id}/${index}`
  const verdict = decide(planning, entry, record, at)
  if (verdict.outcome === 'reject') {
    const messageId = 'body' in record ? record.id : at
    const sent = sentRecord(stage.from, record as never)
    plan.rejects.push({ code: verdict.code, orders, record: invalidRecord(sent, verdict, planning.now), messageId })
    return
  }
  plan.orders += orders
  if (verdict.outcome === 'admit') {
    plan.emits.push({ record: verdict.emit, admitted: { identity: verdict.identity, at } })
    return
  }
  for (const effect of verdict.effects) merge(plan, effect)
  if ('totals' in verdict) {
    const { head, ...totals } = verdict.totals
    const emit = merged.get(totals.key)
    if (emit) emit.orders += orders
    else merged.set(totals.key, { record: head, totals, orders })
  } else if ('emit' in verdict && verdict.emit) {
    plan.emits.push({ record: verdict.emit })
  }
}

/** A decision that throws is a bug of ours: its record is rejected, the rest of the batch goes on. */
function decide(planning: Planning, entry: Entry, record: RecordOf[ChannelName], at: RecordAt): Verdict {
  const conflict = planning.conflicts.get(at)
  if (conflict) return { outcome: 'reject', ...conflict }
  try {
    return planning.stage.decide(record, planning.keys)
  } catch (error) {
    planning.onDecideFailed(entry.id, error)
    return { outcome: 'reject', code: 'internal-error', reason: `Stage ${planning.stage.name} failed on this order` }
  }
}

function rejectEntry(plan: Plan, planning: Planning, entry: Entry): void {
  if (planning.stage.from === 'raw') plan.received++
  const rejection: Rejection = { code: 'malformed-json', reason: 'Malformed JSON' }
  const record = invalidRecord(sentEntry(entry), rejection, planning.now)
  plan.rejects.push({ code: rejection.code, orders: 1, record, messageId: entry.id })
}

function merge({ hashes, boards }: Plan, effect: Effect): void {
  if (effect.kind === 'hincrby') {
    const fields = within(hashes, effect.key)
    fields.set(effect.field, (fields.get(effect.field) ?? 0) + effect.by)
  } else {
    const members = within(boards, effect.key)
    members.set(effect.member, Math.max(members.get(effect.member) ?? -Infinity, effect.score))
  }
}

function within(groups: Map<string, Map<string, number>>, key: string): Map<string, number> {
  const group = groups.get(key) ?? new Map<string, number>()
  groups.set(key, group)
  return group
}

/** The ledger's lines of a plan: one per emitted record, then one per rejected one, as the commit script reads them. */
export function ledgerLines(plan: Plan, place: { keys: Keys; buckets: number; generation: number }): LedgerRecord[] {
  return [
    ...plan.emits.flatMap(({ admitted }) => (admitted ? [admittedRecord(admitted.identity, place)] : [])),
    ...plan.rejects.map(({ messageId }) => rejectedRecord(messageId, place)),
  ]
}
