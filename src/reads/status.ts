import { type CountedLetters, readDeadLetters } from '../control/dead-letters.ts'
import { readLiving } from '../control/living.ts'
import { type Pauses, readPauses } from '../control/pauses.ts'
import type { ControlKeys, Keys } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { isMissingStream } from '../redis/errors.ts'
import { readGlobalStats, type Totals } from '../stages/aggregate.ts'
import { archive } from '../stages/archive/archive.ts'
import type { Pipeline, Stage } from '../stages/placed.ts'
import { groupNamed } from '../stages/runner/groups.ts'
import { idMs, timeMs } from '../stream-id.ts'
import { sum, sumBy } from '../sums.ts'
import { type ArchiveState, failureText, readArchiveState } from './archive/state.ts'
import { openBacklog, type StageBacklog } from './backlog.ts'
import { firstId } from './first-id.ts'
import { type Reading, readApart, type Unread } from './readings.ts'
import { type StallConfig, stallOf } from './stalls.ts'

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
  /** Time since the oldest order that waits or is pending came to the stage; null where there is none. */
  readonly oldestWaitingMs: number | null
  /** Processes that run it. */
  readonly processes: number | null
  /** A sentence if it does no work although it should (stalls.ts). */
  readonly stall: string | null
}

/** A component that reads from SQS. */
export type SourceStatus = Pick<StageStatus, 'processes' | 'stall'>

/** A value that cannot be read is null and listed in `unread`. */
export interface Status {
  /** Time of the reading by Redis' clock. */
  readonly atMs: number
  readonly counters: Readonly<Record<string, number>> | null
  readonly totals: Totals | null
  readonly invalid: number | null
  readonly bridge: SourceStatus
  readonly stages: readonly StageStatus[]
  /** The paused components. */
  readonly paused: Pauses | null
  /** As a bridge counted them in the last minutes; null if none has, or it cannot be read. */
  readonly deadLetters: CountedLetters | null
  /** Null where there is no archive, or it cannot be read. */
  readonly archive: ArchiveState | null
  readonly unread: readonly Unread[]
}

/** Names the readings that a status is made of. */
export const statusReadings = ({ stages }: Pipeline): string[] => [
  ...['counters', 'global stats', 'invalid channel', 'paused', 'processes', 'dead letters'],
  ...stages.map(streamOf),
  ...stages.flatMap(({ name }) => (name === archive.name ? 'archive' : [])),
]

/** Says which components do no work although they should, one sentence each. */
export const stallsOf = ({ bridge, stages }: Status): string[] =>
  [bridge, ...stages].flatMap(({ stall }) => stall ?? [])

/** Readings without which a component that does no work is named all the same. */
const dispensable = ['counters', 'global stats', 'invalid channel', 'dead letters']

/** Returns what could not be read, so that a component that does no work may not be named. */
export const unknownStallsOf = ({ unread }: Status): Unread[] =>
  unread.filter(({ reading }) => !dispensable.includes(reading))

function streamOf({ name }: Stage): string {
  return `stream of ${name}`
}

/** The pipeline and all keys that a status covers. */
export interface Whole {
  readonly config: StallConfig
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
  { config, partitions, control, pipeline }: Whole,
  readBacklog = openBacklog({ redis, partitions, pipeline }),
): Promise<Status> {
  const invalids = partitions.map(({ invalidOrders }) => redis.llen(invalidOrders))
  const archived = pipeline.stage(archive.name) ? readArchiveState(redis, partitions) : Promise.resolve(null)
  const [time, backlog, totals, invalid, paused, living, letters, kept, ...groups] = await Promise.all([
    redis.time(),
    readApart('counters', readBacklog()),
    readApart('global stats', readGlobalStats(redis, partitions)),
    readApart('invalid channel', Promise.all(invalids).then(sum)),
    readApart('paused', readPauses(redis, control)),
    readApart('processes', readLiving(redis, control)),
    readApart('dead letters', readDeadLetters(redis, control)),
    readApart('archive', archived),
    ...pipeline.stages.map((stage) => readApart(streamOf(stage), readGroups(redis, partitions, stage))),
  ])
  const atMs = timeMs(time)
  const runs = (name: string, waits: Waits): SourceStatus => {
    const { processes, idleMs } = living.value?.(name) ?? { processes: null, idleMs: null }
    const isPaused = paused.value === undefined || name in paused.value
    const failed = name === archive.name ? kept.value?.failure : undefined
    const failure = failed ? failureText(failed) : null
    return { processes, stall: stallOf({ name, paused: isPaused, processes, idleMs, failure, ...waits }, config) }
  }
  const stages = pipeline.stages.map((stage, at): StageStatus => {
    const { oldestMs, oldestUndeliveredMs, ...group } = groups[at]?.value ?? unknown
    const [oldestPendingMs, oldestUndelivered] = [ageOf(atMs, oldestMs), ageOf(atMs, oldestUndeliveredMs)]
    const ages = [oldestPendingMs, oldestUndelivered].filter((age) => age !== null)
    const { waiting, unaccounted } = backlog.value?.stages[at] ?? { waiting: null, unaccounted: null }
    const waits: Waits = { waiting, oldestWaitingMs: ages.length > 0 ? Math.max(...ages) : null }
    return { stage: stage.name, unaccounted, ...group, oldestPendingMs, ...waits, ...runs(stage.name, waits) }
  })
  const bridge = runs('bridge', { waiting: null, oldestWaitingMs: null })
  const readings: Reading<unknown>[] = [backlog, totals, invalid, paused, living, letters, kept, ...groups]
  return {
    ...{ atMs, bridge, stages, counters: backlog.value?.counters ?? null, totals: totals.value ?? null },
    ...{ invalid: invalid.value ?? null, paused: paused.value ?? null, deadLetters: letters.value ?? null },
    archive: kept.value ?? null,
    unread: readings.flatMap(({ unread }) => unread),
  }
}

type Waits = Pick<StageStatus, 'waiting' | 'oldestWaitingMs'>

const ageOf = (atMs: number, ms: number | null): number | null => (ms === null ? null : Math.max(0, atMs - ms))

const unknown = { pending: null, oldestMs: null, oldestUndeliveredMs: null, lag: null, consumers: null }

interface Group {
  readonly pending: number
  readonly lag: number | null
  readonly consumers: number
  /** Time at which the oldest pending entry was written. */
  readonly oldestMs: number | null
  /** Time at which the oldest entry that no consumer has was written. */
  readonly oldestUndeliveredMs: number | null
}

const nothing: Group = { pending: 0, oldestMs: null, oldestUndeliveredMs: null, lag: 0, consumers: 0 }

async function readGroups(redis: RedisClient, partitions: readonly Keys[], stage: Stage): Promise<Group> {
  const groups = await Promise.all(partitions.map((keys) => readGroup(redis, keys, stage)))
  const oldestOf = (times: readonly (number | null)[]): number | null => {
    const known = times.filter((time) => time !== null)
    return known.length > 0 ? Math.min(...known) : null
  }
  return {
    pending: sumBy(groups, ({ pending }) => pending),
    oldestMs: oldestOf(groups.map(({ oldestMs }) => oldestMs)),
    oldestUndeliveredMs: oldestOf(groups.map(({ oldestUndeliveredMs }) => oldestUndeliveredMs)),
    lag: groups.reduce<number | null>((sum, { lag }) => (sum === null || lag === null ? null : sum + lag), 0),
    consumers: sumBy(groups, ({ consumers }) => consumers),
  }
}

async function readGroup(redis: RedisClient, keys: Keys, { name, from }: Stage): Promise<Group> {
  const stream = keys.stream(from)
  try {
    const group = groupNamed(await redis.xinfo('GROUPS', stream), name)
    if (!group) return { ...nothing, oldestUndeliveredMs: await oldestFrom(redis, stream, '-') }
    const pending = Number(group['pending'])
    const lag = group['lag']
    const [summary, oldestUndeliveredMs] = await Promise.all([
      pending > 0 ? (redis.xpending(stream, name) as Promise<[number, string | null]>) : undefined,
      lag === 0 ? null : oldestFrom(redis, stream, `(${group['last-delivered-id']}`),
    ])
    const oldest = summary?.[1]
    return {
      pending,
      oldestMs: oldest ? Number.parseInt(oldest, 10) : null,
      oldestUndeliveredMs,
      lag: lag === null || lag === undefined ? null : Number(lag),
      consumers: Number(group['consumers']),
    }
  } catch (error) {
    if (isMissingStream(error)) return nothing
    throw error
  }
}

/** Returns when the first entry from an id on was written; null if there is none. */
async function oldestFrom(redis: RedisClient, stream: string, id: string): Promise<number | null> {
  const oldest = await firstId(redis, stream, id)
  return oldest === null ? null : idMs(oldest)
}
