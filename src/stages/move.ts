import type { ChainableCommander } from 'ioredis'
import type { Config } from '../config.ts'
import { OrdersError } from '../errors.ts'
import type { Keys } from '../keys.ts'
import { outcomeSeconds, rejectGroupNames } from '../messages.ts'
import { exact, type Sum } from '../ops/verify/counted-feed.ts'
import { partitionFor } from '../partitions.ts'
import { masterOf, type RedisClient, valuesOf } from '../redis/client.ts'
import { pipeline } from './pipeline.ts'
import { generationSeconds, userHashIn } from './runner/ledger.ts'

/*
 * Moves what lies in some partitions to others, while nobody works. Everything is copied as it is, in chunks, and removed
 * where it was once the copies are durable: killed at any moment and begun again, it comes to the same.
 */

export interface Move {
  readonly redis: RedisClient
  readonly config: Config
  readonly from: readonly Keys[]
  readonly to: readonly Keys[]
  /** Called before each write. @throws where this process is not to move any more: to stop, or because another one does */
  alive(): Promise<void>
  /** Resolves when all that was written is durable. @throws where it may be lost: to be done again */
  durable(): Promise<void>
}

/** Hashes at once: some hundred kB. */
const chunkSize = 200

/** Users' hashes, with their scores. @returns how many moved; 0 once all are where they belong */
export function moveUsers(move: Move): Promise<number> {
  return moveHashes(
    move,
    (source) => source.userStats(''),
    (source, names, hashes) => {
      const prefix = source.userStats('')
      const moving = names.flatMap((name, at) => {
        const userId = name.slice(prefix.length)
        const target = partitionFor(move.to, userId)
        const hash = hashes[at] ?? {}
        return target.userStats(userId) === name || Object.keys(hash).length === 0 ? [] : [{ userId, target, hash }]
      })
      const copies = [...Map.groupBy(moving, (user) => user.target)].map(([target, users]) => {
        const copy = move.redis.pipeline()
        for (const { userId, hash } of users) copy.hset(target.userStats(userId), hash)
        for (const [board, field] of [
          [target.leaderboardOrders, 'order_count'],
          [target.leaderboardSpend, 'total_spend_minor'],
        ] as const) {
          const scores = users.flatMap(({ userId, hash }) => {
            const score = exact(hash[field])
            return score === undefined ? [] : [String(score), userId]
          })
          if (scores.length > 0) copy.zadd(board, ...scores)
        }
        return copy
      })
      const userIds = moving.map(({ userId }) => userId)
      const remove = (): ChainableCommander => {
        const removal = move.redis.pipeline().zrem(source.leaderboardOrders, ...userIds)
        return removal.zrem(source.leaderboardSpend, ...userIds).unlink(...userIds.map(source.userStats))
      }
      return { moved: moving.length, copies, remove }
    },
  )
}

/** The ledger's lines: each field tells the hash of its user. @returns as moveUsers, buckets */
export function moveLedger(move: Move): Promise<number> {
  const prefixOf = (source: Keys): string => source.ledger(0, 0).slice(0, -'0:0'.length)
  return moveHashes(move, prefixOf, (source, names, buckets) => {
    const lines = names.flatMap((name, at) => {
      const [generation = 0, bucket = 0] = name.slice(prefixOf(source).length).split(':').map(Number)
      const targets = Map.groupBy(Object.keys(buckets[at] ?? {}), (field) => {
        return move.to[(userHashIn(field) ?? 0) % move.to.length] as Keys
      })
      const elsewhere = [...targets].filter(([target]) => target.ledger(generation, bucket) !== name)
      return elsewhere.map(([target, fields]) => {
        const values = Object.fromEntries(fields.map((field) => [field, buckets[at]?.[field] ?? '']))
        const expires = (generation + 2) * generationSeconds(move.config)
        return { name, target, key: target.ledger(generation, bucket), fields, values, expires }
      })
    })
    const copies = [...Map.groupBy(lines, ({ target }) => target).values()].map((own) => {
      const copy = move.redis.pipeline()
      for (const { key, values, expires } of own) copy.hset(key, values).expireat(key, expires)
      return copy
    })
    const remove = (): ChainableCommander => {
      const removal = move.redis.pipeline()
      for (const { name, fields } of lines) removal.hdel(name, ...fields)
      return removal
    }
    return { moved: lines.length, copies, remove }
  })
}

/**
 * What became of jobs' orders: of a partition that goes away it is brought to another under names of its own, and added up
 * where it is read. @param id of the repartition @returns as moveUsers, outcomes
 */
export function moveOutcomes(move: Move, id: string): Promise<number> {
  return moveHashes(
    move,
    (source) => source.outcome(''),
    (source, names, outcomes) => {
      const at = move.from.indexOf(source)
      const target = move.to[at % move.to.length] as Keys
      if (target.outcome('') === source.outcome(''))
        return { moved: 0, copies: [], remove: () => move.redis.pipeline() }
      const copy = move.redis.pipeline()
      names.forEach((name, index) => {
        const key = target.outcome(name.slice(source.outcome('').length))
        const fields = Object.entries(outcomes[index] ?? {}).map(([field, value]) => [
          `moved ${id} ${at} ${field}`,
          value,
        ])
        if (fields.length > 0) copy.hset(key, Object.fromEntries(fields)).expire(key, outcomeSeconds)
      })
      return { moved: names.length, copies: [copy], remove: () => move.redis.pipeline().unlink(...names) }
    },
  )
}

interface Chunk {
  readonly moved: number
  /** Each of one partition. */
  readonly copies: readonly ChainableCommander[]
  remove(): ChainableCommander
}

/** Chunks between two waits for their copies to be durable, which may take seconds. */
const chunksAtOnce = 20

async function moveHashes(
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

/**
 * What the users' hashes of a partition add up to.
 * @throws OrdersError ORD_BOOKS where it has users of other partitions
 */
export async function sumUsers(move: Move, keys: Keys): Promise<Sum> {
  const prefix = keys.userStats('')
  const sum = { orders: 0n, minor: 0n }
  const users = new Set<string>()
  for await (const names of keysLike(move, keys, prefix)) {
    const fresh = names.filter((name) => !users.has(name)) // SCAN may tell one twice
    for (const { order_count, total_spend_minor } of await readHashes(move.redis, fresh)) {
      sum.orders += exact(order_count) ?? 0n
      sum.minor += exact(total_spend_minor) ?? 0n
    }
    for (const name of fresh) users.add(name)
    const stranger = fresh.find((name) => partitionFor(move.to, name.slice(prefix.length)) !== keys)
    if (stranger === undefined) continue
    throw new OrdersError('ORD_BOOKS', `${stranger} is of another partition: somebody wrote it while it was moved.`)
  }
  return sum
}

/**
 * Writes the books of the new partitions. In all but the first, what was received was admitted, counted and ranked: the
 * orders of its users. The first has the rest of every counter.
 * @param totals counters of all partitions together, from before anything moved
 */
export async function writeBooks(
  { redis, to, alive }: Move,
  totals: Readonly<Record<string, number>>,
  sums: readonly Sum[],
): Promise<void> {
  const passed = ['received', ...pipeline.map(({ counts }) => counts)]
  const rest = { ...totals }
  for (const [at, keys] of to.entries()) {
    const { orders, minor } = sums[at] as Sum
    if (at === 0) continue
    await alive()
    for (const name of passed) rest[name] = (rest[name] ?? 0) - Number(orders)
    await writeCounters(redis, keys, Object.fromEntries(passed.map((name) => [name, Number(orders)])), {
      orders,
      minor,
    })
  }
  await alive()
  await writeCounters(redis, to[0] as Keys, rest, sums[0] as Sum)
}

async function writeCounters(
  redis: RedisClient,
  keys: Keys,
  counters: Readonly<Record<string, number>>,
  { orders, minor }: Sum,
): Promise<void> {
  const named = Object.entries(counters).filter(([, value]) => value !== 0)
  const write = redis.multi().del(keys.counters, keys.globalStats)
  if (named.length > 0) write.hset(keys.counters, Object.fromEntries(named))
  if (orders !== 0n) {
    write.hset(keys.globalStats, { total_orders: String(orders), total_revenue_minor: String(minor) })
  }
  valuesOf(await write.exec())
}

/**
 * Deletes what is left of the partitions that go away; their layout key stays, so that nobody writes there any more.
 * @throws OrdersError ORD_BOOKS where somebody else has put something there
 */
export async function clearOld({ redis, from, to, alive }: Move): Promise<void> {
  const kept = new Set(to.map(({ counters }) => counters))
  for (const keys of from) {
    if (kept.has(keys.counters)) continue
    await alive()
    await requireFinished(redis, keys)
    await redis.unlink(
      ...[...Object.values(keys.stream), ...pipeline.map(({ name }) => keys.done(name))],
      ...[keys.invalid, keys.invalidOrders, keys.discarded, ...rejectGroupNames.map(keys.invalidGroup)],
      ...[keys.counters, keys.globalStats, keys.leaderboardSpend, keys.leaderboardOrders, keys.barrier],
      ...[keys.remembered, keys.incarnation],
    )
  }
}

/** @throws OrdersError ORD_BOOKS where a work stream holds what a stage has not committed, whoever put it there */
export async function requireFinished(redis: RedisClient, keys: Keys): Promise<void> {
  for (const { name, from } of pipeline) {
    const stream = keys.stream[from]
    for (let after = '-', entries = 1_000; entries === 1_000; ) {
      const read = await redis.xrange(stream, after, '+', 'COUNT', 1_000)
      const known = redis.pipeline()
      for (const [id] of read) known.zscore(keys.done(name), id)
      if (valuesOf(await known.exec()).includes(null)) {
        const told = `The stream ${stream} holds what stage ${name} has not worked off`
        throw new OrdersError('ORD_BOOKS', `${told}: somebody writes to it, who must stop first.`)
      }
      entries = read.length
      after = `(${read.at(-1)?.[0] ?? '-'}`
    }
  }
}

/** Names of keys that begin so, as SCAN tells them: what is there all the while is told, some of it twice. */
export async function* keysLike({ redis, alive }: Move, keys: Keys, prefix: string): AsyncGenerator<string[]> {
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

/** Each of its own partition, all at once. */
async function execute({ alive }: Move, pipelines: readonly ChainableCommander[]): Promise<void> {
  await alive()
  for (const replies of await Promise.all(pipelines.map((pipeline) => pipeline.exec()))) valuesOf(replies)
}

async function readHashes(redis: RedisClient, names: readonly string[]): Promise<Record<string, string>[]> {
  const read = redis.pipeline()
  for (const name of names) read.hgetall(name)
  return valuesOf(await read.exec()) as Record<string, string>[]
}
