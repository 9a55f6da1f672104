import type { App } from '../../app.ts'
import { type Keys, shadowPrefix } from '../../keys.ts'
import type { RedisClient } from '../../redis/client.ts'
import { masterOf } from '../../redis/cluster.ts'

const anyTime = async (): Promise<void> => {}

/**
 * Deletes what a rebuild has built, and all that flips have kept: both name users. What was compared before cannot be flipped.
 * @param alive called before each write
 */
export async function dropShadows(
  { redis, partitions }: Pick<App, 'redis' | 'partitions'>,
  alive: () => Promise<void> = anyTime,
): Promise<void> {
  for (const keys of partitions) {
    await alive()
    await redis.unlink(keys.rebuildProgress, keys.compared)
    await clearShadow(redis, keys, alive)
    await unlinkLike(redis, keys, keys.rebuildKept(''), alive)
  }
}

/** Deletes the shadow keys of a partition, of all runs. */
export const clearShadow = (redis: RedisClient, keys: Keys, alive: () => Promise<void>): Promise<void> =>
  unlinkLike(redis, keys, shadowPrefix(keys), alive)

async function unlinkLike(redis: RedisClient, keys: Keys, prefix: string, alive: () => Promise<void>): Promise<void> {
  const node = await masterOf(redis, keys.counters)
  for (let cursor = '', found: string[]; cursor !== '0'; ) {
    ;[cursor, found] = await node.scan(cursor || '0', 'MATCH', `${prefix}*`, 'COUNT', 1_000)
    await alive() // after the scan: what it found is older than whatever takes over from here
    if (found.length > 0) await redis.unlink(...found)
  }
}
