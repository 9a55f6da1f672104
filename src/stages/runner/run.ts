import type { PartitionScope, Tick } from '../../app.ts'
import { blockingConnection, closeOnStop } from '../../redis/client.ts'
import { aggregate } from '../aggregate.ts'
import { archive } from '../archive/archive.ts'
import { type Confirm, runArchive } from '../archive/run.ts'
import { calendar } from '../calendar.ts'
import { beginCalendar } from '../calendar-books.ts'
import { housekeeper } from '../housekeeping.ts'
import { leaveCalendar } from '../layout/leave.ts'
import type { Stage } from '../placed.ts'
import { batchCommitter } from './commit-batch.ts'
import { type Consumer, consume } from './consume.ts'
import { removeConsumers } from './dead-consumers.ts'
import { type Entry, entryBytes } from './entry.ts'
import { ensureGroups } from './groups.ts'
import { trim } from './trim.ts'

/**
 * Runs a stage until the signal aborts. Entries already read are committed before it returns. While more entries wait than one
 * read takes, it reads ahead and keeps up to STAGE_IN_FLIGHT commits in flight, so that neither Redis nor this process waits for
 * the other. Otherwise the next read waits for the commit, so that entries arriving meanwhile are committed together.
 * @param confirm asked by the archive alone
 * @throws the error of the first failed read or commit, once no commit is in flight
 */
export async function runStage(
  scope: PartitionScope,
  stage: Stage,
  tick: Tick,
  signal: AbortSignal,
  confirm: Confirm = async () => {},
): Promise<void> {
  const { config } = scope
  if (stage.name === archive.name) return runArchive(scope, stage, tick, signal, confirm)
  await ensureGroups(scope)
  if (stage.name === calendar.name) await beginCalendar(scope)
  if (stage.name === aggregate.name) await leaveCalendar(scope)
  await trim(scope, stage)
  using reader = blockingConnection(scope.redis, config.blockMs)
  using _ = closeOnStop(reader, config.stopGraceMs, signal)
  const consumer: Consumer = { stage, stream: scope.keys.stream(stage.from), name: scope.instance, reader }
  const commitBatch = batchCommitter(scope, consumer)
  const tidyIfDue = housekeeper(scope, consumer)
  const inFlight = new Set<Promise<void>>()
  const failures: unknown[] = []
  const start = (batch: readonly Entry[]): void => {
    const work = commitBatch(batch)
      .then(tick, (error) => void failures.push(error))
      .finally(() => inFlight.delete(work))
    inFlight.add(work)
  }
  try {
    const reads = consume(scope, consumer, signal)
    const read = () => (failures.length > 0 ? undefined : reads.next())
    let next = read()
    while (next) {
      const step = await next.catch((error: unknown) => {
        if (!signal.aborted) throw error // else the stop has closed the connection during the read
      })
      if (!step) return
      if (step.done) break
      const { entries, more } = step.value
      next = more ? read() : undefined
      next?.catch(() => {}) // thrown when it is awaited
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
  await removeConsumers(scope, consumer, true)
}

/** A commit's arguments are held in memory here and in Redis, so their size is bounded too. */
const batchBytes = 8_000_000

/** Splits entries into commits: as many whole entries as fit, at least one. */
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
