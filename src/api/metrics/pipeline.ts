import { incidentKinds } from '../../control/incidents.ts'
import { jobStates, queueNames } from '../../control/job-queues.ts'
import { recordedKinds } from '../../corrections.ts'
import { loweredBy } from '../../reads/counters.ts'
import { type StageStatus, statusReadings } from '../../reads/status.ts'
import { rejectCodes } from '../../reject-codes.ts'
import type { Pipeline } from '../../stages/placed.ts'
import type { Metric, ReadMetric, Sample } from './metric.ts'
import type { PipelineReading } from './pipeline-reader.ts'

/** Names the separate readings. `keys` checks the types of keys, `books` whether they balance. */
const readings = (pipeline: Pipeline): string[] => [
  ...statusReadings(pipeline),
  ...['memory', 'incidents', 'jobs', 'books', 'ledger', 'keys', 'eviction'],
]

/** Counters of the books that only grow, but for flips (see `loweredBy`). A replay subtracts what a later stage rejected, so that is left out. */
const booked = ({ growing, stages }: Pipeline): string[] => [
  ...growing,
  ...['replayed', 'discarded', 'erased:invalid', 'expired:invalid', 'erased:discarded', 'expired:discarded'],
  ...stages.map(({ counters }) => counters.lost),
  ...stages.flatMap(({ isFirst, counters }) => (isFirst ? [] : [counters.foreign])),
]

/** Metrics of the whole pipeline. Only the API serves them, so that sums over processes are right. */
export const pipelineMetrics: readonly ReadMetric<PipelineReading>[] = [
  ofApi(
    'orders_reading_failing',
    '1 while this API cannot read that part of the pipeline although Redis answers; its metrics are absent.',
    {
      labels: { reading: readings },
      read: ({ unread }, pipeline) =>
        readings(pipeline).map((name): Sample => [unread.some(({ reading }) => reading === name) ? 1 : 0, name]),
    },
  ),
  ofApi(
    'orders_booked_total',
    'Orders by the books in Redis, which stay exact when a process is killed. received = admitted + corrected + duplicates + rejected + validate:lost + waiting; foreign: orders that another client wrote.',
    {
      type: 'counter',
      labels: { counter: booked },
      read: ({ status: { counters }, moving }, pipeline) =>
        moving
          ? []
          : booked(pipeline).map(
              (name): Sample => [counters && (counters[name] ?? 0) + (counters[loweredBy(name)] ?? 0), name],
            ),
    },
  ),
  ofApi('orders_rejected_total', 'Orders rejected, by code, by the books in Redis.', {
    type: 'counter',
    labels: { code: rejectCodes },
    read: ({ status: { counters } }) =>
      rejectCodes.map((code): Sample => [counters && (counters[`rejected:${code}`] ?? 0), code]),
  }),
  ofApi('orders_corrected_total', 'Corrections of orders, by kind, by the books in Redis.', {
    type: 'counter',
    labels: { kind: recordedKinds },
    read: ({ status: { counters } }) =>
      recordedKinds.map((kind): Sample => [counters && (counters[`corrected:${kind}`] ?? 0), kind]),
  }),
  ofStages('orders_waiting', 'Orders that wait for a stage or are in flight there.', ({ waiting }) => waiting),
  ofStages('orders_pending_entries', 'Entries delivered to a consumer and not acknowledged yet.', (of) => of.pending),
  ofStages('orders_oldest_pending_age_seconds', 'Age of the oldest pending entry.', (of) =>
    of.oldestPendingMs === null ? of.pending && 0 : of.oldestPendingMs / 1_000,
  ),
  ofStages(
    'orders_oldest_waiting_age_seconds',
    'Time since the oldest order that waits for a stage or is in flight there came to it.',
    (of) => (of.oldestWaitingMs === null ? of.pending && 0 : of.oldestWaitingMs / 1_000),
  ),
  ofApi('orders_processes', 'Living processes that run the component.', {
    labels: { component: ({ components }) => components },
    read: ({ status: { bridge, stages } }) => [
      [bridge.processes, 'bridge'],
      ...stages.map(({ stage, processes }): Sample => [processes, stage]),
    ],
  }),
  ofApi('orders_jobs', 'Jobs that have not completed, by state; a failed one counts until it is retried or removed.', {
    labels: { queue: queueNames, state: jobStates },
    read: ({ jobs = [] }) =>
      jobs.flatMap(([queue, counts]) => jobStates.map((state): Sample => [counts[state], queue, state])),
  }),
  ofApi('orders_invalid', 'Orders in the invalid channel.', { read: ({ status }) => [[status.invalid]] }),
  ofApi('orders_paused', '1 while an operator has paused the component.', {
    labels: { component: ({ components }) => components },
    read: ({ status: { paused } }, { components }) =>
      components.map((component): Sample => [paused && (component in paused ? 1 : 0), component]),
  }),
  ofStages(
    'orders_unaccounted',
    'Orders that were deleted from the stream of a stage before it had committed them, and are not written off. Absent while too many orders wait to measure it.',
    ({ unaccounted }) => (unaccounted === null ? null : Math.max(0, unaccounted)),
  ),
  ofApi('orders_integrity_differences', 'Differences in the books, except missing orders; read once a minute.', {
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
  ofApi('orders_incidents', "Incidents: changes to Redis' data from outside that are not acknowledged yet.", {
    labels: { kind: incidentKinds },
    read: ({ incidents }) =>
      incidentKinds.map((kind): Sample => [incidents?.filter((incident) => incident.kind === kind).length, kind]),
  }),
  ofApi('orders_archive_segments_total', 'Segments that the archive has written since its chains began.', {
    type: 'counter',
    read: ({ status: { archive } }) => [[archive?.segments]],
  }),
  ofApi('orders_archive_bytes_total', 'Bytes of the segments that the archive has written since its chains began.', {
    type: 'counter',
    read: ({ status: { archive } }) => [[archive?.bytes]],
  }),
  ofApi('orders_archive_last_line_age_seconds', 'Time since the archive last committed a line of its manifest.', {
    read: ({ status: { archive, atMs } }) => [[archive?.lastAt ? (atMs - Date.parse(archive.lastAt)) / 1_000 : null]],
  }),
  ofApi('orders_archive_failing', '1 while the archive cannot be written: its orders wait.', {
    read: ({ status: { archive } }) => [[archive && (archive.failure ? 1 : 0)]],
  }),
  ofApi(
    'orders_redis_evicting',
    '1 if maxmemory-policy lets Redis evict keys when it is full; absent if it cannot be read.',
    { read: ({ evicts }) => [[evicts === undefined ? undefined : Number(evicts)]] },
  ),
  ofApi('orders_redis_memory_used_bytes', 'Memory that Redis uses.', {
    read: ({ memory }) => [[memory?.used || undefined]],
  }),
  ofApi('orders_redis_memory_max_bytes', "Redis' maxmemory; absent if it has none.", {
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
    labels: { stage: ({ names }) => names },
    read: ({ status }) => status.stages.map((stage): Sample => [read(stage), stage.stage]),
  })
}
