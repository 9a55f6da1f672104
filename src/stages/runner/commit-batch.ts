import type { Partition, Tick } from '../../app.ts'
import { messageOf } from '../../errors.ts'
import type { Rejection } from '../../messages.ts'
import type { BatchSpan } from '../../opentelemetry.ts'
import { blockingConnection, closeOnStop } from '../../redis/client.ts'
import { type Conflict, commit } from '../commit.ts'
import type { Stage } from '../stage.ts'
import { type Consumer, consume, type Entry, entryBytes } from './consume.ts'
import { leaveGroup } from './dead-consumers.ts'
import { ensureGroups } from './groups.ts'
import { conflictWith, generationSeconds } from './ledger.ts'
import { type Plan, planBatch, type RecordAt } from './plan.ts'
import { type Looked, trim } from './trim.ts'

/**
 * Works a stage off until the signal aborts; what has been read by then is committed first. While more waits than one read
 * takes, the next one is read meanwhile and up to STAGE_IN_FLIGHT commits are in flight, so that neither Redis nor this
 * process waits for the other. Else the next read waits for the commit: what comes in by then is committed together.
 * @throws what the first failed read or commit threw, when no commit is in flight any more.
 */
export async function runStage(app: Partition, stage: Stage, tick: Tick, signal: AbortSignal): Promise<void> {
  const { config } = app
  await ensureGroups(app.redis, app.keys)
  await trim(app, stage)
  using reader = blockingConnection(app.redis, config.blockMs)
  using _ = closeOnStop(reader, config.stopGraceMs, signal)
  const consumer: Consumer = { stage, stream: app.keys.stream[stage.from], name: app.instance, reader }
  const commitBatch = worker(app, consumer)
  const tidyIfDue = housekeeper(app, consumer)
  const inFlight = new Set<Promise<void>>()
  const failures: unknown[] = []
  const start = (batch: readonly Entry[]): void => {
    const work = commitBatch(batch)
      .then(tick, (error) => void failures.push(error))
      .finally(() => inFlight.delete(work))
    inFlight.add(work)
  }
  try {
    const reads = consume(app, consumer, signal)
    const read = () => (failures.length > 0 ? undefined : reads.next())
    let next = read()
    while (next) {
      const { done, value } = await next
      if (done) break
      const { entries, more } = value
      next = more ? read() : undefined
      next?.catch(() => {}) // it is thrown when its turn comes
      for (const batch of batches(entries, config.batchRecords)) {
        start(batch)
        while (inFlight.size >= (more ? config.stageInFlight : 1)) await Promise.race(inFlight)
      }
      if (failures.length === 0) {
        await tidyIfDue(entries.length > 0)
        tick()
      }
      next ??= read()
    }
  } finally {
    await Promise.all(inFlight)
  }
  if (failures.length > 0) throw failures[0]
  await leaveGroup(app, consumer, true)
}

type Work = (batch: readonly Entry[]) => Promise<void>

/** What Redis says when the commit script cannot do what the plan asks, as opposed to when Redis itself is in trouble. */
const scriptFailed = /^(WRONGTYPE|ORDERS)|user_script/

/**
 * Commits a batch. What the script cannot commit (a key of another type, say) must not hold up what it can: the batch is
 * halved until it stands alone; it stays pending.
 */
function worker(app: Partition, consumer: Consumer): Work {
  const commitBatch = committer(app, consumer)
  const workOff: Work = async (batch) => {
    try {
      await commitBatch(batch)
    } catch (error) {
      if (batch.length === 1 || !scriptFailed.test(messageOf(error))) throw error
      const half = Math.ceil(batch.length / 2)
      const halves = await Promise.allSettled([batch.slice(0, half), batch.slice(half)].map(workOff))
      if (halves.some(({ status }) => status === 'rejected')) throw error
    }
  }
  return workOff
}

/** Plans and commits, and plans again for as long as the commit script has news that the plan did not know. */
function committer(app: Partition, { stage, name }: Consumer): Work {
  const { keys, telemetry } = app
  // A guess by this process' clock; the commit script knows by Redis' clock and corrects it.
  let generation = Math.floor(app.now().getTime() / 1000 / generationSeconds(app.config))
  const commitAs = async (batch: readonly Entry[], span: BatchSpan | undefined): Promise<void> => {
    let conflicts: ReadonlyMap<RecordAt, Rejection> = new Map()
    let entries = batch
    while (entries.length > 0) {
      const plan = planBatch({ stage, keys, now: app.now(), conflicts, onDecideFailed }, entries)
      telemetry.emit('planned', { stage: stage.name, entries: entries.length, orders: plan.orders })
      const from = performance.now()
      const consumer = { stage, keys, consumer: name, traceparent: span?.traceparent }
      const reply = await commit(app, consumer, plan, generation)
      if (reply.status === 'committed') {
        const { status: _, atMs, ...orders } = reply
        const durationMs = performance.now() - from
        telemetry.emit('committed', { stage: stage.name, entries: entries.length, ...orders, durationMs })
        telemetry.emit('hop', {
          hop: stage.name,
          atMs,
          waits: waitsOf(entries, atMs),
          sinceSent: since(plan.sent, atMs),
        })
        span?.end({
          'orders.passed': orders.passed,
          'orders.duplicates': orders.duplicates,
          'orders.rejected': orders.rejected,
        })
        return
      }
      if (reply.status === 'generation') generation = reply.generation
      if (reply.status === 'stale') {
        telemetry.emit('stale', { stage: stage.name, planned: entries.length, held: reply.held.length })
        if (reply.again > 0) telemetry.emit('committedAgainRefused', { stage: stage.name, entries: reply.again })
        const held = new Set(reply.held)
        entries = entries.filter(({ id }) => held.has(id))
      }
      // Others may have committed meanwhile: verdicts overruled before are looked up anew.
      conflicts = reply.status === 'conflict' && conflicts.size === 0 ? overrule(plan, reply.conflicts) : new Map()
    }
    span?.end({ 'orders.stale': true })
  }
  return async (batch) => {
    const sources = app.tracing ? batch.map(({ traceparent }) => traceparent) : []
    const span = app.tracing?.span(stage.name, sources, { 'messaging.batch.message_count': batch.length })
    try {
      await commitAs(batch, span)
    } catch (error) {
      span?.fail(error)
      throw error
    }
  }
  function onDecideFailed(entryId: string, error: unknown): void {
    telemetry.emit('decideFailed', { stage: stage.name, entryId, error: messageOf(error) })
  }
}

/** How long orders lay on the stream until they were committed, in ms, and how many so long, in turn. */
function waitsOf(entries: readonly Entry[], atMs: number): number[] {
  return since(
    entries.flatMap(({ id, orders }) => [Number.parseInt(id, 10), orders]),
    atMs,
  )
}

/** @param times ms and number of orders in turn; a clock may be ahead of another */
function since(times: readonly number[], atMs: number): number[] {
  return times.map((value, at) => (at % 2 === 0 ? Math.max(0, atMs - value) : value))
}

function overrule({ emits }: Plan, conflicts: readonly Conflict[]): Map<RecordAt, Rejection> {
  const verdicts = new Map<RecordAt, Rejection>()
  for (const [emit, known] of conflicts) {
    const admitted = emits[emit]?.admitted
    if (admitted) verdicts.set(admitted.at, conflictWith(admitted.identity, known))
  }
  return verdicts
}

/** A commit's arguments are held in memory here and in Redis, so their size is bounded too. */
const batchBytes = 8_000_000

/** Cuts what was read into commits: as many whole entries as fit, at least one. */
function* batches(entries: readonly Entry[], maxRecords: number): Generator<Entry[]> {
  let batch: Entry[] = []
  let records = 0
  let bytes = 0
  for (const entry of entries) {
    const more = entry.records?.length ?? 1
    if (batch.length > 0 && (records + more > maxRecords || bytes + entryBytes(entry) > batchBytes)) {
      yield batch
      batch = []
      records = 0
      bytes = 0
    }
    batch.push(entry)
    records += more
    bytes += entryBytes(entry)
  }
  if (batch.length > 0) yield batch
}

/** 500 ms: a stream at full speed grows by some 10 MB in between; trimming at every commit costs a script call each. */
const trimEveryMs = 500

/** Trims after work, and now and then takes dead consumers off the list; by the monotonic clock: the other may be set. */
function housekeeper(app: Partition, consumer: Consumer): (worked: boolean) => Promise<void> {
  const looked: Looked = new Map()
  let untrimmed = false
  let trimmedAt = 0
  let lookedAt = performance.now()
  return async (worked) => {
    untrimmed ||= worked
    const now = performance.now()
    const due = now - lookedAt >= app.config.claimIdleMs // an idle stage too may have been skipped over
    if (due || (untrimmed && now - trimmedAt >= trimEveryMs)) {
      trimmedAt = now
      untrimmed = (await trim(app, consumer.stage, { looked, thorough: due })) > 0 // there may be more
    }
    if (!due) return
    lookedAt = now
    await leaveGroup(app, consumer, false)
  }
}
