import type { Partition } from '../../app.ts'
import type { CountedRecord } from '../../messages.ts'
import { masterOf, type RedisClient } from '../../redis/client.ts'
import { exact, type Moment, type Tail } from './counted-feed.ts'

/** A user's totals; the minor units exact, however large. */
export interface Account {
  orders: number
  minor: bigint
}

export interface AccountsAt {
  readonly moment: Moment
  /** By user id. 1 million, with their scores beside them, are 360 MB of heap. */
  readonly accounts: Map<string, Account>
  /** Users whose hash holds no totals that can be read. */
  readonly unreadable: readonly string[]
}

/**
 * All users' totals at one moment, while aggregate goes on counting. Every commit of aggregate adds to the users' hashes
 * and to the global stats and puts the users' new totals on `orders:counted`, in one script. So: from before the scan of
 * the hashes to a moment after it the tail is read; a user's totals at that moment are the greater of what the scan saw
 * and of what came by, because totals only grow. Undefined where the tail has a gap: then it is to be done again.
 */
export async function readAccounts(app: Partition, tail: Tail, signal: AbortSignal): Promise<AccountsAt | undefined> {
  const accounts = new Map<string, Account>()
  const onRecord = (record: CountedRecord): void => raise(accounts, record)
  const unreadable = await tail.during(scanUsers(app, accounts, signal), onRecord)
  const moment = await tail.now(onRecord)
  return moment && { moment, accounts, unreadable }
}

/** Makes a user's totals those of a record, where they are less. */
export function raise(
  accounts: Map<string, Account>,
  { user_id, order_count, total_spend_minor }: CountedRecord,
): void {
  raiseTo(accounts, user_id, { orders: order_count, minor: BigInt(Math.trunc(total_spend_minor)) })
}

function raiseTo(accounts: Map<string, Account>, userId: string, { orders, minor }: Account): void {
  const account = accounts.get(userId)
  if (!account) {
    accounts.set(userId, { orders, minor })
    return
  }
  if (orders > account.orders) account.orders = orders
  if (minor > account.minor) account.minor = minor
}

/** Keys looked at a call: half a millisecond of Redis' time. */
const scanCount = 1_000
/** Hashes read at once: more would keep the tail waiting, which holds back trimming meanwhile. */
const readCount = 100

async function scanUsers(
  { redis, keys }: Partition,
  accounts: Map<string, Account>,
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
        const account = read[at]
        if (account) raiseTo(accounts, userId, account)
        else unreadable.push(userId)
      })
    }
  }
  return unreadable
}

async function readTotals(redis: RedisClient, users: readonly string[]): Promise<(Account | undefined)[]> {
  const pipeline = redis.pipeline()
  for (const user of users) pipeline.hmget(user, 'order_count', 'total_spend_minor')
  const replies = (await pipeline.exec()) ?? []
  return replies.map(([, fields]) => {
    const [orders, minor] = (Array.isArray(fields) ? fields : []).map(exact)
    return orders === undefined || minor === undefined ? undefined : { orders: Number(orders), minor }
  })
}
