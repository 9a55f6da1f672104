import type { App } from '../../app.ts'
import { type Keys, shadowPrefix } from '../../keys.ts'
import type { RedisClient } from '../../redis/client.ts'
import { keysLike } from '../repartition/move.ts'

const anyTime = async (): Promise<void> => {}

/** Deletes what a rebuild has built, and all that flips have kept. A flip that was compared before is refused. */
export async function dropRebuild(
  { redis, partitions }: Pick<App, 'redis' | 'partitions'>,
  alive: () => Promise<void> = anyTime,
): Promise<void> {
  for (const keys of partitions) await redis.unlink(keys.rebuildProgress)
  for (const keys of partitions) {
    await clearShadow(redis, keys, alive)
    await unlinkLike(redis, keys, keys.rebuildKept(''), alive)
  }
}

/** Deletes the shadow keys of a partition. */
export const clearShadow = (redis: RedisClient, keys: Keys, alive: () => Promise<void>): Promise<void> =>
  unlinkLike(redis, keys, shadowPrefix(keys), alive)

async function unlinkLike(redis: RedisClient, keys: Keys, prefix: string, alive: () => Promise<void>): Promise<void> {
  for await (const names of keysLike({ redis, alive }, keys, prefix)) {
    if (names.length > 0) await redis.unlink(...names)
  }
}
