import type { Keys } from '../../keys.ts'
import type { RedisClient } from '../../redis/client.ts'

/** The barrier's key says nothing to anybody. */
export const barrierTtlMs = 60_000

/**
 * Writes the barrier key of a partition, which takes memory, a master and enough replicas as any other write does.
 * @throws what Redis says where it takes no writes
 */
export async function proveWrite(redis: RedisClient, keys: Keys, instance: string): Promise<void> {
  await redis.set(keys.barrier, instance, 'PX', barrierTtlMs)
}
