import type { App } from '../../app.ts'
import { rejectCodes } from '../../messages.ts'
import { fullestOf, type RedisClient } from '../../redis.ts'
import { openBacklog } from '../../stages/backlog.ts'
import { readBooks } from '../../stages/books.ts'
import { generationNow, meanBucket } from '../../stages/ledger.ts'
import { foreignBy, lostBy, outflowOf, pipeline } from '../../stages/pipeline.ts'
import { readStatus, type StageStatus, type Status } from '../../stages/status.ts'
import { remember } from '../remember.ts'
import { parts } from '../routes/steering.ts'
import { stages } from './line.ts'
import type { Metric, ReadMetric, Sample } from './metric.ts'

/** How the pipeline stands; undefined is what could not be read. */
export interface PipelineReading {
  readonly status: Status
  /** 0 is what Redis does not tell, or no limit. */
  readonly memory: { readonly used: number; readonly most: number } | undefined
  readonly differences: number | undefined
  /** Lines in the ledger, by a sample. */
  readonly ledger: number | undefined
}

/** The counters of the books that only grow; what a later stage rejected is taken back when it is replayed. */
const booked = [
  'received',
  ...pipeline.flatMap((stage) => (stage.from === 'raw' ? outflowOf(stage) : [stage.counts])),
  ...['replayed', 'discarded'],
  ...pipeline.map(lostBy),
  ...pipeline.filter(({ from }) => from !== 'raw').map(foreignBy),
]

/** Of the whole pipeline: served by the API alone, so that sums over processes are right. */
export const pipelineMetrics: readonly ReadMetric<PipelineReading>[] = [
  ofApi(
    'orders_booked_total',
    'Orders by the books in Redis, which are exact whatever process was killed. received = admitted + duplicates + rejected + validate:lost + waiting; what no stage of ours wrote is foreign.',
    {
      type: 'counter',
      labels: { counter: booked },
      read: ({ status }) => booked.map((name): Sample => [status.counters[name] ?? 0, name]),
    },
  ),
  ofApi('orders_rejected_total', 'Orders rejected, by code, by the books in Redis.', {
    type: 'counter',
    labels: { code: rejectCodes },
    read: ({ status }) => rejectCodes.map((code): Sample => [status.counters[`rejected:${code}`] ?? 0, code]),
  }),
  ofStages('orders_waiting', 'Orders that wait for a stage or are in its hands.', ({ waiting }) => waiting),
  ofStages('orders_pending_entries', 'Entries delivered to a consumer and not acknowledged yet.', (of) => of.pending),
  ofStages('orders_oldest_pending_age_seconds', 'How long ago the oldest pending entry came to its stream.', (of) =>
    of.oldestPendingMs === null ? 0 : of.oldestPendingMs / 1_000,
  ),
  ofStages(
    'orders_consumers',
    'Consumers of a stage, dead ones that are not taken off the list yet included.',
    (of) => of.consumers,
  ),
  ofApi('orders_invalid', 'Orders in the invalid channel.', { read: ({ status }) => [[status.invalid]] }),
  ofApi('orders_paused', '1 for a part that an operator has paused.', {
    labels: { part: parts },
    read: ({ status }) => parts.map((part): Sample => [part in status.paused ? 1 : 0, part]),
  }),
  ofStages(
    'orders_unaccounted',
    'Orders that were deleted from the stream of a stage before it had committed them, and are not written off. Absent while so much waits that it cannot be measured.',
    ({ unaccounted }) => (unaccounted === null ? null : Math.max(0, unaccounted)),
  ),
  ofApi('orders_books_differences', 'What does not balance in the books, missing orders aside; read once a minute.', {
    read: ({ differences }) => [[differences]],
  }),
  ofApi(
    'orders_ledger_entries',
    'Orders and rejected messages that the ledger remembers, by 512 buckets of each generation: within 4 % at a million, never more than were ever admitted or rejected. Read once a minute.',
    {
      read: ({ ledger, status: { counters } }) => {
        const ever = (counters['admitted'] ?? 0) + (counters['rejected'] ?? 0)
        return [[ledger === undefined ? undefined : Math.min(ledger, ever)]]
      },
    },
  ),
  ofApi('orders_redis_memory_used_bytes', 'Memory that Redis uses.', {
    read: ({ memory }) => [[memory?.used || undefined]],
  }),
  ofApi('orders_redis_memory_max_bytes', "Redis' maxmemory; absent where it has none.", {
    read: ({ memory }) => [[memory?.most || undefined]],
  }),
]

type Rest = Pick<ReadMetric<PipelineReading>, 'read'> & Partial<Pick<Metric, 'type' | 'labels'>>

function ofApi(name: string, help: string, rest: Rest): ReadMetric<PipelineReading> {
  return { name, type: 'gauge', help, by: 'api', ...rest }
}

function ofStages(
  name: string,
  help: string,
  read: (status: StageStatus) => number | null,
): ReadMetric<PipelineReading> {
  return ofApi(name, help, {
    labels: { stage: stages },
    read: ({ status }) => status.stages.map((stage): Sample => [read(stage), stage.stage]),
  })
}

/** It takes Redis some 10 ms where much waits. */
const rarelyMs = 60_000
const measureEveryMs = 10_000

/**
 * Reads all of it in two round trips, most of it in the first: commands of one moment go in one write.
 * @throws what Redis says when it does not answer
 */
export function openPipelineReader(app: App, redis: RedisClient): () => Promise<PipelineReading> {
  const books = remember(rarelyMs, async () => (await readBooks(redis, app.partitions)).differences.length)
  const ledger = remember(rarelyMs, () => readLedger(app, redis))
  const backlog = openBacklog({ ...app, redis }, { everyMs: measureEveryMs })
  return async () => {
    const [status, used, differences, lines] = await Promise.all([
      readStatus(redis, app, backlog),
      fullestOf(redis, app.partitions).catch(() => undefined),
      books(),
      ledger(),
    ])
    return { status, memory: used, differences, ledger: lines }
  }
}

/** A mean of so many buckets is within 3 / √(orders in them) of that of all. */
const sampledBuckets = 512

async function readLedger(app: App, redis: RedisClient): Promise<number> {
  const generation = await generationNow({ ...app, redis })
  const means = app.partitions.flatMap((keys) =>
    [generation, generation - 1].map((of) => meanBucket({ ...app, redis, keys }, of, sampledBuckets)),
  )
  const sum = (await Promise.all(means)).reduce((all, mean) => all + mean)
  return Math.round(sum * app.config.ledgerBuckets)
}
