import type { Config } from '../../config/config.ts'
import type { Keys } from '../../keys.ts'
import { outcomeSeconds } from '../../messages.ts'
import { maxPartitions } from '../../partitions.ts'
import { codeOf } from '../../reject-codes.ts'
import { type Erasures, noErasures } from '../erasure/erasures.ts'
import { fieldOf, layoutOf } from '../layout/layout.ts'
import type { Stage } from '../placed.ts'
import { encodeExpiries, encodeHashes, encodeRanks, numbering } from './effects.ts'
import {
  generationSeconds,
  type LedgerPlace,
  type LedgerRecord,
  type Line,
  ledgerRecord,
  rejectedLine,
} from './ledger.ts'
import type { Plan } from './plan.ts'
import type { Expected } from './weigh.ts'

/** The consumer that commits, its stage and partition, and the span that does it. */
export interface Committer {
  readonly stage: Stage
  readonly keys: Keys
  readonly consumer: string
  /** By which the plan was made. */
  readonly erasures?: Erasures | undefined
  readonly traceparent?: string | undefined
}

/** KEYS and ARGV of commit.lua. */
export interface CommitCall {
  readonly names: readonly string[]
  readonly args: readonly (string | number)[]
}

/** Encodes a plan for commit.lua. @param generation of the ledger */
export function encodeCommit(
  config: Pick<Config, 'ledgerBuckets' | 'ledgerDays'>,
  { stage, keys, consumer, erasures = noErasures, traceparent }: Committer,
  plan: Plan,
  generation: number,
): CommitCall {
  const source = keys.stream(stage.from)
  const target = stage.to ? keys.stream(stage.to) : source
  const names = [source, target, keys.counters, keys.invalid, keys.invalidOrders, keys.committed(stage.name)]
  const place = { keys, buckets: config.ledgerBuckets, generation }
  const ledger = stage.isFirst ? ledgerRecords(plan, place) : undefined
  names.push(...(ledger?.buckets ?? []))
  const { shapes, numberOf } = encodeHashes(names, plan.hashes)
  const ranks = encodeRanks(names, plan.ranks, numberOf)
  const expiries = encodeExpiries(names, plan.expiries)
  const numberIn = numbering(names)
  const groups = plan.rejects.map(({ group }) => numberIn(keys.invalidGroup(group)))
  const changes = ledger?.changes.map(({ record, to: { current, previous, field, value }, expected }) => {
    return [record, numberIn(current), numberIn(previous), field, expected, value]
  })
  const expects = [...plan.expects.values()].map((expected) => {
    const { current, previous, field, value } = expectedRecord(expected, place)
    return [numberIn(current), numberIn(previous), field, value]
  })
  const verdicts = (ledger?.verdicts ?? []).map(([record, jobId, passed]) => {
    return [record, numberIn(keys.outcome(jobId)), passed]
  })
  const totals = plan.emits.map(({ totals }) => (totals === undefined ? 0 : numberOf.get(totals)))
  const seconds = generationSeconds(config)
  const encoded = {
    ids: plan.entryIds,
    layout: [numberIn(keys.stages), fieldOf(stage), layoutOf(stage)],
    erased: [numberIn(keys.erased), erasures.version],
    ...(ledger && {
      ledger: { generation, seconds, lines: ledger.lines, changes, expects, count: numberIn(keys.ledgerCounts) },
      corrections: correctionsOf(plan),
    }),
    hashes: shapes,
    ranks,
    ...(expiries.length > 0 && { expiries }),
    ...(totals.some((number) => number !== 0) && { totals }),
    verdicts,
    outcome_seconds: outcomeSeconds,
    emits: plan.emits.length,
    rejects: plan.rejects.length,
    orders: plan.orders,
    found: plan.found,
    ...(plan.emits.length > 0 && plan.sent.length > 0 && { sent: JSON.stringify(plan.sent) }),
    ...(keys.partition !== undefined && { id: { step: maxPartitions, rest: keys.partition } }),
    traceparent,
    counts: { passed: stage.counts, rejected: stage.counters.rejected, found: stage.counters.found },
  }
  const args = [
    ...[stage.name, consumer, JSON.stringify(encoded)],
    ...plan.emits.map(({ text }) => text),
    ...plan.rejects.flatMap(({ group, orders, record }, at) => [codeOf(group), groups[at] ?? 0, orders, record]),
  ]
  return { names, args }
}

/** The ledger records of a plan: one per emitted record, then one per rejected one; and the changes of orders. */
interface LedgerRecords {
  /** Two per ledger record: this generation's bucket and the last one's. */
  readonly buckets: string[]
  /** Two per ledger record: field and value. */
  readonly lines: string[]
  /** In the order of the records that make them. */
  readonly changes: { readonly record: number; readonly to: LedgerRecord; readonly expected: string }[]
  /** Ledger records (from 1) whose verdict goes to the outcome of a job, that job, and the verdict if it passes. */
  readonly verdicts: (readonly [record: number, jobId: string, passed: 'admitted' | 'corrected'])[]
}

function ledgerRecords(plan: Plan, place: LedgerPlace): LedgerRecords {
  const ledger: LedgerRecords = { buckets: [], lines: [], changes: [], verdicts: [] }
  for (const { admitted, jobId } of plan.emits) {
    if (!admitted) continue
    const { line, change } = admitted
    const record = addRecord(ledger, line, place)
    if (change) ledger.changes.push({ record, to: ledgerRecord(change, place), expected: change.expected })
    if (jobId !== undefined) ledger.verdicts.push([record, jobId, change ? 'corrected' : 'admitted'])
  }
  for (const { message, userId, jobId } of plan.rejects) {
    const record = addRecord(ledger, rejectedLine(message, userId), place)
    if (jobId !== undefined) ledger.verdicts.push([record, jobId, 'admitted'])
  }
  return ledger
}

/** Returns the number of the ledger record, from 1. */
function addRecord(ledger: LedgerRecords, line: Line, place: LedgerPlace): number {
  const { current, previous, field, value } = ledgerRecord(line, place)
  ledger.buckets.push(current, previous)
  ledger.lines.push(field, value)
  return ledger.lines.length / 2
}

const expectedRecord = ({ name, userId, expected }: Expected, place: LedgerPlace): LedgerRecord =>
  ledgerRecord({ name, userId, value: expected }, place)

/**
 * Returns the names that a plan's commit compares with the ledger, in its order: of the emitted records, of the rejected ones,
 * of the changes, then of what rejections rest on.
 */
export function namesIn({ emits, rejects, expects }: Plan): string[] {
  const admitted = emits.flatMap(({ admitted }) => admitted ?? [])
  return [
    ...admitted.map(({ line }) => line.name),
    ...rejects.map(({ message, userId }) => rejectedLine(message, userId).name),
    ...admitted.flatMap(({ change }) => change?.name ?? []),
    ...expects.keys(),
  ]
}

/** Returns how many corrections a plan has, by counter. */
function correctionsOf({ emits }: Plan): Record<string, number> | undefined {
  const kinds = emits.flatMap(({ admitted }) => admitted?.corrects ?? [])
  if (kinds.length === 0) return undefined
  const counts: Record<string, number> = { corrected: kinds.length }
  for (const kind of kinds) counts[`corrected:${kind}`] = (counts[`corrected:${kind}`] ?? 0) + 1
  return counts
}
