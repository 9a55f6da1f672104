import { type Keys, makeKeys } from '../../keys.ts'
import { isObject, parseJson } from '../../order/json.ts'
import type { RedisClient } from '../../redis/client.ts'
import { unlessRefused } from '../../redis/errors.ts'

/** The names of the Python system's keys: those of orders without partitions. */
export const pythonKeys = makeKeys()

/** Fields that only the Python system writes: amounts as decimal text in currency units. */
export const spendField = 'total_spend'
export const revenueField = 'total_revenue'

/** Checks whether both systems use the same keys: without partitions our names are bare too. */
export const sharesNames = (partitions: readonly Keys[]): boolean => partitions[0]?.partition === undefined

/** Checks whether an element of `invalid_orders` is ours: it begins with its id in the stream. */
export const isOurs = (element: string): boolean => /^\{"id":"\d+-\d+",/.test(element)

/** Checks whether an element has the form that the Python system pushes. Elements pushed by hand may not have it. */
function isPythons(element: string): boolean {
  if (isOurs(element)) return false
  const sent = parseJson(element)
  return isObject(sent) && Object.hasOwn(sent, 'order') && Object.hasOwn(sent, 'reason')
}

/**
 * Checks a few keys for data that only the Python system writes. A key that the user may not read, or that has another
 * type, counts as missing.
 * @returns a clause that names the data; undefined if there is none
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
