import type { ChainableCommander } from 'ioredis'
import type { Keys } from '../../keys.ts'
import { type RedisClient, unwrapReplies } from '../../redis/client.ts'
import { maxArguments } from '../../redis/script.ts'
import { generationSeconds, userHashIn } from '../../stages/runner/ledger.ts'
import { keysLike } from '../scan.ts'
import { type Move, moveHashes } from './move.ts'

/** Moves the ledger's records; each field holds the hash of its user. @returns as moveHashes, in parts of buckets */
export function moveLedger(move: Move): Promise<number> {
  const prefixOf = (source: Keys): string => source.ledger(0, 0).slice(0, -'0:0'.length)
  return moveHashes(move, prefixOf, (source, names, buckets) => {
    const records = names.flatMap((name, at) => {
      const [generation = 0, bucket = 0] = name.slice(prefixOf(source).length).split(':').map(Number)
      const targets = Map.groupBy(Object.keys(buckets[at] ?? {}), (field) => {
        return move.to[(userHashIn(field) ?? 0) % move.to.length] as Keys
      })
      const elsewhere = [...targets].filter(([target]) => target.ledger(generation, bucket) !== name)
      return elsewhere.map(([target, fields]) => {
        const expires = (generation + 2) * generationSeconds(move.config)
        const key = target.ledger(generation, bucket)
        return {
          name,
          target,
          key,
          values: fields.map((field) => [field, buckets[at]?.[field] ?? ''] as const),
          expires,
        }
      })
    })
    const copies = [...Map.groupBy(records, ({ target }) => target).values()].map((own) => {
      const copy = move.redis.pipeline()
      for (const { key, values, expires } of own) {
        for (const some of inCalls(values)) copy.hset(key, Object.fromEntries(some))
        copy.expireat(key, expires)
      }
      return copy
    })
    const remove = (): ChainableCommander => {
      const removal = move.redis.pipeline()
      for (const { name, values } of records) {
        for (const some of inCalls(values)) removal.hdel(name, ...some.map(([field]) => field))
      }
      return removal
    }
    return { moved: records.length, copies, remove }
  })
}

/** Fields per call: HSET has two arguments for each. */
const maxFields = Math.floor((maxArguments - 2) / 2)

function inCalls<T>(values: readonly T[]): T[][] {
  const calls = Math.ceil(values.length / maxFields)
  return Array.from({ length: calls }, (_, at) => values.slice(at * maxFields, (at + 1) * maxFields))
}

/** Reads how many records of the ledger were written in each generation, over all partitions. */
export async function readLedgerCounts(
  redis: RedisClient,
  partitions: readonly Keys[],
): Promise<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (const hash of await Promise.all(partitions.map(({ ledgerCounts }) => redis.hgetall(ledgerCounts)))) {
    for (const [generation, count] of Object.entries(hash)) sums[generation] = (sums[generation] ?? 0) + Number(count)
  }
  return sums
}

/**
 * Writes how many records each new partition must have: as many as were moved to it. The first gets the rest, so that records
 * that were lost before the move still count as lost.
 * @param totals over all partitions, from before anything moved
 */
export async function writeLedgerCounts(move: Move, totals: Readonly<Record<string, number>>): Promise<void> {
  const rest = { ...totals }
  for (const keys of move.to.slice(1)) {
    const counts = await countRecords(move, keys)
    const known = Object.entries(counts).filter(([generation]) => generation in totals)
    for (const [generation, count] of known) rest[generation] = (rest[generation] ?? 0) - count
    await write(move, keys, Object.fromEntries(known))
  }
  await write(move, move.to[0] as Keys, rest)
}

/** Counts the records of a partition, by generation. */
async function countRecords(move: Move, keys: Keys): Promise<Record<string, number>> {
  const prefix = keys.ledger(0, 0).slice(0, -'0:0'.length)
  const lengths = new Map<string, number>() // SCAN may yield a key twice
  for await (const names of keysLike(move, keys, prefix)) {
    const read = move.redis.pipeline()
    for (const name of names) read.hlen(name)
    for (const [at, length] of unwrapReplies(await read.exec()).entries()) lengths.set(names[at] ?? '', Number(length))
  }
  const counts: Record<string, number> = {}
  for (const [name, length] of lengths) {
    const generation = name.slice(prefix.length).split(':')[0] ?? ''
    counts[generation] = (counts[generation] ?? 0) + length
  }
  return counts
}

async function write(
  { redis, alive }: Move,
  { ledgerCounts }: Keys,
  counts: Readonly<Record<string, number>>,
): Promise<void> {
  await alive()
  const replace = redis.multi().del(ledgerCounts)
  if (Object.keys(counts).length > 0) replace.hset(ledgerCounts, counts)
  unwrapReplies(await replace.exec())
}
