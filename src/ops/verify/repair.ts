import type { App, Partition } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { loadScript, runScript } from '../../redis/script.ts'
import { aggregate } from '../../stages/aggregate.ts'
import { plus, sumOf } from './compare-scores.ts'
import { type Moment, mostAttempts, openTail, type Sum, type Tail } from './counted-feed.ts'
import { type Account, raise, readAccounts } from './user-totals.ts'

const script = loadScript(import.meta.url)

/** What a repair put right: who is ranked now, and the global stats at one moment before and after. */
export interface Repaired {
  readonly users: number
  readonly before: Sum
  readonly after: Sum
}

/**
 * Rebuilds the leaderboards and mends the global stats by the users' hashes, which are the truth, while all stages work.
 * The new leaderboards are built beside the old ones; what is counted meanwhile is read from the tail of `orders:counted`
 * and added. One script adds the last of it and swaps, so that nothing ranked in between is lost. Killed before that, it
 * has changed nothing. One partition after the other.
 * @throws OrdersError ORD_REDIS_REPLY where it started over three times in vain.
 */
export async function repair(app: App, signal: AbortSignal): Promise<Repaired> {
  const all: Repaired[] = []
  for (const keys of app.partitions) all.push(await repairPartition({ ...app, keys }, signal))
  return all.reduce((one, other) => ({
    users: one.users + other.users,
    before: plus(one.before, other.before),
    after: plus(one.after, other.after),
  }))
}

async function repairPartition(app: Partition, signal: AbortSignal): Promise<Repaired> {
  for (let attempt = 1; attempt <= mostAttempts; attempt++) {
    const repaired = await repairOnce(app, signal)
    if (repaired) return repaired
  }
  const told = `${mostAttempts} times orders were trimmed before they were read, or another repair came in between`
  throw new OrdersError('ORD_REDIS_REPLY', `Nothing was repaired: ${told}: try again.`)
}

async function repairOnce(app: Partition, signal: AbortSignal): Promise<Repaired | undefined> {
  const { redis, keys } = app
  await redis.unlink(keys.rebuiltSpend, keys.rebuiltOrders)
  await using tail = await openTail(app, signal)
  const at = await readAccounts(app, tail, signal)
  if (!at) return undefined
  const { accounts, moment } = at
  const after = sumOf(accounts.values())
  const difference = { orders: after.orders - moment.global.orders, minor: after.minor - moment.global.minor }
  const fresh = new Map<string, Account>()
  await tail.during(rank(app, accounts, signal), (record) => raise(fresh, record))
  for (let reply = 'behind'; reply === 'behind'; ) {
    if (!(await tail.now((record) => raise(fresh, record)))) return undefined
    await rank(app, fresh, signal)
    fresh.clear()
    reply = await swap(app, tail, { users: accounts.size, difference, moment })
    if (reply === 'done') return { users: accounts.size, before: moment.global, after }
  }
  return undefined
}

/** Users a call: some 2 ms of Redis' time. */
const rankCount = 500
/** What a killed repair leaves behind. */
const expireSeconds = 600

async function rank(
  { redis, keys }: Partition,
  accounts: ReadonlyMap<string, Account>,
  signal: AbortSignal,
): Promise<void> {
  const users = [...accounts]
  for (let from = 0; from < users.length; from += rankCount) {
    signal.throwIfAborted()
    const chunk = users.slice(from, from + rankCount)
    await redis
      .multi()
      .zadd(keys.rebuiltSpend, 'GT', ...chunk.flatMap(([user, { minor }]) => [String(minor), user]))
      .zadd(keys.rebuiltOrders, 'GT', ...chunk.flatMap(([user, { orders }]) => [orders, user]))
      .expire(keys.rebuiltSpend, expireSeconds)
      .expire(keys.rebuiltOrders, expireSeconds)
      .exec()
  }
}

/** Records added in the script: 2,000 cost Redis some 6 ms, and are counted in no less than 30. */
const mostRecords = 2_000

interface Swap {
  readonly users: number
  readonly difference: Sum
  readonly moment: Moment
}

async function swap({ redis, keys }: Partition, tail: Tail, { users, difference, moment }: Swap): Promise<string> {
  const boards = [keys.leaderboardSpend, keys.leaderboardOrders, keys.rebuiltSpend, keys.rebuiltOrders]
  const names = [keys.stream.counted, keys.counters, keys.globalStats, ...boards]
  const read = [tail.cursor, String(tail.applied), aggregate.counts]
  const mend = [difference.orders, difference.minor, moment.global.orders - moment.applied].map(String)
  return String(await runScript(redis, script, names, [...read, users, mostRecords, ...mend]))
}
