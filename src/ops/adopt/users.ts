import { z } from 'zod'
import { OrdersError } from '../../errors.ts'
import type { Keys } from '../../keys.ts'
import { exactInteger, maxExactMinor } from '../../order/money.ts'
import { partitionFor } from '../../partitions.ts'
import type { RedisClient } from '../../redis/client.ts'
import { isWrongType } from '../../redis/errors.ts'
import { defineScript } from '../../redis/script.ts'
import type { Move } from '../repartition/move.ts'
import { keysLike } from '../scan.ts'
import { pythonKeys, sharesNames, spendField } from './python.ts'

const convertUsers = defineScript(import.meta.url, z.int())

/** A user of the Python system. */
export interface PythonUser {
  readonly userId: string
  /** As stored in Redis; undefined if a kill left only one of them. */
  readonly orderCount: string | undefined
  readonly totalSpend: string | undefined
  readonly orders: bigint
  readonly minor: bigint
  /** The same hash also has totals of orders. */
  readonly both: boolean
}

/** Some keys whose names begin as those of users. */
export interface UserChunk {
  readonly users: readonly PythonUser[]
  /** Number of users with totals of orders only. */
  readonly ours: number
  /** A sentence with the key for each problem that prevents the conversion. */
  readonly problems: readonly string[]
  /** Keys of other programs. */
  readonly strangers: readonly string[]
}

/** Reads the keys of users, a few hundred at a time. Redis may give a key twice while keys come and go. */
export async function* readUsers(move: Move): AsyncGenerator<UserChunk> {
  for await (const names of keysLike(move, pythonKeys, pythonKeys.userStats(''))) {
    const read = move.redis.pipeline()
    for (const name of names) read.hmget(name, 'order_count', spendField, 'total_spend_minor')
    const replies = (await read.exec()) ?? []
    const chunk = { users: [] as PythonUser[], ours: 0, problems: [] as string[], strangers: [] as string[] }
    for (const [at, name] of names.entries()) {
      const [error, fields] = replies[at] ?? []
      if (error && !isWrongType(error)) throw error
      const found = judge(move, name, Array.isArray(fields) ? fields.map((field) => field ?? undefined) : [])
      if (found === 'ours') chunk.ours++
      else if (found === 'stranger') chunk.strangers.push(name)
      else if ('problem' in found) chunk.problems.push(`${name}: ${found.problem}`)
      else chunk.users.push(found)
    }
    yield chunk
  }
}

type Judged = PythonUser | { readonly problem: string } | 'ours' | 'stranger'

function judge(
  { to, format }: Move,
  name: string,
  [orderCount, totalSpend, ourSpend]: readonly (string | undefined)[],
): Judged {
  const shared = sharesNames(to)
  if (orderCount === undefined && totalSpend === undefined) return ourSpend === undefined ? 'stranger' : 'ours'
  if (shared && totalSpend === undefined && ourSpend !== undefined) return 'ours'
  if (!shared && ourSpend !== undefined)
    return { problem: 'has total_spend_minor, of orders without PARTITIONS: unset PARTITIONS' }
  const orders = /^\d{1,16}$/.test(orderCount ?? '0') ? BigInt(orderCount ?? 0) : undefined
  if (orders === undefined || orders > maxExactMinor) return { problem: `order_count is "${orderCount}", no count` }
  const minor = format.money.minorIn(totalSpend ?? '0')
  if (minor === undefined) return { problem: `total_spend is "${totalSpend}", no amount` }
  if (minor < 0n) return { problem: `total_spend is ${totalSpend}, less than 0` }
  if (minor > maxExactMinor) return { problem: `total_spend is ${totalSpend}, more than can be counted exactly` }
  if (ourSpend !== undefined && exactInteger(ourSpend) === undefined)
    return { problem: `total_spend_minor is "${ourSpend}", no whole number` }
  const userId = name.slice(pythonKeys.userStats('').length)
  return { userId, orderCount, totalSpend, orders, minor, both: ourSpend !== undefined }
}

/**
 * Converts every user, each in one step and once, in chunks that block Redis for a few ms.
 * @throws OrdersError ORD_BOOKS when a user is changed meanwhile
 * @returns the number of converted users
 */
export async function adoptUsers(move: Move): Promise<number> {
  let adopted = 0
  for await (const { users, problems } of readUsers(move)) {
    if (problems[0] !== undefined) throw stillWritten(problems[0])
    if (users.length === 0) continue
    await move.alive()
    adopted += await convert(move.redis, move.to, users)
  }
  return adopted
}

async function convert(redis: RedisClient, to: readonly Keys[], users: readonly PythonUser[]): Promise<number> {
  const names = users.flatMap(({ userId }) => [
    pythonKeys.userStats(userId),
    partitionFor(to, userId).userStats(userId),
  ])
  const args = users.flatMap(({ orderCount = '', totalSpend = '', minor }) => [orderCount, totalSpend, String(minor)])
  const changed = await convertUsers(redis, names, args)
  if (changed > 0) throw stillWritten(names[2 * (changed - 1)] ?? '')
  return users.length
}

export const stillWritten = (what: string): OrdersError =>
  new OrdersError(
    'ORD_BOOKS',
    `${what} was changed meanwhile: stop every process of the Python system and run this again.`,
  )
