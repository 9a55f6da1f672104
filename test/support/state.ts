import type { Redis } from 'ioredis'
import { expect } from 'vitest'
import type { Oracle } from './oracle.ts'
import { until } from './until.ts'

/** Everything that the stages have written about users, by user id. */
interface UserState {
  readonly users: ReadonlyMap<string, Record<string, string>>
  readonly spend: ReadonlyMap<string, string>
  readonly orders: ReadonlyMap<string, string>
  readonly total_orders: string
  readonly total_revenue_minor: string
}

const prefix = 'user:'

async function readState(redis: Redis): Promise<UserState> {
  const keys = await redis.keys(`${prefix}*`)
  const users = await Promise.all(
    keys.map(async (key) => [key.slice(prefix.length), await redis.hgetall(key)] as const),
  )
  const { total_orders = '0', total_revenue_minor = '0' } = await redis.hgetall('global:stats')
  return {
    users: new Map(users),
    spend: await readBoard(redis, 'leaderboard:spend'),
    orders: await readBoard(redis, 'leaderboard:orders'),
    total_orders,
    total_revenue_minor,
  }
}

async function readBoard(redis: Redis, board: string): Promise<Map<string, string>> {
  const flat = await redis.zrange(board, '0', '-1', 'WITHSCORES')
  return new Map(flat.flatMap((user, at) => (at % 2 === 0 ? [[user, flat[at + 1] ?? '']] : [])))
}

function stateBy({ users, ranked, orders, cents }: Oracle): UserState {
  type Totals = { orders: number; cents: bigint }
  const of = <T>(some: Iterable<[string, Totals]>, value: (totals: Totals) => T): Map<string, T> =>
    new Map([...some].map(([user, totals]) => [user, value(totals)]))
  return {
    users: of(users, ({ orders, cents }) => ({ order_count: `${orders}`, total_spend_minor: `${cents}` })),
    spend: of(ranked, ({ cents }) => `${cents}`),
    orders: of(ranked, ({ orders }) => `${orders}`),
    total_orders: `${orders}`,
    total_revenue_minor: `${cents}`,
  }
}

/** Expects users, boards and global stats to be the oracle's, without a user more. */
export async function expectUsers(redis: Redis, oracle: Oracle): Promise<void> {
  expect(await readState(redis)).toEqual(stateBy(oracle))
}

/**
 * Waits until every order has left the pipeline. Then expects everything in Redis to be the oracle's: counters, users,
 * boards, global stats, and the three views of the invalid channel.
 * @param invalid orders that are invalid now: fewer than were rejected after a replay
 */
export async function expectExact(redis: Redis, oracle: Oracle, invalid = oracle.rejected): Promise<void> {
  const counters = await until(
    'every order to be ranked or rejected',
    () => readCounters(redis),
    (count) =>
      count('admitted') >= oracle.admitted &&
      count('ranked') >= count('admitted') + count('corrected') &&
      count('received') === count('admitted') + count('corrected') + count('duplicates') + count('rejected'),
  )
  // SQS may deliver a message again: a duplicate, and nothing else.
  expect(counters('ranked')).toBe(oracle.admitted + oracle.corrected)
  expect([counters('admitted'), counters('corrected')]).toEqual([oracle.admitted, oracle.corrected])
  expect(counters('rejected') - counters('replayed') - counters('discarded')).toBe(invalid)
  await expectUsers(redis, oracle)
  const groups = await Promise.all((await redis.keys('invalid:*')).map((key) => redis.zcard(key)))
  expect(groups.reduce((sum, size) => sum + size, 0)).toBe(invalid)
  const streamed = (await redis.xrevrange('orders:invalid', '+', '-')).map(([id]) => id)
  const listed = (await redis.lrange('invalid_orders', 0, -1)).map((line) => JSON.parse(line).id)
  expect([listed.length, listed]).toEqual([invalid, streamed])
}

async function readCounters(redis: Redis): Promise<(name: string) => number> {
  const counters = await redis.hgetall('pipeline:counters')
  return (name) => Number(counters[name] ?? 0)
}
