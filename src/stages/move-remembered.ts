import type { Keys } from '../keys.ts'
import { type RedisClient, valuesOf } from '../redis/client.ts'
import { keysLike, type Move } from './move.ts'

/** How many lines of the ledger were written in each generation, of all partitions together. */
export async function readRemembered(redis: RedisClient, partitions: readonly Keys[]): Promise<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (const hash of await Promise.all(partitions.map(({ remembered }) => redis.hgetall(remembered)))) {
    for (const [generation, lines] of Object.entries(hash)) sums[generation] = (sums[generation] ?? 0) + Number(lines)
  }
  return sums
}

/**
 * Writes how many lines each new partition must have: as many as have come to it. The first has the rest, so that what was
 * lost before stays lost.
 * @param totals of all partitions together, from before anything moved
 */
export async function writeRemembered(move: Move, totals: Readonly<Record<string, number>>): Promise<void> {
  const rest = { ...totals }
  for (const keys of move.to.slice(1)) {
    const lines = await linesOf(move, keys)
    const known = Object.entries(lines).filter(([generation]) => generation in totals)
    for (const [generation, count] of known) rest[generation] = (rest[generation] ?? 0) - count
    await write(move, keys, Object.fromEntries(known))
  }
  await write(move, move.to[0] as Keys, rest)
}

/** By generation. */
async function linesOf(move: Move, keys: Keys): Promise<Record<string, number>> {
  const prefix = keys.ledger(0, 0).slice(0, -'0:0'.length)
  const lengths = new Map<string, number>() // SCAN may tell a key twice
  for await (const names of keysLike(move, keys, prefix)) {
    const read = move.redis.pipeline()
    for (const name of names) read.hlen(name)
    for (const [at, length] of valuesOf(await read.exec()).entries()) lengths.set(names[at] ?? '', Number(length))
  }
  const lines: Record<string, number> = {}
  for (const [name, length] of lengths) {
    const generation = name.slice(prefix.length).split(':')[0] ?? ''
    lines[generation] = (lines[generation] ?? 0) + length
  }
  return lines
}

async function write(
  { redis, alive }: Move,
  { remembered }: Keys,
  lines: Readonly<Record<string, number>>,
): Promise<void> {
  await alive()
  const replace = redis.multi().del(remembered)
  if (Object.keys(lines).length > 0) replace.hset(remembered, lines)
  valuesOf(await replace.exec())
}
