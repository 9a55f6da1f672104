import { type Pauses, readPauses } from '../control/pauses.ts'
import type { ControlKeys, Keys } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { isMissingStream } from '../redis/errors.ts'
import { readGlobalStats, type Totals } from '../stages/aggregate.ts'
import { groupNamed } from '../stages/runner/groups.ts'
import type { Pipeline, Stage } from '../stages/stage.ts'
import { timeMs } from '../stream-id.ts'
import { sum, sumBy } from '../sums.ts'
import { openBacklog, type StageBacklog } from './backlog.ts'
import { type Reading, readApart, type Unread } from './readings.ts'

export interface StageStatus extends Omit<StageBacklog, 'waiting'> {
  /** Orders that came in and have not gone out; null where the counters cannot be read. */
  readonly waiting: number | null
  /** Entries delivered to a consumer and not acknowledged. */
  readonly pending: number | null
  /** Time since the oldest of them came to the stage; null where none is pending. */
  readonly oldestPendingMs: number | null
  /** Entries not delivered to any consumer; null where Redis does not know. */
  readonly lag: number | null
  /** Summed over all partitions. */
  readonly consumers: number | null
}

/** A value that cannot be read is null and listed in `unread`. */
export interface Status {
  /** Time of the reading by Redis' clock. */
  readonly atMs: number
  readonly counters: Readonly<Record<string, number>> | null
  readonly totals: Totals | null
  readonly invalid: number | null
  readonly stages: readonly StageStatus[]
  /** The paused components. */
  readonly paused: Pauses | null
  readonly unread: readonly Unread[]
}

/** Names the readings that a status is made of. */
export const statusReadings = ({ stages }: Pipeline): string[] => [
  ...['counters', 'global stats', 'invalid channel', 'paused'],
  ...stages.map(streamOf),
]

function streamOf({ name }: Stage): string {
  return `stream of ${name}`
}

/** The pipeline and all keys that a status covers. */
export interface Whole {
  readonly pipeline: Pipeline
  readonly partitions: readonly Keys[]
  readonly control: ControlKeys
}

/**
 * Reads the status of all partitions together.
 * @param readBacklog a reader to share between repeated calls; without it, missing orders are measured in each call
 */
export async function readStatus(
  redis: RedisClient,
  { partitions, control, pipeline }: Whole,
  readBacklog = openBacklog({ redis, partitions, pipeline }),
): Promise<Status> {
  const invalids = partitions.map(({ invalidOrders }) => redis.llen(invalidOrders))
  const [time, backlog, totals, invalid, paused, ...groups] = await Promise.all([
    redis.time(),
    readApart('counters', readBacklog()),
    readApart('global stats', readGlobalStats(redis, partitions)),
    readApart('invalid channel', Promise.all(invalids).then(sum)),
    readApart('paused', readPauses(redis, control)),
    ...pipeline.stages.map((stage) => readApart(streamOf(stage), readGroups(redis, partitions, stage))),
  ])
  const atMs = timeMs(time)
  const stages = pipeline.stages.map((stage, at): StageStatus => {
    const { oldestMs, ...group } = groups[at]?.value ?? unknown
    const oldestPendingMs = oldestMs === null ? null : Math.max(0, atMs - oldestMs)
    const { waiting, unaccounted } = backlog.value?.stages[at] ?? { waiting: null, unaccounted: null }
    return { stage: stage.name, waiting, unaccounted, ...group, oldestPendingMs }
  })
  const readings: Reading<unknown>[] = [backlog, totals, invalid, paused, ...groups]
  return {
    ...{ atMs, stages, counters: backlog.value?.counters ?? null, totals: totals.value ?? null },
    ...{ invalid: invalid.value ?? null, paused: paused.value ?? null },
    unread: readings.flatMap(({ unread }) => unread),
  }
}

const unknown = { pending: null, oldestMs: null, lag: null, consumers: null }

interface Group {
  readonly pending: number
  readonly lag: number | null
  readonly consumers: number
  /** Time at which the oldest pending entry was written. */
  readonly oldestMs: number | null
}

const nothing: Group = { pending: 0, oldestMs: null, lag: 0, consumers: 0 }

async function readGroups(redis: RedisClient, partitions: readonly Keys[], stage: Stage): Promise<Group> {
  const groups = await Promise.all(partitions.map((keys) => readGroup(redis, keys, stage)))
  const oldest = groups.flatMap(({ oldestMs }) => oldestMs ?? [])
  return {
    pending: sumBy(groups, ({ pending }) => pending),
    oldestMs: oldest.length > 0 ? Math.min(...oldest) : null,
    lag: groups.reduce<number | null>((sum, { lag }) => (sum === null || lag === null ? null : sum + lag), 0),
    consumers: sumBy(groups, ({ consumers }) => consumers),
  }
}

async function readGroup(redis: RedisClient, keys: Keys, { name, from }: Stage): Promise<Group> {
  const stream = keys.stream(from)
  try {
    const group = groupNamed(await redis.xinfo('GROUPS', stream), name)
    if (!group) return nothing
    const pending = Number(group['pending'])
    const lag = group['lag']
    const [, oldest] = pending > 0 ? ((await redis.xpending(stream, name)) as [number, string | null]) : []
    return {
      pending,
      oldestMs: oldest ? Number.parseInt(oldest, 10) : null,
      lag: lag === null || lag === undefined ? null : Number(lag),
      consumers: Number(group['consumers']),
    }
  } catch (error) {
    if (isMissingStream(error)) return nothing
    throw error
  }
}
