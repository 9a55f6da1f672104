import type { Redis } from 'ioredis'

/** Returns whether a server has WAITAOF and the other commands of 7.2. It refuses settings that name those it lacks. */
export async function hasWaitAof(redis: Redis): Promise<boolean> {
  const [known] = (await redis.call('COMMAND', 'INFO', 'WAITAOF')) as unknown[]
  return known !== null
}
