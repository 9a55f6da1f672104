import { z } from 'zod'
import type { App, PartitionScope } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { addSums, type Sum } from '../../order/money.ts'
import { defineScript } from '../../redis/script.ts'
import { aggregate, correctionsCounter } from '../../stages/aggregate.ts'
import { isRanked } from '../../stages/leaderboard.ts'
import { sumOf } from './compare-scores.ts'
import { type CountedFeed, countedChannel, maxAttempts, openCountedFeed } from './counted-feed.ts'
import { readUserTotals, setIn, type UserTotals } from './user-totals.ts'

const reply = z.enum(['done', 'behind', 'gap', 'gone'])
const swapRebuilt = defineScript(import.meta.url, reply)

type Reply = z.output<typeof reply>

/** Result of a repair: the users whose hashes were read, and the global stats at one moment, before and after. */
export interface Repaired {
  readonly users: number
  readonly before: Sum
  readonly after: Sum
}

/**
 * Rebuilds the leaderboards and corrects the global stats from the users' hashes, which are the source of truth, while all
 * stages work. The new leaderboards are built next to the old ones, and orders that are counted meanwhile are added from the
 * feed of `orders:counted`. One script adds the last of them and swaps the leaderboards, so that no order ranked in between
 * is lost. Killed before that, it has changed nothing. Repairs one partition after the other.
 * @param lock called before each write. @throws if this process must stop, or if another one has taken over
 * @throws OrdersError ORD_REDIS_REPLY after three unsuccessful attempts
 */
export async function repair(app: App, signal: AbortSignal, lock = async (): Promise<void> => {}): Promise<Repaired> {
  const all: Repaired[] = []
  const alive = async (): Promise<void> => {
    signal.throwIfAborted()
    await lock()
  }
  for (const keys of app.partitions) all.push(await repairPartition({ ...app, keys, alive }, signal))
  return all.reduce((one, other) => ({
    users: one.users + other.users,
    before: addSums(one.before, other.before),
    after: addSums(one.after, other.after),
  }))
}

interface Repairing extends PartitionScope {
  /** Called before each write. @throws if this process must stop */
  alive(): Promise<void>
}

async function repairPartition(scope: Repairing, signal: AbortSignal): Promise<Repaired> {
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    const repaired = await repairOnce(scope, signal)
    if (repaired) return repaired
  }
  const why = `${maxAttempts} times orders were trimmed before they were read, or another repair ran`
  throw new OrdersError('ORD_REDIS_REPLY', `Nothing was repaired: ${why}: try again.`)
}

async function repairOnce(scope: Repairing, signal: AbortSignal): Promise<Repaired | undefined> {
  const { redis, keys, alive } = scope
  await alive()
  await redis.unlink(keys.rebuiltSpend, keys.rebuiltOrders)
  const erased = await redis.hlen(keys.erased)
  await using feed = await openCountedFeed(scope, signal)
  const at = await readUserTotals(scope, feed, signal)
  if (!at) return undefined
  const { totals, moment } = at
  const after = sumOf(totals.values())
  const difference = { orders: after.orders - moment.global.orders, minor: after.minor - moment.global.minor }
  const ranked = new Set<string>()
  const fresh = new Map<string, UserTotals>()
  await feed.during(rank(scope, totals, ranked), setIn(fresh))
  for (let reply: Reply = 'behind'; reply === 'behind'; ) {
    if (!(await feed.now(setIn(fresh)))) return undefined
    await rank(scope, fresh, ranked)
    fresh.clear()
    await alive()
    reply = await swap(scope, feed, { users: ranked.size, difference, surplus: moment.surplus, erased })
    if (reply === 'done') return { users: totals.size, before: moment.global, after }
  }
  return undefined
}

/** Users per call: some 2 ms of Redis' time. */
const rankCount = 500
/** Expiry of what a killed repair leaves behind. */
const expireSeconds = 600

/** Sets the scores of users on the new leaderboards. @param ranked gets or loses those that are on them */
async function rank(
  { redis, keys, alive }: Repairing,
  totals: ReadonlyMap<string, UserTotals>,
  ranked: Set<string>,
): Promise<void> {
  const users = [...totals]
  for (let from = 0; from < users.length; from += rankCount) {
    await alive()
    const chunk = users.slice(from, from + rankCount)
    const [on, off] = [
      chunk.filter(([, { orders }]) => isRanked(orders)),
      chunk.flatMap(([user, { orders }]) => (isRanked(orders) ? [] : [user])),
    ]
    const set = redis.multi()
    for (const [board, scoreOf] of [
      [keys.rebuiltSpend, ({ minor }: UserTotals) => String(minor)],
      [keys.rebuiltOrders, ({ orders }: UserTotals) => String(orders)],
    ] as const) {
      if (on.length > 0) set.zadd(board, ...on.flatMap(([user, totals]) => [scoreOf(totals), user]))
      if (off.length > 0) set.zrem(board, ...off)
      set.expire(board, expireSeconds)
    }
    await set.exec()
    for (const [user] of on) ranked.add(user)
    for (const user of off) ranked.delete(user)
  }
}

/** Maximum records added in the script: 2,000 cost Redis some 6 ms, and counting them takes at least 30. */
const maxRecords = 2_000

interface Swap {
  /** On the new leaderboards. */
  readonly users: number
  readonly difference: Sum
  readonly surplus: bigint
  /** The length of `pipeline:erased` (see stages/erasure/erasures.ts). */
  readonly erased: number
}

async function swap(
  scope: PartitionScope,
  feed: CountedFeed,
  { users, difference, surplus, erased }: Swap,
): Promise<Reply> {
  const { redis, keys } = scope
  const channel = countedChannel(scope)
  const boards = [keys.leaderboardSpend, keys.leaderboardOrders, keys.rebuiltSpend, keys.rebuiltOrders]
  const names = [
    keys.stream(channel.name),
    keys.counters,
    keys.globalStats,
    ...boards,
    keys.erased,
    keys.rebuildProgress,
  ]
  const read = [feed.cursor, String(feed.applied), aggregate.counts, correctionsCounter]
  const global = [difference.orders, difference.minor, surplus].map(String)
  const readers = channel.readers.map(({ name }) => name)
  return swapRebuilt(redis, names, [...read, users, maxRecords, ...global, erased, ...readers])
}
