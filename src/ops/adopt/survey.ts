import type { Keys } from '../../keys.ts'
import type { Money, Sum } from '../../order/money.ts'
import { countText } from '../../reads/count-text.ts'
import { type RedisClient, unwrapReplies } from '../../redis/client.ts'
import type { Move } from '../repartition/move.ts'
import { countElements } from './invalid.ts'
import { pythonKeys, revenueField, sharesNames } from './python.ts'
import { type PythonUser, readUsers } from './users.ts'

/** The data of the Python system in a Redis. */
export interface Survey {
  readonly users: Sum & {
    readonly count: number
    /** Users whose hash also has totals of orders. */
    readonly both: number
    /** Users with totals of orders only, or already converted. */
    readonly ours: number
  }
  /** Fields of the global stats as stored. */
  readonly global: { readonly orders: string | undefined; readonly revenue: string | undefined }
  readonly spend: Board
  readonly orders: Board
  /** Elements of `invalid_orders` that orders did not write, by code. */
  readonly invalid: ReadonlyMap<string, number>
  /** A sentence with the key for each of the first problems that prevent the conversion. */
  readonly problems: readonly string[]
  readonly problemCount: number
}

interface Board {
  readonly users: number
  /** Minor units, or orders; undefined where a score is no plain decimal. */
  readonly sum: bigint | undefined
  /** Users whose score differs from their hash. */
  readonly wrong: number
}

/** Enough to see what is wrong; a script that went wrong may have overwritten thousands. */
const maxProblems = 20

/** Reads all of it in chunks that do not block Redis. Changes nothing. One million user ids take some 100 MB of heap. */
export async function survey(move: Move, now: Date): Promise<Survey> {
  const { redis, to } = move
  const { money } = move.format
  const seen = new Set<string>()
  const users = { count: 0, orders: 0n, minor: 0n, both: 0, ours: 0 }
  const wrong = { spend: 0, orders: 0 }
  const problems = new Set<string>()
  let problemCount = 0
  const note = (problem: string): void => {
    problemCount++
    if (problems.size < maxProblems) problems.add(problem)
  }
  for await (const chunk of readUsers(move)) {
    const fresh = chunk.users.filter(({ userId }) => !seen.has(userId)) // SCAN may give a key twice
    for (const user of fresh) {
      seen.add(user.userId)
      users.count++
      users.orders += user.orders
      users.minor += user.minor
      if (user.both) users.both++
    }
    users.ours += chunk.ours
    for (const problem of chunk.problems) note(problem)
    if (sharesNames(to)) for (const name of chunk.strangers) note(`${name}: ${stranger}`)
    const found = await wrongScores(redis, fresh, money)
    wrong.spend += found.spend
    wrong.orders += found.orders
  }
  const { globalStats, leaderboardSpend, leaderboardOrders } = pythonKeys
  const [orders, revenue] = await redis.hmget(globalStats, 'total_orders', revenueField)
  return {
    users,
    global: { orders: orders ?? undefined, revenue: revenue ?? undefined },
    spend: { ...(await sumBoard(redis, leaderboardSpend, money.minorIn)), wrong: wrong.spend },
    orders: { ...(await sumBoard(redis, leaderboardOrders, countIn)), wrong: wrong.orders },
    invalid: await countElements(move, now),
    problems: [...problems],
    problemCount,
  }
}

const stranger = 'has none of the fields of a user: rename it if it belongs to another program, or set PARTITIONS'

const countIn = (text: string): bigint | undefined => (/^\d+$/.test(text) ? BigInt(text) : undefined)

async function wrongScores(
  redis: RedisClient,
  users: readonly PythonUser[],
  { minorIn }: Money,
): Promise<{ spend: number; orders: number }> {
  const read = redis.pipeline()
  for (const { userId } of users)
    read.zscore(pythonKeys.leaderboardSpend, userId).zscore(pythonKeys.leaderboardOrders, userId)
  const scores = unwrapReplies(await read.exec()) as (string | null)[]
  const wrong = { spend: 0, orders: 0 }
  for (const [at, { orders, minor }] of users.entries()) {
    if (minorIn(scores[2 * at] ?? '') !== minor) wrong.spend++
    if (countIn(scores[2 * at + 1] ?? '') !== orders) wrong.orders++
  }
  return wrong
}

/** Members per call: half a millisecond of Redis' time. */
const pageLength = 1_000

async function sumBoard(
  redis: RedisClient,
  key: string,
  valueIn: (score: string) => bigint | undefined,
): Promise<{ users: number; sum: bigint | undefined }> {
  let [users, sum] = [0, 0n as bigint | undefined]
  for (let page: string[] = []; users === 0 || page.length === 2 * pageLength; ) {
    page = await redis.zrange(key, `${users}`, `${users + pageLength - 1}`, 'WITHSCORES')
    for (let at = 1; at < page.length; at += 2) {
      const value = valueIn(page[at] ?? '')
      sum = sum === undefined || value === undefined ? undefined : sum + value
    }
    users += page.length / 2
    if (page.length === 0) break
  }
  return { users, sum }
}

/** Checks whether there is any data of the Python system. */
export function isEmpty({ users, global, spend, orders, invalid }: Survey, to: readonly Keys[]): boolean {
  if (users.count > 0 || invalid.size > 0 || global.revenue !== undefined) return false
  return sharesNames(to) || (spend.users === 0 && orders.users === 0 && global.orders === undefined)
}

/** Returns a sentence for each disagreement in the Python system's numbers, and one if they are mixed with ours. */
export function disagreements({ users, global, spend, orders }: Survey, money: Money): string[] {
  if (users.both + users.ours > 0) {
    const some = countText(users.both + users.ours)
    return [
      `${some} users have totals of orders too, or are converted already: the Python system's are added to these, each once.`,
    ]
  }
  const stored = { orders: countIn(global.orders ?? '0'), minor: money.minorIn(global.revenue ?? '0') }
  const amount = (minor: bigint): string => money.minorText(Number(minor))
  return [
    ...(stored.orders === undefined
      ? [`${pythonKeys.globalStats}: total_orders is "${global.orders}", no count.`]
      : []),
    ...(stored.minor === undefined
      ? [`${pythonKeys.globalStats}: ${revenueField} is "${global.revenue}", no amount.`]
      : []),
    ...apart(pythonKeys.globalStats, 'orders', [stored.orders, users.orders], countText),
    ...apart(pythonKeys.globalStats, 'revenue', [stored.minor, users.minor], amount),
    ...apart(pythonKeys.leaderboardSpend, 'revenue', [spend.sum, users.minor], amount),
    ...apart(pythonKeys.leaderboardOrders, 'orders', [orders.sum, users.orders], countText),
    ...unlike(pythonKeys.leaderboardSpend, spend, users.count),
    ...unlike(pythonKeys.leaderboardOrders, orders, users.count),
  ]
}

function apart(
  key: string,
  what: 'orders' | 'revenue',
  [stored, sum]: readonly [bigint | undefined, bigint],
  text: (value: bigint) => string,
): string[] {
  if (stored === undefined || stored === sum) return []
  const difference = stored - sum
  const more = `${text(difference < 0n ? -difference : difference)} ${difference < 0n ? 'less' : 'more'}`
  return [`${key} says ${text(stored)} ${what}, ${more} than the users' hashes add up to.`]
}

function unlike(key: string, { users, wrong }: Board, count: number): string[] {
  return [
    ...(wrong === 0 ? [] : [`${countText(wrong)} users have another score on ${key} than in their hash.`]),
    ...(users <= count ? [] : [`${key} has ${countText(users - count)} users more than there are hashes.`]),
  ]
}
