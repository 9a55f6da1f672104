import type { PartitionScope } from '../../app.ts'
import { exactInteger } from '../../order/money.ts'
import type { RedisClient } from '../../redis/client.ts'
import { masterOf } from '../../redis/cluster.ts'
import type { CountedFeed, OnRecord } from './counted-feed.ts'
import type { Moment } from './moment.ts'

/** A user's totals; minor units are exact, however large. */
export interface UserTotals {
  readonly orders: number
  readonly minor: bigint
}

export interface UserTotalsAt {
  readonly moment: Moment
  /** By user id. A million of them take 360 MB of heap together with their scores. */
  readonly totals: Map<string, UserTotals>
  /** Users whose hash holds no readable totals. */
  readonly unreadable: readonly string[]
}

/**
 * Reads all users' totals at one moment, while aggregate keeps counting. Every commit of aggregate adds to the users' hashes
 * and the global stats, and puts the users' new totals on `orders:counted`, in one script. The feed is read from before the
 * scan of the hashes until a moment after it. A user's totals at that moment are the last that the feed showed, else those of
 * the scan.
 * @returns undefined if the feed has a gap: try again
 */
export async function readUserTotals(
  scope: PartitionScope,
  feed: CountedFeed,
  signal: AbortSignal,
): Promise<UserTotalsAt | undefined> {
  const totals = new Map<string, UserTotals>()
  const later = new Map<string, UserTotals>()
  const unreadable = await feed.during(scanUsers(scope, totals, signal), setIn(later))
  const moment = await feed.now(setIn(later))
  for (const [userId, last] of later) totals.set(userId, last)
  return moment && { moment, totals, unreadable }
}

/** Returns what sets a user's totals to those of a record. */
export function setIn(totals: Map<string, UserTotals>): OnRecord {
  return ({ user_id, order_count, total_spend_minor }) => {
    totals.set(user_id, { orders: order_count, minor: BigInt(Math.trunc(total_spend_minor)) })
  }
}

/** Keys per SCAN: half a millisecond of Redis' time. */
const scanCount = 1_000
/** Hashes per read: more would keep the feed waiting, which holds back the trim. */
const readCount = 100

async function scanUsers(
  { redis, keys }: PartitionScope,
  totals: Map<string, UserTotals>,
  signal: AbortSignal,
): Promise<string[]> {
  const prefix = keys.userStats('')
  const pattern = `${prefix.replaceAll(/[\\*?[\]]/g, '\\$&')}*`
  const unreadable: string[] = []
  const node = await masterOf(redis, keys.counters)
  for (let cursor = '', found: string[]; cursor !== '0'; ) {
    signal.throwIfAborted()
    ;[cursor, found] = await node.scan(cursor || '0', 'MATCH', pattern, 'COUNT', scanCount)
    for (let from = 0; from < found.length; from += readCount) {
      const userIds = found.slice(from, from + readCount).map((key) => key.slice(prefix.length))
      const read = await readTotals(redis, userIds.map(keys.userStats))
      userIds.forEach((userId, at) => {
        const found = read[at]
        if (found) totals.set(userId, found)
        else unreadable.push(userId)
      })
    }
  }
  return unreadable
}

async function readTotals(redis: RedisClient, users: readonly string[]): Promise<(UserTotals | undefined)[]> {
  const pipeline = redis.pipeline()
  for (const user of users) pipeline.hmget(user, 'order_count', 'total_spend_minor')
  const replies = (await pipeline.exec()) ?? []
  return replies.map(([, fields]) => {
    const [orders, minor] = (Array.isArray(fields) ? fields : []).map(exactInteger)
    return orders === undefined || minor === undefined ? undefined : { orders: Number(orders), minor }
  })
}
