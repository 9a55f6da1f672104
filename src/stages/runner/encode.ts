import type { Config } from '../../config/config.ts'
import type { Keys } from '../../keys.ts'
import { outcomeSeconds } from '../../messages.ts'
import { maxPartitions } from '../../partitions.ts'
import { codeOf } from '../../reject-codes.ts'
import type { Stage } from '../stage.ts'
import { encodeBoards, encodeHashes } from './effects.ts'
import { fieldOf, layoutOf } from './layout.ts'
import { admittedRecord, generationSeconds, type LedgerPlace, type LedgerRecord, rejectedRecord } from './ledger.ts'
import type { Plan } from './plan.ts'

/** The consumer that commits, its stage and partition, and the span that does it. */
export interface Committer {
  readonly stage: Stage
  readonly keys: Keys
  readonly consumer: string
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
  { stage, keys, consumer, traceparent }: Committer,
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
  const boards = encodeBoards(names, plan.boards)
  const groups = plan.rejects.map(({ group }) => numberIn(names, keys.invalidGroup(group)))
  const verdicts = (ledger?.verdicts ?? []).map(([record, jobId]) => [record, numberIn(names, keys.outcome(jobId))])
  const totals = plan.emits.map(({ totals }) => (totals === undefined ? 0 : numberOf.get(totals)))
  const seconds = generationSeconds(config)
  const encoded = {
    ids: plan.entryIds,
    layout: [numberIn(names, keys.stages), fieldOf(stage), layoutOf(stage)],
    ...(ledger && {
      ledger: { generation, seconds, lines: ledger.lines, count: numberIn(names, keys.ledgerCounts) },
    }),
    hashes: shapes,
    boards,
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

/** Returns the number of a key, and appends the key to `names` the first time. */
function numberIn(names: string[], key: string): number {
  const at = names.indexOf(key)
  return at === -1 ? names.push(key) : at + 1
}

/** The ledger records of a plan: one per emitted record, then one per rejected one. */
interface LedgerRecords {
  /** Two per ledger record: this generation's bucket and the last one's. */
  readonly buckets: string[]
  /** Two per ledger record: field and value. */
  readonly lines: string[]
  /** Ledger records (from 1) whose verdict goes to the outcome of a job, and that job. */
  readonly verdicts: (readonly [record: number, jobId: string])[]
}

function ledgerRecords(plan: Plan, place: LedgerPlace): LedgerRecords {
  const ledger: LedgerRecords = { buckets: [], lines: [], verdicts: [] }
  for (const { admitted } of plan.emits) {
    if (admitted) addRecord(ledger, admittedRecord(admitted.identity, place), admitted.jobId)
  }
  for (const { message, userId, jobId } of plan.rejects) {
    addRecord(ledger, rejectedRecord(message, { ...place, userId }), jobId)
  }
  return ledger
}

function addRecord(ledger: LedgerRecords, record: LedgerRecord, jobId: string | undefined): void {
  ledger.buckets.push(record.current, record.previous)
  ledger.lines.push(record.field, record.value)
  if (jobId !== undefined) ledger.verdicts.push([ledger.lines.length / 2, jobId])
}
