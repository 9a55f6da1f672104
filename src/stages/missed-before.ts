import type { App } from '../app.ts'
import { maxId, newestId } from '../stream-id.ts'
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
