import type { App } from '../../app.ts'
import { type OpenIncident, readIncidents } from '../../control/incidents.ts'
import { countJobs, type Queues } from '../../control/job-queues.ts'
import { OrdersError } from '../../errors.ts'
import { openBacklog } from '../../reads/backlog.ts'
import { readBooks } from '../../reads/books.ts'
import { openStatus } from '../../reads/open-status.ts'
import { readApart, type Unread } from '../../reads/readings.ts'
import type { Status } from '../../reads/status.ts'
import { noEviction, readEviction } from '../../redis/eviction.ts'
import { fullestOf } from '../../redis/info.ts'
import { namedKeys, wrongTypes, wrongTypeText } from '../../redis/key-types.ts'
import { generationNow, meanBucket } from '../../stages/runner/ledger.ts'
import { sum } from '../../sums.ts'
import { cached } from '../cached.ts'

/** The state of the pipeline; undefined is what could not be read. */
export interface PipelineReading {
  readonly status: Status
  /** 0 means that Redis does not say, or that there is no limit. */
  readonly memory: { readonly used: number; readonly most: number } | undefined
  readonly differences: number | undefined
  /** Records in the ledger, estimated from a sample. */
  readonly ledger: number | undefined
  readonly unread: readonly Unread[]
  readonly incidents: readonly OpenIncident[] | undefined
  readonly jobs: Awaited<ReturnType<typeof countJobs>> | undefined
  /** True if a server evicts keys when it is full. */
  readonly evicts: boolean | undefined
  /** True while a repartition moves the counters: some are missing until it ends. */
  readonly moving: boolean
}

/** Slow readings, at most once a minute. With a long backlog they take Redis some 10 ms. */
const rarelyMs = 60_000
const evictionMs = 5_000
const measureEveryMs = 10_000

/**
 * Opens a reader of the whole state. It takes two round trips: commands issued together go in one write.
 * @throws the error of Redis when it does not answer
 */
export function openPipelineReader(app: App, queues: Queues): () => Promise<PipelineReading> {
  const { redis, partitions } = app
  const books = cached(rarelyMs, () => readApart('books', readBooks(app)))
  const ledger = cached(rarelyMs, () => readApart('ledger', readLedger(app)))
  const keys = cached(rarelyMs, () => readApart('keys', requireTypes(app)))
  const eviction = cached(evictionMs, () => readApart('eviction', readEviction(redis)))
  const readState = openStatus(redis, app, openBacklog(app, { everyMs: measureEveryMs }))
  const report = openReporter(app.telemetry)
  return async () => {
    const [status, memory, incidents, jobs, moving, ...rare] = await Promise.all([
      readState(),
      readApart('memory', fullestOf(redis, partitions)),
      readApart('incidents', readIncidents(redis)),
      readApart('jobs', countJobs(queues)),
      readApart('keys', isMoving(app)),
      ...([books(), ledger(), keys(), eviction()] as const),
    ])
    const [found, lines, , servers] = rare
    const unreadBooks = found?.value?.unread.map((why) => ({ reading: 'books', why })) ?? []
    const unread = [
      ...[memory, incidents, jobs, ...rare].flatMap((one) => one?.unread ?? []),
      ...unreadBooks,
      ...status.unread,
    ]
    report(unread)
    const differences = found?.value && found.value.differences.length - found.value.unread.length
    const policies = servers?.value ?? []
    return {
      status,
      memory: memory.value,
      differences,
      ledger: lines?.value,
      incidents: incidents.value,
      jobs: jobs.value,
      evicts: policies.length > 0 ? policies.some(({ policy }) => policy !== noEviction) : undefined,
      moving: moving.value ?? false, // if the key has another type, the reading `keys` says so
      unread,
    }
  }
}

/** @throws OrdersError ORD_REDIS_REPLY if a key of the pipeline has another type */
async function requireTypes({ redis, partitions, control, pipeline }: App): Promise<void> {
  const wrong = await wrongTypes(redis, namedKeys(partitions, control, pipeline))
  if (wrong.length > 0) throw new OrdersError('ORD_REDIS_REPLY', wrong.map(wrongTypeText).join(', '))
}

/** Reports once that a reading fails, and once that it works again. */
function openReporter(telemetry: App['telemetry']): (unread: readonly Unread[]) => void {
  const failing = new Set<string>()
  return (unread) => {
    for (const { reading, why } of unread) {
      if (!failing.has(reading)) telemetry.emit('readingFailed', { reading, error: why })
      failing.add(reading)
    }
    for (const reading of failing) {
      if (unread.some((one) => one.reading === reading)) continue
      failing.delete(reading)
      telemetry.emit('readingBack', { reading })
    }
  }
}

/** Returns true during a repartition: before it moves anything it writes the new layout into each partition. */
async function isMoving({ redis, partitions: [keys] }: App): Promise<boolean> {
  const layout = keys && (await redis.get(keys.layoutKey))
  return typeof layout === 'string' && layout !== keys?.layout
}

/** 512: the mean of a sample is within 3 / √(orders in it) of the mean of all buckets. */
const sampledBuckets = 512

async function readLedger(app: App): Promise<number> {
  const generation = await generationNow(app)
  const means = app.partitions.flatMap((keys) =>
    [generation, generation - 1].map((of) => meanBucket({ ...app, keys }, of, sampledBuckets)),
  )
  return Math.round(sum(await Promise.all(means)) * app.config.ledgerBuckets)
}
