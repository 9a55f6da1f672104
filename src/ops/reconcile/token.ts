import { randomUUID } from 'node:crypto'
import type { App } from '../../app.ts'

/** How long a correction can be reverted, and how long at most a comparison takes. */
export const keptSeconds = 86_400

/**
 * Writes a new token for what is compared from now on. It stands for the comparison until that is written or something else
 * changes numbers, so that nothing is added twice.
 * @param truth where the right numbers come from. Those of the archive also have what a replay will bring back (see requeue.lua)
 * @param alive called before each write
 */
export async function newToken(
  { redis, partitions }: Pick<App, 'redis' | 'partitions'>,
  truth: 'archive' | 'users',
  alive: () => Promise<void>,
): Promise<string> {
  const token = `${truth}:${randomUUID()}`
  for (const { compared } of partitions) {
    await alive()
    await redis.set(compared, token, 'EX', keptSeconds)
  }
  return token
}
