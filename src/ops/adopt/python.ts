import { isObject, parseJson } from '../../identity.ts'
import { type Keys, makeKeys } from '../../keys.ts'
import type { RedisClient } from '../../redis/client.ts'
import { unlessRefused } from '../../redis/rights.ts'

/** The names of the Python system's keys: those of orders without partitions. */
export const pythonKeys = makeKeys()

/** Fields that the Python system alone writes: amounts as decimal text in currency units. */
export const spendField = 'total_spend'
export const revenueField = 'total_revenue'

/** Whether both systems have the same keys: names of orders are bare too. */
export const sharesNames = (partitions: readonly Keys[]): boolean => partitions[0]?.partition === undefined

/** Whether an element of `invalid_orders` is one of ours, which begin with their id in the stream. */
export const isOurs = (element: string): boolean => /^\{"id":"\d+-\d+",/.test(element)

/** Whether an element is one that the Python system pushes. What another client pushes by hand is not taken for one. */
function isPythons(element: string): boolean {
  if (isOurs(element)) return false
  const sent = parseJson(element)
  return isObject(sent) && Object.hasOwn(sent, 'order') && Object.hasOwn(sent, 'reason')
}

/**
 * Looks at a few keys for what the Python system writes and orders does not. What the user may not read, or what has
 * another type, is taken as not there.
 * @returns a clause that says what is there; undefined where nothing is
 */
export async function noticePython(redis: RedisClient): Promise<string | undefined> {
  const { globalStats, invalidOrders, leaderboardSpend, userStats } = pythonKeys
  const [totals, oldest, newest, best] = await Promise.all([
    unlessRefused(redis.hmget(globalStats, revenueField)),
    unlessRefused(redis.lindex(invalidOrders, -1)),
    unlessRefused(redis.lindex(invalidOrders, 0)),
    unlessRefused(redis.zrevrange(leaderboardSpend, 0, 0)),
  ])
  if (typeof totals?.[0] === 'string') return `${globalStats} has the field ${revenueField}`
  if ([oldest, newest].some((element) => typeof element === 'string' && isPythons(element)))
    return `${invalidOrders} has entries without an id`
  if (best?.[0] === undefined) return undefined
  const user = userStats(best[0])
  const [spend] = (await unlessRefused(redis.hmget(user, spendField))) ?? []
  return typeof spend === 'string' ? `${user} has the field ${spendField}` : undefined
}
