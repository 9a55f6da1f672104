import { jobsAliveKey } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'

/*
 * BullMQ finds its workers by CLIENT LIST, which managed servers or the rights of a user may refuse, and which lists
 * connections of hosts that are gone. So a process that runs the role `jobs` sets an expiring key every second.
 */

/** Ten renewals: a slow Redis does not make the process look dead. */
const aliveSeconds = 10

/** Marks that this process runs the role `jobs`. */
export async function markJobsAlive(redis: RedisClient): Promise<void> {
  await redis.set(jobsAliveKey, '1', 'EX', aliveSeconds)
}

/** Returns a warning for the caller that added a job, if no process runs the role `jobs`. */
export async function jobsWarning(redis: RedisClient): Promise<string | undefined> {
  if ((await redis.exists(jobsAliveKey)) === 1) return undefined
  return 'No process runs the role jobs: the job waits until one does (npx orders run jobs).'
}
