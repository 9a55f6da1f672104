import type { ControlKeys, Keys } from '../keys.ts'
import type { RedisClient } from '../redis.ts'
import { readSteering, type Steering } from '../steering.ts'
import { timeMs } from '../time.ts'
import { readGlobalStats, type Totals } from './aggregate.ts'
import { openBacklog, type StageBacklog } from './backlog.ts'
import { groupNamed } from './groups.ts'
import { pipeline } from './pipeline.ts'
import type { Stage } from './stage.ts'

export interface StageStatus extends StageBacklog {
  /** Entries delivered to a consumer and not acknowledged. */
  readonly pending: number
  /** How long ago the oldest of them came to the stage; null where none is pending. */
  readonly oldestPendingMs: number | null
  /** Entries not delivered to any consumer; null where Redis cannot tell. */
  readonly lag: number | null
  /** Of a stage that works on several partitions, on each. */
  readonly consumers: number
}

export interface Status {
  /** When it was read, by Redis' clock. */
  readonly atMs: number
  readonly counters: Readonly<Record<string, number>>
  readonly totals: Totals
  readonly invalid: number
  readonly stages: readonly StageStatus[]
  /** The parts that are paused. */
  readonly paused: Steering
}

/** What a status is read of. */
export interface Whole {
  readonly partitions: readonly Keys[]
  readonly control: ControlKeys
}

/**
 * Of all partitions together.
 * @param readBacklog for who reads again and again; else what is missing is measured each time
 */
export async function readStatus(
  redis: RedisClient,
  { partitions, control }: Whole,
  readBacklog = openBacklog({ redis, partitions }),
): Promise<Status> {
  const invalids = partitions.map(({ invalidOrders }) => redis.llen(invalidOrders))
  const [time, backlog, totals, invalid, paused, ...groups] = await Promise.all([
    redis.time(),
    readBacklog(),
    readGlobalStats(redis, partitions),
    Promise.all(invalids).then((lengths) => lengths.reduce((sum, length) => sum + length)),
    readSteering(redis, control),
    ...pipeline.map((stage) => readGroups(redis, partitions, stage)),
  ])
  const atMs = timeMs(time)
  const stages = backlog.stages.map((stage, at) => {
    const { oldestMs = null, ...group } = groups[at] ?? nothing
    const oldestPendingMs = oldestMs === null ? null : Math.max(0, atMs - oldestMs)
    return { ...stage, ...group, oldestPendingMs }
  })
  return { atMs, counters: backlog.counters, totals, invalid, stages, paused }
}

interface Group extends Pick<StageStatus, 'pending' | 'lag' | 'consumers'> {
  /** When the oldest pending entry was written. */
  readonly oldestMs: number | null
}

const nothing: Group = { pending: 0, oldestMs: null, lag: 0, consumers: 0 }

async function readGroups(redis: RedisClient, partitions: readonly Keys[], stage: Stage): Promise<Group> {
  const groups = await Promise.all(partitions.map((keys) => readGroup(redis, keys, stage)))
  const oldest = groups.flatMap(({ oldestMs }) => oldestMs ?? [])
  return {
    pending: groups.reduce((sum, { pending }) => sum + pending, 0),
    oldestMs: oldest.length > 0 ? Math.min(...oldest) : null,
    lag: groups.reduce<number | null>((sum, { lag }) => (sum === null || lag === null ? null : sum + lag), 0),
    consumers: groups.reduce((sum, { consumers }) => sum + consumers, 0),
  }
}

async function readGroup(redis: RedisClient, keys: Keys, { name, from }: Stage): Promise<Group> {
  const stream = keys.stream[from]
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
    if (error instanceof Error && error.message.includes('no such key')) return nothing
    throw error
  }
}
