import { setInterval as every, setTimeout as sleep } from 'node:timers/promises'
import { type Job, UnrecoverableError, WaitingError, Worker } from 'bullmq'
import type { App, Tick } from '../app.ts'
import {
  bullConnection,
  isJobId,
  type OrderVerdict,
  type ReplayData,
  type ReplayResult,
  type ReprocessData,
  replayData,
  reprocessData,
} from '../control/job-queues.ts'
import { markJobsAlive } from '../control/jobs-alive.ts'
import { messageOf } from '../errors.ts'
import { identityIn } from '../identity.ts'
import { enqueueOnce } from '../ingest/enqueue.ts'
import { outcomeSeconds, type RawRecord } from '../messages.ts'
import { partitionFor } from '../partitions.ts'
import { type Outcome, readOutcome, readVerdict, readWithdrawn } from '../stages/invalid/outcome.ts'
import { countInvalid, type InvalidEntry, readInvalidEntry, readOldest } from '../stages/invalid/page.ts'
import { type Edit, replayEntries, roundRecord, withdrawEntry } from '../stages/invalid/requeue.ts'
import { checkOrder } from '../stages/rules.ts'
import { compareIds } from '../time.ts'
import type { Loop } from './process/supervise.ts'

/** Most orders moved by one script call, and most characters: they become one entry, and hold Redis while they do. */
const mostInChunk = 100
const chunkLength = 1_000_000
/** The commit of a stage takes some milliseconds; asking more often would load Redis for nothing. */
const pollMs = 50

/** The workers of both queues. Many reprocess jobs only wait for their verdict; a replay moves thousands of orders. */
export function jobLoops(app: App): Loop[] {
  const reprocessing: Work<ReprocessData, OrderVerdict> = { queue: 'reprocess', concurrency: 50, handle: reprocess }
  const replaying: Work<ReplayData, ReplayResult> = { queue: 'replay', concurrency: 4, handle: replay }
  return [
    { name: 'jobs-reprocess', run: (tick, signal) => work(app, reprocessing, tick, signal) },
    { name: 'jobs-replay', run: (tick, signal) => work(app, replaying, tick, signal) },
  ]
}

interface Work<D, R> {
  readonly queue: string
  readonly concurrency: number
  /** Can be tried again at any point: what it has sent is on record. */
  handle(app: App, job: Job<D, R>, signal: AbortSignal): Promise<R>
}

/** Works jobs until the signal aborts; those in hand then go back to waiting, for another worker. */
async function work<D, R>(
  app: App,
  { queue, concurrency, handle }: Work<D, R>,
  tick: Tick,
  signal: AbortSignal,
): Promise<void> {
  const { config, telemetry, redis } = app
  const process = async (job: Job<D, R>, token?: string): Promise<R> => {
    try {
      return await handle(app, job, signal)
    } catch (error) {
      if (!signal.aborted) throw error
      await job.moveToWait(token)
      throw new WaitingError()
    }
  }
  const worker = new Worker<D, R>(queue, process, {
    ...bullConnection(redis),
    concurrency,
    lockDuration: config.jobLockMs,
    stalledInterval: config.jobLockMs,
    // A job goes on where its killed worker stopped, however often.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
  })
  worker.on('error', () => {}) // the shared connection reports the same outage
  worker.on('completed', ({ id = '' }) => telemetry.emit('jobDone', { job: id, queue }))
  worker.on('failed', (job, error) => {
    telemetry.emit('jobFailed', { job: job?.id ?? '', queue, attempt: job?.attemptsMade ?? 0, error: messageOf(error) })
  })
  try {
    await markAlive(app)
    for await (const _ of every(1_000, undefined, { signal })) {
      if (!worker.isRunning()) continue
      tick()
      void markAlive(app)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    // While a master of a cluster is away it connects again and again, and does not end.
    await Promise.race([worker.close(), sleep(config.stopGraceMs, undefined, { ref: false })])
  }
}

/** Where Redis refuses it, the worker goes on, and the connection reports an outage. */
const markAlive = ({ redis }: App): Promise<void> => markJobsAlive(redis).catch(() => {})

async function reprocess(app: App, job: Job<ReprocessData>, signal: AbortSignal): Promise<OrderVerdict> {
  const { redis, partitions } = app
  const ticket = ticketOf(job)
  const { body, edit } = reprocessData.parse(job.data)
  if (edit) {
    const entry = await readInvalidEntry(redis, partitions, edit.invalidId)
    await replayEdited(app, entry, { body, by: edit.by }, ticket)
    if ((await readOutcome(redis, partitions, ticket)).sent === 0) {
      throw new UnrecoverableError(
        `The invalid order ${edit.invalidId} is gone: it was replayed or discarded meanwhile.`,
      )
    }
  } else {
    await sendOnce(app, ticket, { id: ticket, body })
  }
  return readVerdict(redis, partitions, await judged(app, job, signal))
}

/** Of a user in another partition now, it goes there in two steps: killed in between, the next attempt makes the second. */
async function replayEdited(app: App, entry: InvalidEntry | undefined, edit: Edit, ticket: string): Promise<void> {
  if (entry && partitionFor(app.partitions, identityIn(edit.body).userId) === entry.keys) {
    await replayEntries(app, [entry], { ticket, limit: 1 }, edit)
    return
  }
  const record = entry && roundRecord(entry, ticket, edit, app.now())
  if (entry && record) await withdrawEntry(app, entry, ticket, record)
  const withdrawn = await readWithdrawn(app.redis, app.partitions, ticket)
  if (withdrawn) await sendOnce(app, ticket, withdrawn)
}

/** Once also where the ticket has sent in a partition that it is not in any more. */
async function sendOnce(app: App, ticket: string, record: RawRecord): Promise<void> {
  if ((await readOutcome(app.redis, app.partitions, ticket)).sent === 0) await enqueueOnce(app, ticket, record)
}

async function replay(app: App, job: Job<ReplayData>, signal: AbortSignal): Promise<ReplayResult> {
  const { redis, partitions, telemetry } = app
  const ticket = ticketOf(job)
  const data = replayData.parse(job.data)
  if (data.dryRun) return rehearse(app, job, data, signal)
  const before = await readOutcome(redis, partitions, ticket)
  const total = Math.min(data.limit, before.sent + (await countMatching(app, data)))
  let { sent } = before
  for await (const entries of chunks(app, data, signal, () => data.limit - sent)) {
    const taken = await replayEntries(app, entries, { ticket, limit: data.limit })
    telemetry.emit('replayed', { job: ticket, orders: taken.length })
    const outcome = await readOutcome(redis, partitions, ticket)
    await job.updateProgress({ done: outcome.judged, total })
    sent = outcome.sent
    if (sent >= data.limit) break
  }
  const { judged: _, invalidId: __, ...result } = await judged(app, job, signal)
  return { dry_run: false, ...result, rejected: { ...result.rejected } }
}

/** Judges by the rules alone and changes nothing. */
async function rehearse(app: App, job: Job, data: ReplayData, signal: AbortSignal): Promise<ReplayResult> {
  const rejected: Record<string, number> = {}
  const total = Math.min(data.limit, await countMatching(app, data))
  let done = 0
  let admitted = 0
  for await (const entries of chunks(app, data, signal, () => data.limit - done)) {
    for (const { text } of entries) {
      if (text === undefined) continue // a replay leaves it where it is
      done++
      const order = checkOrder(text)
      if ('code' in order) rejected[order.code] = (rejected[order.code] ?? 0) + 1
      else admitted++
    }
    await job.updateProgress({ done, total })
    if (done >= data.limit) break
  }
  return { dry_run: true, sent: 0, admitted, duplicate: 0, conflict: 0, returned: 0, rejected }
}

/** What the job's orders carry. Ids of our making are unique for ever; those that Bull Board gives begin anew. */
function ticketOf({ id = '', timestamp }: Job): string {
  if (!isJobId(id)) throw new UnrecoverableError('Jobs are made by the API or by npm run replay: add it there.')
  if (Date.now() - timestamp > outcomeSeconds * 1_000) {
    throw new UnrecoverableError('This job is older than 7 days, and what it sent is no longer known: make a new one.')
  }
  return id
}

/**
 * The entries that the replay is to take, oldest first, in chunks; as many as one script call may move.
 * @param left how many more it may take
 */
async function* chunks(
  app: App,
  data: ReplayData,
  signal: AbortSignal,
  left: () => number,
): AsyncGenerator<InvalidEntry[]> {
  for (let after = '0-0', count = 10; ; ) {
    signal.throwIfAborted()
    const entries = await nextEntries(app, data, after, Math.max(1, Math.min(count, left())))
    if (entries.length === 0) return
    const chunk = fitting(entries)
    yield chunk
    after = chunk.at(-1)?.id ?? after
    const average = entries.reduce((sum, { json }) => sum + json.length, 0) / entries.length
    count = Math.max(1, Math.min(mostInChunk, Math.floor(chunkLength / average)))
  }
}

function fitting(entries: readonly InvalidEntry[]): InvalidEntry[] {
  let length = 0
  return entries.filter(({ json }, at) => {
    length += json.length
    return at === 0 || length <= chunkLength
  })
}

async function nextEntries(
  { redis, partitions }: App,
  data: ReplayData,
  after: string,
  count: number,
): Promise<InvalidEntry[]> {
  if (!data.ids) return readOldest(redis, partitions, { code: data.code, until: data.until, after, count })
  const left = [...new Set(data.ids)].filter((id) => compareIds(id, after) > 0).sort(compareIds)
  for (let from = 0; from < left.length; from += count) {
    const read = left.slice(from, from + count).map((id) => readInvalidEntry(redis, partitions, id))
    const entries = (await Promise.all(read)).filter((entry) => entry !== undefined)
    const wanted = entries.filter(({ record }) => data.code === undefined || record.code === data.code)
    if (wanted.length > 0) return wanted
  }
  return []
}

async function countMatching({ redis, partitions }: App, { ids, code, until }: ReplayData): Promise<number> {
  return ids ? new Set(ids).size : countInvalid(redis, partitions, { code, until })
}

/**
 * Waits until every order that the job has sent has its verdict.
 * @throws when none comes for JOB_VERDICT_MS; the job is tried again and goes on waiting.
 */
async function judged({ redis, partitions, config }: App, job: Job, signal: AbortSignal): Promise<Outcome> {
  let seen = -1
  let newsAt = performance.now()
  for (;;) {
    const outcome = await readOutcome(redis, partitions, job.id ?? '')
    const { judged, sent } = outcome
    if (judged !== seen) {
      newsAt = performance.now()
      await job.updateProgress({ done: judged, total: sent })
    }
    seen = judged
    if (judged >= sent) return outcome
    if (performance.now() - newsAt > config.jobVerdictMs) {
      throw new Error(
        `${sent - judged} of ${sent} orders have no verdict yet: see that a validate process runs, then retry.`,
      )
    }
    await sleep(pollMs, undefined, { signal })
  }
}
