import { Redis } from 'ioredis'
import { type Random, randomOf } from '../chaos/random.ts'

/** Maps users of the Python system to what it has counted for them, in cents. */
export type Counted = Map<string, { orders: number; cents: bigint }>

/** A client of the Python system, which has all rights. */
export function connectAsPython(url: string): Redis {
  const { host, pathname } = new URL(url)
  return new Redis(`redis://${host}${pathname}`)
}

/**
 * Fills a Redis as the Python system does: floats by HINCRBYFLOAT and ZINCRBY, each order with four writes of its own. On a
 * connection that is closed then, as when the system is stopped.
 */
export async function fillAsPython(url: string, { orders = 2_000, users = 150, seed = 1 } = {}): Promise<Counted> {
  const redis = connectAsPython(url)
  const random = randomOf(seed)
  const counted: Counted = new Map()
  const write = redis.pipeline()
  for (let order = 0; order < orders; order++) {
    const user = userOf(random, users)
    const cents = random.below(1_000) === 0 ? 99_999_999_999 : random.below(100_000)
    const value = `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`
    write.hincrby(`user:${user}`, 'order_count', 1).hincrbyfloat(`user:${user}`, 'total_spend', value)
    write.hincrby('global:stats', 'total_orders', 1).hincrbyfloat('global:stats', 'total_revenue', value)
    write.zincrby('leaderboard:spend', value, user).zincrby('leaderboard:orders', 1, user)
    const known = counted.get(user) ?? { orders: 0, cents: 0n }
    counted.set(user, { orders: known.orders + 1, cents: known.cents + BigInt(cents) })
  }
  await write.exec()
  redis.disconnect()
  return counted
}

/** Ids that something might take for more than a name. */
const hostile = ['user:7', '{p1}:x', '[a]*?', 'é🙂', '__proto__', 'a b']

function userOf(random: Random, users: number): string {
  const number = random.below(users)
  return hostile[number] ?? `user_${number}`
}

/** JSON as Python's json.dumps writes it. */
export const dumps = (value: unknown): string =>
  JSON.stringify(value, null, 1)
    .replace(/\n\s*/g, ' ')
    .replace(/([[{]) | ([\]}])/g, '$1$2')
    .replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** Pushes elements onto `invalid_orders`, the last on top. */
export async function rejectAsPython(url: string, elements: readonly (string | Buffer)[]): Promise<void> {
  const redis = connectAsPython(url)
  for (const element of elements) await redis.lpush('invalid_orders', element)
  redis.disconnect()
}
