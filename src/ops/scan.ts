import type { App } from '../app.ts'
import type { Keys } from '../keys.ts'
import { type RedisClient, unwrapReplies } from '../redis/client.ts'
import { masterOf } from '../redis/cluster.ts'

export interface Scanning {
  readonly redis: App['redis']
  /** Called before each read, and so before what is written by it. @throws if this process must stop, or has lost the lock */
  alive(): Promise<void>
}

/** Names per chunk: their hashes have a few hundred kB. */
const chunkSize = 200

/**
 * Yields the names of a partition's keys with this prefix, by SCAN: a key that exists all the while is yielded at least once,
 * and may be yielded again.
 */
export async function* keysLike({ redis, alive }: Scanning, keys: Keys, prefix: string): AsyncGenerator<string[]> {
  const pattern = `${prefix.replaceAll(/[\\*?[\]]/g, '\\$&')}*`
  const node = await masterOf(redis, keys.counters)
  for (let cursor = '', found: string[]; cursor !== '0'; ) {
    await alive()
    ;[cursor, found] = await node.scan(cursor || '0', 'MATCH', pattern, 'COUNT', 1_000)
    for (let from = 0; from < found.length; from += chunkSize) yield found.slice(from, from + chunkSize)
  }
}

/** Yields the same names, each once: it keeps them all. */
export async function* keysOnce(scanning: Scanning, keys: Keys, prefix: string): AsyncGenerator<string[]> {
  const seen = new Set<string>()
  for await (const names of keysLike(scanning, keys, prefix)) {
    const fresh = names.filter((name) => !seen.has(name))
    for (const name of fresh) seen.add(name)
    if (fresh.length > 0) yield fresh
  }
}

export async function readHashes(redis: RedisClient, names: readonly string[]): Promise<Record<string, string>[]> {
  const read = redis.pipeline()
  for (const name of names) read.hgetall(name)
  return unwrapReplies(await read.exec()) as Record<string, string>[]
}

/** Yields the members of a sorted set. Some may be yielded twice. */
export async function* membersOf({ redis, alive }: Scanning, key: string): AsyncGenerator<string[]> {
  for (let cursor = '', found: string[]; cursor !== '0'; ) {
    await alive()
    ;[cursor, found] = await redis.zscan(key, cursor || '0', 'COUNT', chunkSize)
    yield found.filter((_, at) => at % 2 === 0)
  }
}
