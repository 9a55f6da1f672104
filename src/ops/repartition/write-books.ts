import type { Keys } from '../../keys.ts'
import type { Sum } from '../../order/money.ts'
import { type RedisClient, unwrapReplies } from '../../redis/client.ts'
import type { Move } from './move.ts'

/**
 * Writes the books of the new partitions. In all but the first, every order of its users counts as received, admitted,
 * counted and ranked. The first gets the rest of every counter.
 * @param totals counters over all partitions, from before anything moved
 */
export async function writeBooks(
  { redis, pipeline, to, alive }: Move,
  totals: Readonly<Record<string, number>>,
  sums: readonly Sum[],
): Promise<void> {
  const passed = ['received', ...pipeline.stages.map(({ counts }) => counts)]
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

/** Writes from where stages have had all orders into the first partition, which has the orders that they have missed. */
export async function writeMissedBefore(
  { redis, to, alive }: Move,
  ids: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [at, { missedBefore }] of to.entries()) {
    await alive()
    const write = redis.multi().del(missedBefore)
    if (at === 0 && Object.keys(ids).length > 0) write.hset(missedBefore, ids)
    unwrapReplies(await write.exec())
  }
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
  unwrapReplies(await write.exec())
}
