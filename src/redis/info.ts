import type { Keys } from '../keys.ts'
import { type RedisClient, unwrapReplies } from './client.ts'
import { unlessForbidden } from './errors.ts'

/** Returns a field of INFO; undefined where the server does not send it. */
export type Info = (field: string) => string | undefined

/**
 * Reads INFO of the server that holds the key. On a cluster a command without a key goes to any server, and a pipeline
 * does not follow a slot that has moved: a single command goes first.
 */
export async function infoAt(redis: RedisClient, key: string, ...sections: readonly string[]): Promise<Info> {
  await redis.exists(key)
  const commands = redis.pipeline().exists(key)
  for (const section of sections) commands.info(section)
  return infoOf(unwrapReplies(await commands.exec()).slice(1))
}

/**
 * Returns memory and `maxmemory` of the fullest server that holds a partition, in bytes; 0 is no limit. Returns undefined if
 * INFO is not allowed, or the server does not say it, as the in-process emulator, which says 0.
 */
export async function fullestOf(
  redis: RedisClient,
  partitions: readonly Keys[],
): Promise<{ used: number; most: number } | undefined> {
  const replies = Promise.all(partitions.map(({ counters }) => infoAt(redis, counters, 'memory')))
  const infos = await unlessForbidden(replies)
  if (!infos) return undefined
  const all = infos.map((info) => ({ used: Number(info('used_memory') ?? 0), most: Number(info('maxmemory') ?? 0) }))
  if (all.some(({ used }) => used === 0)) return undefined
  const share = ({ used, most }: { used: number; most: number }): number => (most === 0 ? 0 : used / most)
  return all.reduce((one, other) => (share(other) > share(one) ? other : one))
}

/** Parses sections of INFO. */
export function infoOf(texts: readonly unknown[]): Info {
  const text = texts.join('\n')
  return (field) => new RegExp(`^${field}:(.*?)\r?$`, 'm').exec(text)?.[1]
}
