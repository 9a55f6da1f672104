import type { ChainableCommander } from 'ioredis'
import type { Config } from '../../config/config.ts'
import type { Keys } from '../../keys.ts'
import type { OrderFormat } from '../../order/format.ts'
import { type RedisClient, unwrapReplies } from '../../redis/client.ts'
import { masterOf } from '../../redis/cluster.ts'
import type { Pipeline } from '../../stages/placed.ts'

/*
 * Moves hashes from some partitions to others while no other process writes. A chunk is copied as it is, and removed from
 * where it was once the copies are durable. Killed at any moment and run again, a move ends with the same result.
 */

export interface Move {
  readonly redis: RedisClient
  readonly config: Config
  readonly format: OrderFormat
  readonly pipeline: Pipeline
  readonly from: readonly Keys[]
  readonly to: readonly Keys[]
  /** Called before each write. @throws if this process must stop, or if another one has taken over */
  alive(): Promise<void>
  /** Resolves when everything written so far is durable. @throws if it may be lost, and must be done again */
  durable(): Promise<void>
}

/** Hashes per chunk: a few hundred kB. */
const chunkSize = 200

/** Copies of some hashes, and what removes their sources. */
export interface Chunk {
  readonly moved: number
  /** One per partition. */
  readonly copies: readonly ChainableCommander[]
  remove(): ChainableCommander
}

/** Chunks copied before a wait for all of them to be durable, which may take seconds. */
const chunksAtOnce = 20

/**
 * Moves the hashes of all partitions whose names begin with a prefix.
 * @returns how many moved; 0 once all are where they belong
 */
export async function moveHashes(
  move: Move,
  prefixOf: (source: Keys) => string,
  chunkOf: (source: Keys, names: readonly string[], hashes: readonly Record<string, string>[]) => Chunk,
): Promise<number> {
  let moved = 0
  const copied: Chunk[] = []
  const removeCopied = async (): Promise<void> => {
    if (copied.length === 0) return
    await move.durable()
    for (const { remove } of copied.splice(0)) await execute(move, [remove()])
  }
  for (const source of move.from) {
    for await (const names of keysLike(move, source, prefixOf(source))) {
      const chunk = chunkOf(source, names, await readHashes(move.redis, names))
      if (chunk.moved === 0) continue
      await execute(move, chunk.copies)
      moved += chunk.moved
      if (copied.push(chunk) === chunksAtOnce) await removeCopied()
    }
  }
  await removeCopied()
  return moved
}

/** Yields the names of keys with this prefix, by SCAN: a key that exists all the while is yielded at least once. */
export async function* keysLike(
  { redis, alive }: Pick<Move, 'redis' | 'alive'>,
  keys: Keys,
  prefix: string,
): AsyncGenerator<string[]> {
  const pattern = `${prefix.replaceAll(/[\\*?[\]]/g, '\\$&')}*`
  const node = await masterOf(redis, keys.counters)
  for (let cursor = '', found: string[]; cursor !== '0'; ) {
    await alive()
    ;[cursor, found] = await node.scan(cursor || '0', 'MATCH', pattern, 'COUNT', 1_000)
    for (let from = 0; from < found.length; from += chunkSize) {
      yield found.slice(from, from + chunkSize)
    }
  }
}

/** Runs pipelines of one partition each, all at once. */
async function execute({ alive }: Move, pipelines: readonly ChainableCommander[]): Promise<void> {
  await alive()
  for (const replies of await Promise.all(pipelines.map((pipeline) => pipeline.exec()))) unwrapReplies(replies)
}

export async function readHashes(redis: RedisClient, names: readonly string[]): Promise<Record<string, string>[]> {
  const read = redis.pipeline()
  for (const name of names) read.hgetall(name)
  return unwrapReplies(await read.exec()) as Record<string, string>[]
}
