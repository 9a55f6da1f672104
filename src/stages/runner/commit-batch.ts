import type { PartitionScope } from '../../app.ts'
import { messageOf } from '../../errors.ts'
import type { TracedWait } from '../../events/fields.ts'
import { makeKeys } from '../../keys.ts'
import { redisClock } from '../../redis/clock.ts'
import { isScriptFault } from '../../redis/errors.ts'
import { codeOf } from '../../reject-codes.ts'
import { type BatchTrace, type EndedMessage, traceBatch } from '../../tracing/batch.ts'
import { traceIdIn } from '../../tracing/context.ts'
import { type Consumed, tracedLines } from '../../tracing/tracing.ts'
import { openErasures } from '../erasure/erasures.ts'
import { type RetryPolicy, retryOf } from '../invalid/retries.ts'
import type { Stage } from '../placed.ts'
import { type CommitReply, commit } from './commit.ts'
import type { Consumer } from './consume.ts'
import { namesIn } from './encode.ts'
import type { Entry } from './entry.ts'
import { generationSeconds } from './ledger.ts'
import { type Plan, type Planning, planBatch, type TracedRecord } from './plan.ts'

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
      if (!isBisected(batch, error)) throw error
      fault = error
    }
    const half = Math.ceil(batch.length / 2)
    const halves = await Promise.allSettled([batch.slice(0, half), batch.slice(half)].map(commitOrBisect))
    const failed = halves.find((one) => one.status === 'rejected')
    if (failed) throw fault ?? failed.reason
  }
  return commitOrBisect
}

const isBisected = (batch: readonly Entry[], error: unknown): boolean => batch.length > 1 && isScriptFault(error)

/** Returns a function that plans and commits, and plans again while the commit script finds the plan outdated. */
function committer(scope: PartitionScope, { stage, name }: Consumer): CommitBatch {
  const { keys, format } = scope
  const channel = scope.pipeline.channel(stage.from)
  const from = consumedBy(stage, keys.partition)
  const clock = redisClock(scope.redis)
  const onDecideFailed = reportFailedOf(scope, stage.name)
  let generation: number | undefined
  const erased = openErasures(scope.redis, keys)
  const commitAs = async (batch: readonly Entry[], trace: BatchTrace | undefined): Promise<boolean> => {
    const telemetry = tracedLines(scope.telemetry, trace)
    let known: ReadonlyMap<string, string> = new Map()
    let entries = batch
    while (entries.length > 0) {
      const now = await clock.now()
      generation ??= Math.floor(now.getTime() / 1000 / generationSeconds(scope.config))
      const erasures = await erased.now()
      const deciding = { stage, channel, keys, format, now, known, erasures }
      const planning = { ...deciding, onDecideFailed, continued: trace?.continued }
      const plan = planBatch(planning, entries)
      telemetry.emit('planned', { stage: stage.name, entries: entries.length, orders: plan.orders })
      const from = performance.now()
      const consumer = { stage, keys, consumer: name, erasures, traceparent: trace?.context }
      const reply = await commit(scope, consumer, plan, generation)
      if (reply.status === 'committed') {
        clock.set(reply.atMs)
        reportCommit(scope, stage.name, { entries, plan, reply, durationMs: performance.now() - from, trace })
        return true
      }
      if (reply.status === 'split') {
        trace?.end({ 'orders.split': true }, [])
        return false
      }
      if (reply.status === 'erased') erased.forget()
      if (reply.status === 'generation') generation = reply.generation
      if (reply.status === 'stale') {
        telemetry.emit('stale', { stage: stage.name, planned: entries.length, held: reply.held.length })
        if (reply.again > 0) telemetry.emit('recommitRefused', { stage: stage.name, entries: reply.again })
        const held = new Set(reply.held)
        entries = entries.filter(({ id }) => held.has(id))
      }
      known = reply.status === 'differs' ? new Map([...known, ...heldBy(plan, reply.held)]) : new Map()
    }
    trace?.end({ 'orders.stale': true }, [])
    return true
  }
  return async (batch) => {
    const trace = scope.tracing && traceBatch(scope.tracing, from, batch.map(writtenBy), batch.length)
    try {
      return await commitAs(batch, trace)
    } catch (error) {
      trace?.fail(error, !isBisected(batch, error))
      throw error
    }
  }
}

const reportFailedOf =
  ({ telemetry }: PartitionScope, stage: string): Planning['onDecideFailed'] =>
  (entryId, error, context) => {
    const traceId = context && { traceId: traceIdIn(context) }
    telemetry.emit('decideFailed', { stage, entryId, error: messageOf(error), ...traceId })
  }

const withoutPartition = makeKeys()
const consumedBy = ({ name: group, from }: Stage, partition: number | undefined): Consumed => ({
  system: 'redis',
  destination: withoutPartition.stream(from),
  group,
  partition,
})

const writtenBy = ({ traceparent }: Entry): string | undefined => traceparent

const endedMessage = ({ contexts = [], code }: TracedRecord): EndedMessage => ({
  contexts,
  ...(code && { attributes: { 'orders.reject_code': code } }),
})

interface Committed {
  readonly entries: readonly Entry[]
  readonly plan: Plan
  readonly reply: Extract<CommitReply, { status: 'committed' }>
  readonly durationMs: number
  readonly trace: BatchTrace | undefined
}

function reportCommit(scope: PartitionScope, stage: string, committed: Committed): void {
  const { telemetry, keys } = scope
  const { entries, plan, reply, durationMs, trace } = committed
  const { status: _, atMs, invalidIds, ...orders } = reply
  const { partition } = keys
  const [firstEntryId, lastEntryId] = [plan.entryIds[0], plan.entryIds.at(-1)]
  const batch = { entries: entries.length, firstEntryId, lastEntryId, ...orders, durationMs }
  tracedLines(telemetry, trace).emit('committed', { stage, partition, ...batch })
  for (const [at, { group, orders, messageId, entryId, trace }] of plan.rejects.entries()) {
    const invalidId = invalidIds[at]
    if (!invalidId) continue // a duplicate
    const traceId = trace && traceIdIn(trace)
    telemetry.emit('rejected', {
      ...{ stage, partition, code: codeOf(group), orders, messageId, entryId, invalidId },
      ...(traceId && { traceId }),
    })
  }
  for (const ended of retriesEnded(scope.config, plan, invalidIds))
    telemetry.emit('retriesEnded', { partition, ...ended })
  const waits = { waits: waitsOf(entries, atMs), sinceSent: since(plan.sent, atMs) }
  const traced = plan.traced.length > 0 && { traced: tracedWaits(plan.traced, atMs) }
  telemetry.emit('hop', { hop: stage, atMs, ...waits, rejected: reply.rejected, ...traced })
  trace?.end(
    { 'orders.passed': orders.passed, 'orders.duplicates': orders.duplicates, 'orders.rejected': orders.rejected },
    plan.traced.map(endedMessage),
  )
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

/** Returns the times of one record of each entry: records of an entry waited equally long. */
function tracedWaits(traced: readonly TracedRecord[], atMs: number): TracedWait[] {
  const ofEntries = new Map(traced.map((one) => [one.entry.id, one]))
  return [...ofEntries.values()].flatMap(({ contexts: [context] = [], entry, times, code }) => {
    if (context === undefined) return []
    const [waitMs = 0] = since([Number.parseInt(entry.id, 10)], atMs)
    const [sinceSentMs] = entry.sent.length === 0 || code !== undefined ? [] : since([times?.sentMs ?? 0], atMs)
    return [{ context, waitMs, sinceSentMs }]
  })
}

/** Ids and times of SQS are whole ms: on average so much of a ms is cut off. */
const cutOffMs = 0.5

/** @param times alternating ms and number of orders */
function since(times: readonly number[], atMs: number): number[] {
  return times.map((value, at) => (at % 2 === 0 ? atMs - value - cutOffMs : value))
}

/** Returns what the ledger holds by name, where a plan was wrong about it. */
function heldBy(plan: Plan, held: Extract<CommitReply, { status: 'differs' }>['held']): [string, string][] {
  const names = namesIn(plan)
  return held.map(([line, value]) => [names[line] ?? '', value])
}
