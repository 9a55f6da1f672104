import type { PartitionScope } from '../../app.ts'
import { messageOf } from '../../errors.ts'
import type { BatchSpan } from '../../opentelemetry.ts'
import { isScriptFault } from '../../redis/errors.ts'
import { codeOf } from '../../reject-codes.ts'
import { type RetryPolicy, retryOf } from '../invalid/retries.ts'
import { type CommitReply, commit } from './commit.ts'
import type { Consumer } from './consume.ts'
import { namesIn } from './encode.ts'
import type { Entry } from './entry.ts'
import { generationSeconds } from './ledger.ts'
import { type Plan, planBatch } from './plan.ts'

/** Commits entries, all of them or none. Returns false, without a change, if they need more arguments than a request may have. */
type CommitBatch = (batch: readonly Entry[]) => Promise<boolean>

/**
 * Returns a function that commits a batch, in several requests if one would have too many arguments. If the script fails on
 * it (a key of another type, say), bisects the batch to isolate the entry that cannot be committed. That entry stays pending;
 * the rest commit.
 */
export function batchCommitter(scope: PartitionScope, consumer: Consumer): (batch: readonly Entry[]) => Promise<void> {
  const commitBatch = committer(scope, consumer)
  const commitOrBisect = async (batch: readonly Entry[]): Promise<void> => {
    let fault: unknown
    try {
      if (await commitBatch(batch)) return
    } catch (error) {
      if (batch.length === 1 || !isScriptFault(error)) throw error
      fault = error
    }
    const half = Math.ceil(batch.length / 2)
    const halves = await Promise.allSettled([batch.slice(0, half), batch.slice(half)].map(commitOrBisect))
    const failed = halves.find((one) => one.status === 'rejected')
    if (failed) throw fault ?? failed.reason
  }
  return commitOrBisect
}

/** Returns a function that plans and commits, and plans again while the commit script finds the plan outdated. */
function committer(scope: PartitionScope, { stage, name }: Consumer): CommitBatch {
  const { keys, format, telemetry } = scope
  const channel = scope.pipeline.channel(stage.from)
  // A guess by this process' clock; the commit script corrects it by Redis' clock.
  let generation = Math.floor(scope.now().getTime() / 1000 / generationSeconds(scope.config))
  const commitAs = async (batch: readonly Entry[], span: BatchSpan | undefined): Promise<boolean> => {
    let known: ReadonlyMap<string, string> = new Map()
    let entries = batch
    while (entries.length > 0) {
      const plan = planBatch({ stage, channel, keys, format, now: scope.now(), known, onDecideFailed }, entries)
      telemetry.emit('planned', { stage: stage.name, entries: entries.length, orders: plan.orders })
      const from = performance.now()
      const consumer = { stage, keys, consumer: name, traceparent: span?.traceparent }
      const reply = await commit(scope, consumer, plan, generation)
      if (reply.status === 'committed') {
        reportCommit(scope, stage.name, { entries, plan, reply, durationMs: performance.now() - from, span })
        return true
      }
      if (reply.status === 'split') {
        span?.end({ 'orders.split': true })
        return false
      }
      if (reply.status === 'generation') generation = reply.generation
      if (reply.status === 'stale') {
        telemetry.emit('stale', { stage: stage.name, planned: entries.length, held: reply.held.length })
        if (reply.again > 0) telemetry.emit('recommitRefused', { stage: stage.name, entries: reply.again })
        const held = new Set(reply.held)
        entries = entries.filter(({ id }) => held.has(id))
      }
      known = reply.status === 'differs' ? new Map([...known, ...heldBy(plan, reply.held)]) : new Map()
    }
    span?.end({ 'orders.stale': true })
    return true
  }
  return async (batch) => {
    const sources = scope.tracing ? batch.map(({ traceparent }) => traceparent) : []
    const span = scope.tracing?.span(stage.name, sources, { 'messaging.batch.message_count': batch.length })
    try {
      return await commitAs(batch, span)
    } catch (error) {
      span?.fail(error)
      throw error
    }
  }
  function onDecideFailed(entryId: string, error: unknown): void {
    telemetry.emit('decideFailed', { stage: stage.name, entryId, error: messageOf(error) })
  }
}

interface Committed {
  readonly entries: readonly Entry[]
  readonly plan: Plan
  readonly reply: Extract<CommitReply, { status: 'committed' }>
  readonly durationMs: number
  readonly span: BatchSpan | undefined
}

function reportCommit(scope: PartitionScope, stage: string, committed: Committed): void {
  const { telemetry, keys } = scope
  const { entries, plan, reply, durationMs, span } = committed
  const { status: _, atMs, invalidIds, ...orders } = reply
  const { partition } = keys
  const [firstEntryId, lastEntryId] = [plan.entryIds[0], plan.entryIds.at(-1)]
  const batch = { entries: entries.length, firstEntryId, lastEntryId, ...orders, durationMs }
  telemetry.emit('committed', { stage, partition, ...batch })
  for (const [at, { group, orders, messageId, entryId }] of plan.rejects.entries()) {
    const invalidId = invalidIds[at]
    if (!invalidId) continue // a duplicate
    telemetry.emit('rejected', { stage, partition, code: codeOf(group), orders, messageId, entryId, invalidId })
  }
  for (const ended of retriesEnded(scope.config, plan, invalidIds))
    telemetry.emit('retriesEnded', { partition, ...ended })
  const waits = { waits: waitsOf(entries, atMs), sinceSent: since(plan.sent, atMs) }
  telemetry.emit('hop', { hop: stage, atMs, ...waits, rejected: reply.rejected })
  span?.end({
    'orders.passed': orders.passed,
    'orders.duplicates': orders.duplicates,
    'orders.rejected': orders.rejected,
  })
}

/** Returns the orders, by code, that are rejected with a code of RETRY_CODES and not retried any more. */
function retriesEnded(
  policy: RetryPolicy,
  { rejects }: Plan,
  invalidIds: readonly string[],
): { code: string; orders: number; invalidId: string }[] {
  const ended = rejects.flatMap(({ group, attempts }, at) => {
    const [id = '', code] = [invalidIds[at], codeOf(group)]
    return id !== '' && attempts !== undefined && retryOf({ id, code, attempts }, policy)?.given_up
      ? [{ id, code }]
      : []
  })
  return [...Map.groupBy(ended, ({ code }) => code)].map(([code, all]) => {
    return { code, orders: all.length, invalidId: all[0]?.id ?? '' }
  })
}

/** Returns alternating the ms that orders spent on the stream before the commit, and their number. */
function waitsOf(entries: readonly Entry[], atMs: number): number[] {
  return since(
    entries.flatMap(({ id, orders }) => [Number.parseInt(id, 10), orders]),
    atMs,
  )
}

/** @param times alternating ms and number of orders; the clocks may differ */
function since(times: readonly number[], atMs: number): number[] {
  return times.map((value, at) => (at % 2 === 0 ? Math.max(0, atMs - value) : value))
}

/** Returns what the ledger holds by name, where a plan was wrong about it. */
function heldBy(plan: Plan, held: Extract<CommitReply, { status: 'differs' }>['held']): [string, string][] {
  const names = namesIn(plan)
  return held.map(([line, value]) => [names[line] ?? '', value])
}
