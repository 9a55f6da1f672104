import { createHash } from 'node:crypto'
import { Redis } from 'ioredis'
import { runScript } from '../../src/redis/script.ts'
import { chunks, inParallel, type OpenContender, type Setting } from './contender.ts'
import { judge, keys } from './effects.ts'

/** The effects of 500 orders, merged as ours are, and computed beforehand with their scores. */
interface Effects {
  readonly ledger: readonly (readonly [bucket: string, field: string, value: string])[]
  readonly users: readonly (readonly [key: string, orders: number, minor: number])[]
  readonly orders: number
  readonly minor: number
  readonly spend: readonly (string | number)[]
  readonly counts: readonly (string | number)[]
}

/** Sends one pipeline per 500 orders, with four of them in flight. */
export const openPipeline: OpenContender = async (setting) => {
  const redis = new Redis(setting.url)
  return contender(setting, redis, async ({ ledger, users, orders, minor, spend, counts }) => {
    const pipeline = redis.pipeline()
    for (const [bucket, field, value] of ledger) pipeline.hsetnx(bucket, field, value)
    for (const [key, by, spent] of users) {
      pipeline.hincrby(key, 'order_count', by)
      pipeline.hincrby(key, 'total_spend_minor', spent)
    }
    pipeline.hincrby(keys.globalStats, 'total_orders', orders)
    pipeline.hincrby(keys.globalStats, 'total_revenue_minor', minor)
    pipeline.zadd(keys.leaderboardSpend, 'GT', ...spend)
    pipeline.zadd(keys.leaderboardOrders, 'GT', ...counts)
    await pipeline.exec()
  })
}

/** Calls one script per 500 orders, with four calls in flight. */
export const openScript: OpenContender = async (setting) => {
  const redis = new Redis(setting.url)
  const sha = createHash('sha1').update(source).digest('hex')
  return contender(setting, redis, async ({ ledger, users, orders, minor, spend, counts }) => {
    const names = [keys.globalStats, keys.leaderboardSpend, keys.leaderboardOrders]
    for (const [bucket] of ledger) names.push(bucket)
    for (const [key] of users) names.push(key)
    const args: (string | number)[] = [ledger.length, users.length, orders, minor]
    for (const [, field, value] of ledger) args.push(field, value)
    for (const [, by, spent] of users) args.push(by, spent)
    await runScript(redis, { source, sha }, names, [...args, ...spend, ...counts])
  })
}

const source = `
local call, lines, users = redis.call, tonumber(ARGV[1]), tonumber(ARGV[2])
call('HINCRBY', KEYS[1], 'total_orders', ARGV[3])
call('HINCRBY', KEYS[1], 'total_revenue_minor', ARGV[4])
local at = 5
for i = 1, lines do
  call('HSETNX', KEYS[3 + i], ARGV[at], ARGV[at + 1])
  at = at + 2
end
for i = 1, users do
  local key = KEYS[3 + lines + i]
  call('HINCRBY', key, 'order_count', ARGV[at])
  call('HINCRBY', key, 'total_spend_minor', ARGV[at + 1])
  at = at + 2
end
call('ZADD', KEYS[2], 'GT', unpack(ARGV, at, at + 2 * users - 1))
call('ZADD', KEYS[3], 'GT', unpack(ARGV, at + 2 * users))
return 1`

function contender({ orders }: Setting, redis: Redis, send: (effects: Effects) => Promise<void>) {
  const parts = precompute(orders)
  return {
    fill: async () => {},
    work: async (begun: () => void) => {
      begun()
      await inParallel(parts, 4, send)
    },
    close: async () => redis.disconnect(),
  }
}

function precompute(orders: Setting['orders']): Effects[] {
  const spent = new Map<string, number>()
  const counted = new Map<string, number>()
  const add = (to: Map<string, number>, key: string, by: number): void => void to.set(key, (to.get(key) ?? 0) + by)
  return chunks(orders, 500).map((some) => {
    const now = { orders: new Map<string, number>(), minor: new Map<string, number>() }
    const ledger = some.map(({ body, userId, minor }) => {
      add(now.orders, userId, 1)
      add(now.minor, userId, minor)
      add(counted, userId, 1)
      add(spent, userId, minor)
      const { current, field, value } = judge(body).ledger
      return [current, field, value] as const
    })
    const users = [...now.orders.keys()]
    return {
      ledger,
      users: users.map((user) => [keys.userStats(user), now.orders.get(user) ?? 0, now.minor.get(user) ?? 0]),
      orders: some.length,
      minor: some.reduce((sum, { minor }) => sum + minor, 0),
      spend: users.flatMap((user) => [spent.get(user) ?? 0, user]),
      counts: users.flatMap((user) => [counted.get(user) ?? 0, user]),
    }
  })
}
