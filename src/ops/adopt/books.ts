import { z } from 'zod'
import type { Keys } from '../../keys.ts'
import type { Sum } from '../../order/money.ts'
import { defineScript } from '../../redis/script.ts'
import { aggregate, correctionsCounter } from '../../stages/aggregate.ts'
import { startFields } from '../../stages/calendar-books.ts'
import { rankAllUsers } from '../reconcile/leaderboards.ts'
import type { Move } from '../repartition/move.ts'
import { sumUsers } from '../repartition/move-users.ts'
import { pythonKeys, sharesNames } from './python.ts'

const setBooks = defineScript(import.meta.url, z.string())

/**
 * Makes global stats, counters and leaderboards of each partition those of its users, who are all converted by then.
 * @returns what all users add up to
 */
export async function adoptBooks(move: Move): Promise<Sum> {
  const total = { orders: 0n, minor: 0n }
  for (const keys of move.to) {
    const { orders, minor } = await adoptBooksOf(move, keys)
    total.orders += orders
    total.minor += minor
  }
  await clearPython(move)
  return total
}

async function adoptBooksOf(move: Move, keys: Keys): Promise<Sum> {
  const { redis, alive } = move
  await rankAllUsers(move, keys, 'set')
  const sum = await sumUsers(move, keys)
  await alive()
  const counters = ['received', ...move.pipeline.stages.map(({ counts }) => counts)]
  await setBooks(
    redis,
    [keys.counters, keys.globalStats, keys.compared],
    [String(sum.orders), String(sum.minor), aggregate.counts, correctionsCounter, ...counters],
  )
  await redis.hdel(keys.calendarBooks, ...startFields) // a calendar that had begun begins again: these orders came before
  return sum
}

/** With partitions, deletes the remaining keys of the Python system. */
async function clearPython({ redis, to, alive }: Move): Promise<void> {
  if (sharesNames(to)) return
  await alive()
  await redis.unlink(pythonKeys.globalStats, pythonKeys.leaderboardSpend, pythonKeys.leaderboardOrders)
}
