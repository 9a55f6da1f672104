import type { Keys } from '../keys.ts'
import { admittedOrder, userTotals } from '../messages.ts'
import { wholeNumberOf } from '../order/money.ts'
import { partitionFor } from '../partitions.ts'
import type { RedisClient } from '../redis/client.ts'
import { ordersOf } from './correction.ts'
import { defineStage, hincrby, pass } from './stage.ts'

/** Counts by how much corrections keep the number of orders below `applied`, among which they are. */
export const correctionsCounter = 'applied:corrections'

/** Counts an admitted order, or a correction, for its user and for all; emits the user's new totals. */
export const aggregate = defineStage({
  name: 'aggregate',
  takes: admittedOrder,
  passes: { channel: 'counted', record: userTotals },
  counts: 'applied',
  decide: (order, keys) => {
    const { user_id, minor, correction } = order
    const user = keys.userStats(user_id)
    const orders = ordersOf(order)
    return pass({
      effects: [
        hincrby(user, 'order_count', orders),
        hincrby(user, 'total_spend_minor', minor),
        hincrby(keys.globalStats, 'total_orders', orders),
        hincrby(keys.globalStats, 'total_revenue_minor', minor),
        ...(correction === undefined ? [] : [hincrby(keys.counters, correctionsCounter, 1 - orders)]),
      ],
      totals: { key: user, head: { user_id } },
    })
  },
})

export interface Totals {
  readonly orders: number
  readonly minor: number
}

export async function readUserStats(redis: RedisClient, partitions: readonly Keys[], userId: string): Promise<Totals> {
  const user = partitionFor(partitions, userId).userStats(userId)
  return totals(await redis.hmget(user, 'order_count', 'total_spend_minor'))
}

/** Sums the global stats of all partitions. */
export async function readGlobalStats(redis: RedisClient, partitions: readonly Keys[]): Promise<Totals> {
  const read = partitions.map(({ globalStats }) => redis.hmget(globalStats, 'total_orders', 'total_revenue_minor'))
  const all = (await Promise.all(read)).map(totals)
  return all.reduce((sum, { orders, minor }) => ({ orders: sum.orders + orders, minor: sum.minor + minor }))
}

/** Returns integers, even if another client wrote something else there; the books report that. */
function totals([orders, minor]: readonly (string | null)[]): Totals {
  return { orders: wholeNumberOf(orders), minor: wholeNumberOf(minor) }
}
