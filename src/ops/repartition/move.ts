import type { ChainableCommander } from 'ioredis'
import type { Config } from '../../config/config.ts'
import type { Keys } from '../../keys.ts'
import type { OrderFormat } from '../../order/format.ts'
import { type RedisClient, unwrapReplies } from '../../redis/client.ts'
import type { Pipeline } from '../../stages/placed.ts'
import { keysLike, readHashes } from '../scan.ts'

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

/** Runs pipelines of one partition each, all at once. */
async function execute({ alive }: Move, pipelines: readonly ChainableCommander[]): Promise<void> {
  await alive()
  for (const replies of await Promise.all(pipelines.map((pipeline) => pipeline.exec()))) unwrapReplies(replies)
}
