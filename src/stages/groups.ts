import type { Keys } from '../keys.ts'
import type { RedisClient } from '../redis.ts'
import { pipeline } from './pipeline.ts'

/**
 * Creates every stream and consumer group of the line that is not there yet. All of them at every start: a stream is
 * trimmed below what its groups have acknowledged, so a group must exist before the others have worked anything off.
 */
export async function ensureGroups(redis: RedisClient, keys: Keys): Promise<void> {
  for (const stage of pipeline) {
    try {
      await redis.xgroup('CREATE', keys.stream[stage.from], stage.name, '0', 'MKSTREAM')
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) throw error
    }
  }
}
