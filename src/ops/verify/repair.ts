import type { App, PartitionScope } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { addSums, type Sum } from '../../order/money.ts'
import { differenceOf, type FoundHash } from '../reconcile/difference.ts'
import { rankAllUsers } from '../reconcile/leaderboards.ts'
import { reconcile } from '../reconcile/reconcile.ts'
import { newToken } from '../reconcile/token.ts'
import { sumOf } from './compare-scores.ts'
import { maxAttempts, openCountedFeed } from './counted-feed.ts'
import { readUserTotals } from './user-totals.ts'

/** Result of a repair: the global stats at one moment, before and after. */
export interface Repaired {
  /** Those whose hashes were read. */
  readonly users: number
  /** The users whose scores were set. */
  readonly scored: number
  readonly before: Sum
  readonly after: Sum
}

/**
 * Corrects the leaderboards and the global stats by the users' hashes, which are the source of truth, while all stages work.
 * Killed at any moment, it leaves right what it has set. Repairs one partition after the other.
 * @param lock called before each write. @throws if this process must stop, or if another one has taken over
 * @throws OrdersError ORD_REDIS_REPLY after three unsuccessful attempts; ORD_BOOKS for a sum beyond what can be added exactly
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
    scored: one.scored + other.scored,
    before: addSums(one.before, other.before),
    after: addSums(one.after, other.after),
  }))
}

interface Repairing extends PartitionScope {
  alive(): Promise<void>
}

async function repairPartition(scope: Repairing, signal: AbortSignal): Promise<Repaired> {
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    const found = await repairTotals(scope, signal)
    if (!found) continue
    const { unreadable, ...repaired } = found
    const set = await rankAllUsers(scope, scope.keys, 'set', await noHashes(scope, unreadable))
    return { ...repaired, scored: set.size }
  }
  const why = `${maxAttempts} times orders were trimmed before they were read, or something else changed numbers`
  throw new OrdersError('ORD_REDIS_REPLY', `Not all is repaired: ${why}: try again.`)
}

/**
 * Adds to the global stats what they lack of the users' totals, both as they were at one moment.
 * @returns undefined if entries were trimmed before they were read, or something else has changed numbers
 */
async function repairTotals(
  scope: Repairing,
  signal: AbortSignal,
): Promise<(Omit<Repaired, 'scored'> & { readonly unreadable: readonly string[] }) | undefined> {
  const { redis, keys, alive } = scope
  const token = await newToken({ redis, partitions: [keys] }, 'users', alive)
  await using feed = await openCountedFeed(scope, signal)
  const at = await readUserTotals(scope, feed, signal)
  if (!at) return undefined
  const { totals, moment, unreadable } = at
  const after = sumOf(totals.values())
  const wanted = new Map([
    ['total_orders', String(after.orders)],
    ['total_revenue_minor', String(after.minor)],
  ])
  const [live, truth] = [hashOf(moment.globalFields), hashOf(wanted)]
  const difference = differenceOf({ name: keys.globalStats, live, shadow: truth })
  await alive()
  const plan = { differences: difference ? [difference] : [], ranks: [] }
  if (!(await reconcile(redis, keys, { token, nextToken: '', kept: undefined }, plan))) return undefined
  return { users: totals.size, before: moment.global, after, unreadable }
}

const hashOf = (fields: ReadonlyMap<string, string>): FoundHash => ({ fields, ttl: undefined })

/** Returns a function that says which users have a key of another type: no score follows from it. */
async function noHashes(
  { redis, keys }: Repairing,
  unreadable: readonly string[],
): Promise<(userId: string) => boolean> {
  const types = await Promise.all(unreadable.map((userId) => redis.type(keys.userStats(userId))))
  const found = new Set(unreadable.filter((_, at) => types[at] !== 'hash' && types[at] !== 'none'))
  return (userId) => found.has(userId)
}
