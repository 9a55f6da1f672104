import type { Config } from '../config.ts'
import type { Keys } from '../keys.ts'
import { rejectGroupNames } from '../messages.ts'
import { partitionFor } from '../partitions.ts'
import { masterOf, type RedisClient, valuesOf } from '../redis.ts'
import { generationSeconds, userHashIn } from './ledger.ts'
import { outcomeMark } from './outcome.ts'
import { pipeline } from './pipeline.ts'
import { exact, type Sum } from './tail.ts'

/*
 * Moves what lies in some partitions to others, while nobody works. Everything is copied as it is and then removed where
 * it was, in chunks: killed at any moment and begun again, it comes to the same.
 */

export interface Move {
  readonly redis: RedisClient
  readonly config: Config
  readonly from: readonly Keys[]
  readonly to: readonly Keys[]
  /** Called before each write. @throws where this process is not to move any more: to stop, or because another one does */
  alive(): void
  /** Called with what has been looked at since the last call. */
  seen(count: number): void
}

/** Hashes at once: some hundred kB. */
const chunkSize = 200

/** Users' hashes, with their scores. */
export async function moveUsers(move: Move): Promise<void> {
  const { redis, to } = move
  for (const source of move.from) {
    const prefix = source.userStats('')
    for await (const names of keysLike(move, source, prefix)) {
      const hashes = await readHashes(redis, names)
      const moving = names.flatMap((name, at) => {
        const userId = name.slice(prefix.length)
        const target = partitionFor(to, userId)
        const hash = hashes[at] ?? {}
        return target.userStats(userId) === name || Object.keys(hash).length === 0 ? [] : [{ userId, target, hash }]
      })
      for (const [target, users] of Map.groupBy(moving, (user) => user.target)) {
        const copy = redis.pipeline()
        for (const { userId, hash } of users) {
          copy.hset(target.userStats(userId), hash)
          const [orders, spend] = [exact(hash['order_count']), exact(hash['total_spend_minor'])]
          if (orders !== undefined) copy.zadd(target.leaderboardOrders, String(orders), userId)
          if (spend !== undefined) copy.zadd(target.leaderboardSpend, String(spend), userId)
        }
        move.alive()
        valuesOf(await copy.exec())
      }
      move.alive()
      const remove = redis.pipeline()
      for (const { userId } of moving) {
        remove.zrem(source.leaderboardOrders, userId).zrem(source.leaderboardSpend, userId)
        remove.unlink(source.userStats(userId))
      }
      valuesOf(await remove.exec())
    }
  }
}

/** The ledger's lines: each field tells the hash of its user. */
export async function moveLedger(move: Move): Promise<void> {
  const { redis, config, to } = move
  for (const source of move.from) {
    const prefix = source.ledger(0, 0).slice(0, -'0:0'.length)
    for await (const names of keysLike(move, source, prefix)) {
      const buckets = await readHashes(redis, names)
      for (const [at, name] of names.entries()) {
        const [generation = 0, bucket = 0] = name.slice(prefix.length).split(':').map(Number)
        const expires = (generation + 2) * generationSeconds(config)
        const lines = Object.entries(buckets[at] ?? {}).map(([field, value]) => {
          return { field, value, target: to[(userHashIn(field) ?? 0) % to.length] as Keys }
        })
        const moving = lines.filter(({ target }) => target.ledger(generation, bucket) !== name)
        for (const [target, own] of Map.groupBy(moving, (line) => line.target)) {
          const key = target.ledger(generation, bucket)
          const fields = Object.fromEntries(own.map(({ field, value }) => [field, value]))
          move.alive()
          valuesOf(await redis.multi().hset(key, fields).expireat(key, expires).exec())
        }
        move.alive()
        if (moving.length > 0) await redis.hdel(name, ...moving.map(({ field }) => field))
      }
    }
  }
}

/**
 * What became of jobs' orders. They are only read from now on, so it does not matter in which partition: of one that goes
 * away they are added to those of another. @param id of the repartition: what was added is marked
 */
export async function moveOutcomes(move: Move, id: string): Promise<void> {
  const { redis, to } = move
  for (const [at, source] of move.from.entries()) {
    const target = to[at % to.length] as Keys
    if (target.outcome('') === source.outcome('')) continue
    const prefix = source.outcome('')
    for await (const names of keysLike(move, source, prefix)) {
      for (const name of names) {
        const key = target.outcome(name.slice(prefix.length))
        const mark = `${outcomeMark}${id} ${at}`
        const { invalid_id, ...counts } = await redis.hgetall(name)
        const ttl = await redis.pttl(name)
        if (ttl > 0 && (await redis.hexists(key, mark)) === 0) {
          const add = redis.multi().hset(key, mark, 1)
          for (const [field, count] of Object.entries(counts)) {
            if (!field.startsWith(outcomeMark)) add.hincrby(key, field, count)
          }
          if (invalid_id !== undefined) add.hset(key, 'invalid_id', invalid_id)
          move.alive()
          valuesOf(await add.pexpire(key, ttl).exec())
        }
        move.alive()
        await redis.unlink(name)
      }
    }
  }
}

/** What the users' hashes of a partition add up to; `strangers` are users of other partitions. */
export async function sumUsers(move: Move, keys: Keys): Promise<Sum & { users: number; strangers: number }> {
  const prefix = keys.userStats('')
  const sum = { orders: 0n, minor: 0n, strangers: 0 }
  const users = new Set<string>()
  for await (const names of keysLike(move, keys, prefix)) {
    const more = names.filter((name) => !users.has(name)) // SCAN may tell one twice
    for (const { order_count, total_spend_minor } of await readHashes(move.redis, more)) {
      sum.orders += exact(order_count) ?? 0n
      sum.minor += exact(total_spend_minor) ?? 0n
    }
    for (const name of more) users.add(name)
    sum.strangers += more.filter((name) => partitionFor(move.to, name.slice(prefix.length)) !== keys).length
  }
  return { ...sum, users: users.size }
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
    alive()
    for (const name of passed) rest[name] = (rest[name] ?? 0) - Number(orders)
    await writeCounters(redis, keys, Object.fromEntries(passed.map((name) => [name, Number(orders)])), {
      orders,
      minor,
    })
  }
  alive()
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

/** Deletes what is left of the partitions that go away; their layout key stays, so that nobody writes there any more. */
export async function clearOld({ redis, from, to, alive }: Move): Promise<void> {
  const kept = new Set(to.map(({ counters }) => counters))
  for (const keys of from) {
    if (kept.has(keys.counters)) continue
    alive()
    await redis.unlink(
      ...Object.values(keys.stream),
      ...[keys.invalid, keys.invalidOrders, keys.discarded, ...rejectGroupNames.map(keys.invalidGroup)],
      ...[keys.counters, keys.globalStats, keys.leaderboardSpend, keys.leaderboardOrders, keys.barrier],
    )
  }
}

/** Names of keys that begin so, as SCAN tells them: what is there all the while is told, some of it twice. */
export async function* keysLike({ redis, alive, seen }: Move, keys: Keys, prefix: string): AsyncGenerator<string[]> {
  const pattern = `${prefix.replaceAll(/[\\*?[\]]/g, '\\$&')}*`
  const node = await masterOf(redis, keys.counters)
  for (let cursor = '', found: string[]; cursor !== '0'; ) {
    alive()
    ;[cursor, found] = await node.scan(cursor || '0', 'MATCH', pattern, 'COUNT', 1_000)
    for (let from = 0; from < found.length; from += chunkSize) {
      const names = found.slice(from, from + chunkSize)
      yield names
      seen(names.length)
    }
  }
}

async function readHashes(redis: RedisClient, names: readonly string[]): Promise<Record<string, string>[]> {
  const read = redis.pipeline()
  for (const name of names) read.hgetall(name)
  return valuesOf(await read.exec()) as Record<string, string>[]
}
