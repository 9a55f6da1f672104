import type { App } from '../app.ts'
import type { Keys } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { maxId, minId, newestId } from '../stream-id.ts'
import { archive } from './archive/archive.ts'
import type { Stage } from './placed.ts'

type Scope = Pick<App, 'redis' | 'partitions'>

/**
 * Returns the id before which a stage may have missed orders, as they passed before it was added. Undefined if it has missed
 * none. `maxId` where that is not known, as after a rebuild from the archive of another Redis.
 */
export async function missedBefore({ redis, partitions }: Scope, stage: Stage): Promise<string | undefined> {
  const begins = await Promise.all(
    partitions.map(async (keys) => {
      const missed = Number(await redis.hget(keys.counters, stage.counters.missed))
      return missed > 0 ? [(await redis.hget(keys.missedBefore, stage.name)) ?? maxId] : []
    }),
  )
  return newestId(begins.flat())
}

/** Writes down that a stage has had all orders from an entry on: a backfill has given it those that it missed. */
export async function hadFrom({ redis, partitions }: Scope, stage: Stage, id: string): Promise<void> {
  for (const keys of partitions) await redis.hset(keys.missedBefore, stage.name, id)
}

/** Reads the ids of all partitions together, by stage, as a repartition keeps them. */
export async function readMissedBefore({ redis, partitions }: Scope): Promise<Record<string, string>> {
  const all = await Promise.all(partitions.map((keys) => redis.hgetall(keys.missedBefore)))
  const ids = Map.groupBy(all.flatMap(Object.entries<string>), ([stage]) => stage)
  return Object.fromEntries([...ids].map(([stage, own]) => [stage, newestId(own.map(([, id]) => id)) ?? maxId]))
}

/** The fields of `missedBefore` in a partition: by stage, and with a prefix. */
type Begins = Readonly<Record<string, string>>

/** Prefix of a stage that was away: where it began first (see groups.lua). */
const firstField = 'first '
/** Prefix of a stage that has counted nothing that the archive missed before that entry. */
const soundField = 'sound '

/** Reads where the stages of a partition have begun, and how many orders each has missed there. */
export async function readBegins(
  redis: RedisClient,
  { missedBefore, counters }: Keys,
  stages: readonly Stage[],
): Promise<{ readonly begins: Begins; readonly missed: ReadonlyMap<string, number> }> {
  const begins = await redis.hgetall(missedBefore)
  const counts = await redis.hmget(counters, ...stages.map((stage) => stage.counters.missed))
  return { begins, missed: new Map(stages.map(({ name }, at) => [name, Number(counts[at] ?? 0)])) }
}

/** Returns the id before which a stage has counted nothing; `minId` where it has had all from the start, or that is not known. */
export function firstBegin(begins: Begins, stage: string, missed = 0): string {
  return (missed > 0 ? (begins[firstField + stage] ?? begins[stage]) : undefined) ?? minId
}

/** Returns the id up to which `markSound` has found a stage to be sound; `minId` if it has not. */
export const soundUntil = (begins: Begins, stage: string): string => begins[soundField + stage] ?? minId

/** Writes down that stages have counted nothing of what the archive has missed so far. */
export async function markSound({ redis, partitions }: Scope, stages: readonly Stage[]): Promise<void> {
  for (const { missedBefore } of partitions) {
    const before = await redis.hget(missedBefore, archive.name)
    if (before === null) continue
    await redis.hset(missedBefore, Object.fromEntries(stages.map(({ name }) => [soundField + name, before])))
  }
}
