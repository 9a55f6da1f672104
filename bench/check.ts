import type { Redis } from 'ioredis'
import { makeKeys } from '../src/keys.ts'
import type { BenchOrder } from './orders.ts'

/**
 * Compares every user's totals and scores, the global stats and the number of remembered orders with the orders' sums.
 */
export async function checkTotals(redis: Redis, orders: readonly BenchOrder[], who: string): Promise<void> {
  const keys = makeKeys()
  const expected = new Map<string, { orders: number; minor: number }>()
  for (const { userId, minor } of orders) {
    const user = expected.get(userId) ?? { orders: 0, minor: 0 }
    expected.set(userId, { orders: user.orders + 1, minor: user.minor + minor })
  }
  const wrong: string[] = []
  const same = (what: string, found: unknown, wanted: number): void => {
    if (Number(found) !== wanted) wrong.push(`${what} is ${found}, not ${wanted}`)
  }
  const pipeline = redis.pipeline()
  for (const user of expected.keys()) {
    pipeline.hmget(keys.userStats(user), 'order_count', 'total_spend_minor')
    pipeline.zscore(keys.leaderboardOrders, user)
    pipeline.zscore(keys.leaderboardSpend, user)
  }
  const replies = (await pipeline.exec())?.map(([, value]) => value) ?? []
  for (const [at, [user, total]] of [...expected].entries()) {
    const [hash, count, spend] = replies.slice(3 * at, 3 * at + 3) as [string[], string, string]
    same(`orders of ${user}`, hash[0], total.orders)
    same(`spend of ${user}`, hash[1], total.minor)
    same(`score of ${user} by orders`, count, total.orders)
    same(`score of ${user} by spend`, spend, total.minor)
  }
  same('total_orders', await redis.hget(keys.globalStats, 'total_orders'), orders.length)
  const revenue = orders.reduce((sum, { minor }) => sum + minor, 0)
  same('total_revenue_minor', await redis.hget(keys.globalStats, 'total_revenue_minor'), revenue)
  same('orders in the ledger', await ledgerSize(redis), orders.length)
  if (wrong.length > 0) throw new Error(`${who}: ${wrong.length} totals are wrong: ${wrong.slice(0, 3).join('; ')}`)
}

async function ledgerSize(redis: Redis): Promise<number> {
  const buckets = await redis.keys('ledger:*')
  const pipeline = redis.pipeline()
  for (const bucket of buckets) pipeline.hlen(bucket)
  const replies = (await pipeline.exec()) ?? []
  return replies.reduce((sum, [, size]) => sum + Number(size), 0)
}
