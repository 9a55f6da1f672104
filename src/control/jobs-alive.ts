import { jobsAliveKey } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'

/*
 * BullMQ finds its workers by CLIENT LIST. Managed servers may refuse that, the rights of a user too, and it lists
 * connections of hosts that have vanished. So a process that runs the role `jobs` sets a key every second, which expires.
 */

/** Ten times as long as the process takes to set it again: a slow Redis does not make it look dead. */
const aliveSeconds = 10

/** Says that this process runs the role `jobs`. */
export async function markJobsAlive(redis: RedisClient): Promise<void> {
  await redis.set(jobsAliveKey, '1', 'EX', aliveSeconds)
}

/** Returns a sentence for whoever added a job, while no process runs the role `jobs`. */
export async function jobsWarning(redis: RedisClient): Promise<string | undefined> {
  if ((await redis.exists(jobsAliveKey)) === 1) return undefined
  return 'No process runs the role jobs: the job waits until one does (npx orders run jobs).'
}
