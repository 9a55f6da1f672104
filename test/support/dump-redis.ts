import type { Redis } from 'ioredis'

/** Reads all that a Redis holds, as text by key. */
export async function dumpRedis(redis: Redis): Promise<Map<string, string>> {
  const names = (await redis.keys('*')).sort()
  const read = async (name: string): Promise<unknown> => {
    const type = await redis.type(name)
    if (type === 'hash') return redis.hgetall(name)
    if (type === 'list') return redis.lrange(name, 0, -1)
    if (type === 'zset') return redis.zrange(name, '0', '-1', 'WITHSCORES')
    if (type === 'set') return redis.smembers(name)
    if (type === 'stream') return redis.xrange(name, '-', '+')
    return redis.get(name)
  }
  return new Map(await Promise.all(names.map(async (name) => [name, JSON.stringify(await read(name))] as const)))
}

/** Returns the keys that name a text, in their own name or in what they hold. */
export async function keysNaming(redis: Redis, text: string): Promise<string[]> {
  return [...(await dumpRedis(redis))].flatMap(([name, held]) =>
    name.includes(text) || held.includes(text) ? [name] : [],
  )
}
