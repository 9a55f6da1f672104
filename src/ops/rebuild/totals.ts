import { exactInteger, type Sum } from '../../order/money.ts'
import { keysOnce } from '../scan.ts'
import type { Build } from './feed.ts'
import { requireBuilt } from './progress.ts'

/** Reads the totals that were built, and how many users have some. */
export async function builtTotals({ app, run, shadows, alive }: Build): Promise<Sum & { readonly users: number }> {
  let [users, orders, minor] = [0, 0n, 0n]
  for (const keys of app.partitions) {
    requireBuilt(run, keys, new Map(Object.entries(await app.redis.hgetall(keys.rebuildProgress))))
    const shadow = shadows.get(keys) ?? keys
    const [count, revenue] = await app.redis.hmget(shadow.globalStats, 'total_orders', 'total_revenue_minor')
    orders += exactInteger(count) ?? 0n
    minor += exactInteger(revenue) ?? 0n
    for await (const names of keysOnce({ redis: app.redis, alive }, shadow, shadow.userStats(''))) users += names.length
  }
  return { users, orders, minor }
}
