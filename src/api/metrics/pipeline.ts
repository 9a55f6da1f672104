import type { App } from '../../app.ts'
import { incidentKinds, type OpenIncident, readIncidents } from '../../control/incidents.ts'
import { OrdersError } from '../../errors.ts'
import { rejectCodes } from '../../messages.ts'
import { openBacklog } from '../../reads/backlog.ts'
import { readBooks } from '../../reads/books.ts'
import { readApart, type Unread } from '../../reads/readings.ts'
import { readStatus, type StageStatus, type Status, statusReadings } from '../../reads/status.ts'
import { fullestOf, type RedisClient } from '../../redis/client.ts'
import { noEviction, readEviction } from '../../redis/eviction.ts'
import { namedKeys, wrongTypes, wrongTypeText } from '../../redis/key-types.ts'
import { foreignBy, lostBy, outflowOf, pipeline } from '../../stages/pipeline.ts'
import { generationNow, meanBucket } from '../../stages/runner/ledger.ts'
import { remember } from '../cached.ts'
import { parts } from '../routes/steering.ts'
import { stages } from './flow.ts'
import type { Metric, ReadMetric, Sample } from './metric.ts'

/** How the pipeline stands; undefined is what could not be read. */
export interface PipelineReading {
  readonly status: Status
  /** 0 is what Redis does not tell, or no limit. */
  readonly memory: { readonly used: number; readonly most: number } | undefined
  readonly differences: number | undefined
  /** Lines in the ledger, by a sample. */
  readonly ledger: number | undefined
  readonly unread: readonly Unread[]
  readonly incidents: readonly OpenIncident[] | undefined
  /** Whether a server throws keys away when it is full. */
  readonly evicts: boolean | undefined
  /** Whether a repartition moves the counters, which are not all there until it ends. */
  readonly moving: boolean
}

/** What is read, each apart. `keys` is the types of our keys, `books` whether they balance. */
const readings = [...statusReadings, 'memory', 'incidents', 'books', 'ledger', 'keys', 'eviction']

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
    'orders_reading_failing',
    '1 while this API cannot read that part of the pipeline, though Redis answers; the metrics of it are absent.',
    {
      labels: { reading: readings },
      read: ({ unread }) =>
        readings.map((name): Sample => [unread.some(({ reading }) => reading === name) ? 1 : 0, name]),
    },
  ),
  ofApi(
    'orders_booked_total',
    'Orders by the books in Redis, which are exact whatever process was killed. received = admitted + duplicates + rejected + validate:lost + waiting; what no stage of ours wrote is foreign.',
    {
      type: 'counter',
      labels: { counter: booked },
      read: ({ status: { counters }, moving }) =>
        moving ? [] : booked.map((name): Sample => [counters && (counters[name] ?? 0), name]),
    },
  ),
  ofApi('orders_rejected_total', 'Orders rejected, by code, by the books in Redis.', {
    type: 'counter',
    labels: { code: rejectCodes },
    read: ({ status: { counters } }) =>
      rejectCodes.map((code): Sample => [counters && (counters[`rejected:${code}`] ?? 0), code]),
  }),
  ofStages('orders_waiting', 'Orders that wait for a stage or are in its hands.', ({ waiting }) => waiting),
  ofStages('orders_pending_entries', 'Entries delivered to a consumer and not acknowledged yet.', (of) => of.pending),
  ofStages('orders_oldest_pending_age_seconds', 'How long ago the oldest pending entry came to its stream.', (of) =>
    of.oldestPendingMs === null ? of.pending && 0 : of.oldestPendingMs / 1_000,
  ),
  ofStages(
    'orders_consumers',
    'Consumers of a stage, dead ones that are not taken off the list yet included.',
    (of) => of.consumers,
  ),
  ofApi('orders_invalid', 'Orders in the invalid channel.', { read: ({ status }) => [[status.invalid]] }),
  ofApi('orders_paused', '1 for a part that an operator has paused.', {
    labels: { part: parts },
    read: ({ status: { paused } }) => parts.map((part): Sample => [paused && (part in paused ? 1 : 0), part]),
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
        const ever = counters ? (counters['admitted'] ?? 0) + (counters['rejected'] ?? 0) : Number.POSITIVE_INFINITY
        return [[ledger === undefined ? undefined : Math.min(ledger, ever)]]
      },
    },
  ),
  ofApi('orders_incidents', "What happened to Redis' data from outside and is not acknowledged yet.", {
    labels: { kind: incidentKinds },
    read: ({ incidents }) =>
      incidentKinds.map((kind): Sample => [incidents?.filter((incident) => incident.kind === kind).length, kind]),
  }),
  ofApi(
    'orders_redis_evicts',
    '1 if maxmemory-policy lets Redis throw keys away when it is full; absent where it cannot be read.',
    { read: ({ evicts }) => [[evicts === undefined ? undefined : Number(evicts)]] },
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
const evictionMs = 5_000
const measureEveryMs = 10_000

/**
 * Reads all of it in two round trips, most of it in the first: commands of one moment go in one write.
 * @throws what Redis says when it does not answer
 */
export function openPipelineReader(app: App, redis: RedisClient): () => Promise<PipelineReading> {
  const books = remember(rarelyMs, () => readApart('books', readBooks(redis, app.partitions)))
  const ledger = remember(rarelyMs, () => readApart('ledger', readLedger(app, redis)))
  const keys = remember(rarelyMs, () => readApart('keys', requireTypes(app, redis)))
  const eviction = remember(evictionMs, () => readApart('eviction', readEviction(redis)))
  const backlog = openBacklog({ ...app, redis }, { everyMs: measureEveryMs })
  const tell = teller(app.telemetry)
  return async () => {
    const [status, memory, incidents, moving, ...rare] = await Promise.all([
      readStatus(redis, app, backlog),
      readApart('memory', fullestOf(redis, app.partitions)),
      readApart('incidents', readIncidents(redis)),
      readApart('keys', isMoving(app, redis)),
      ...([books(), ledger(), keys(), eviction()] as const),
    ])
    const [found, lines, , servers] = rare
    const unreadBooks = found?.value?.unread.map((why) => ({ reading: 'books', why })) ?? []
    const unread = [
      ...[memory, incidents, ...rare].flatMap((one) => one?.unread ?? []),
      ...unreadBooks,
      ...status.unread,
    ]
    tell(unread)
    const differences = found?.value && found.value.differences.length - found.value.unread.length
    const policies = servers?.value ?? []
    return {
      status,
      memory: memory.value,
      differences,
      ledger: lines?.value,
      incidents: incidents.value,
      evicts: policies.length > 0 ? policies.some(({ policy }) => policy !== noEviction) : undefined,
      moving: moving.value ?? false, // of another type: the reading of the keys says so
      unread,
    }
  }
}

/** @throws OrdersError ORD_REDIS_REPLY where one of the keys that a name is known of has another type */
async function requireTypes({ partitions, control }: App, redis: RedisClient): Promise<void> {
  const wrong = await wrongTypes(redis, namedKeys(partitions, control, stages))
  if (wrong.length > 0) throw new OrdersError('ORD_REDIS_REPLY', wrong.map(wrongTypeText).join(', '))
}

/** Says once that a reading fails, and once that it does not any more. */
function teller(telemetry: App['telemetry']): (unread: readonly Unread[]) => void {
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

/** A repartition names the partitions that there will be in each that there is, before it moves anything. */
async function isMoving({ partitions: [keys] }: App, redis: RedisClient): Promise<boolean> {
  const layout = keys && (await redis.get(keys.layoutKey))
  return typeof layout === 'string' && layout !== keys?.layout
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
