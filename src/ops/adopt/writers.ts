import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { unlessRefused } from '../../redis/errors.ts'
import { pythonKeys } from './python.ts'

/** The state that changes with every order that either system processes. */
export async function fingerprint({ redis, partitions }: App): Promise<string> {
  const { globalStats, invalidOrders, leaderboardOrders } = pythonKeys
  return JSON.stringify([
    ...[await redis.hgetall(globalStats), await redis.llen(invalidOrders), await redis.zcard(leaderboardOrders)],
    ...(await Promise.all(partitions.map(({ counters }) => redis.hgetall(counters)))),
  ])
}

/** Last commands of clients that count orders: those of the Python system, and ours, which block in stages and jobs. */
const writing = new Set([
  ...['hincrby', 'hincrbyfloat', 'zincrby', 'lpush', 'exec', 'hset'],
  ...['evalsha', 'eval', 'xreadgroup', 'xautoclaim', 'xadd', 'bzpopmin'],
])

/**
 * Requires that no other client writes orders. If CLIENT LIST is forbidden, as on some managed services, the numbers in
 * Redis must not change instead.
 * @throws OrdersError ORD_USAGE when another connected client sent one of those commands last
 */
export async function requireNoWriters({ redis }: App): Promise<void> {
  const list = await unlessRefused(redis.client('LIST') as Promise<string>)
  const database = String(redis.options.db ?? 0)
  for (const line of (list ?? '').split('\n')) {
    const of = Object.fromEntries(line.split(' ').map((pair) => pair.split(/=(.*)/s).slice(0, 2)))
    if (of['db'] !== database || !writing.has(of['cmd'] ?? '')) continue
    const problem = `A client at ${of['addr']} is connected whose last command was ${String(of['cmd']).toUpperCase()}`
    const advice =
      'stop every process of the Python system and of orders first, or use --force if it does not write orders'
    throw new OrdersError('ORD_USAGE', `${problem}: ${advice}.`)
  }
}
