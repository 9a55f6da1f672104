import { z } from 'zod'
import { adoptedKeys, type Keys } from '../../keys.ts'
import type { Sum } from '../../order/money.ts'
import { unwrapReplies } from '../../redis/client.ts'
import { defineScript } from '../../redis/script.ts'
import { aggregate, correctionsCounter } from '../../stages/aggregate.ts'
import { startFields } from '../../stages/calendar-books.ts'
import { scoresOn } from '../../stages/leaderboard.ts'
import { keysLike, type Move, readHashes } from '../repartition/move.ts'
import { sumUsers } from '../repartition/move-users.ts'
import { pythonKeys, sharesNames } from './python.ts'

const replaceBooks = defineScript(import.meta.url, z.string())

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
  const built = adoptedKeys(keys)
  await alive()
  await redis.unlink(built.leaderboardSpend, built.leaderboardOrders)
  await rankUsers(move, keys)
  const sum = await sumUsers(move, keys)
  await alive()
  const names = [
    ...[keys.counters, keys.globalStats, keys.leaderboardSpend, keys.leaderboardOrders],
    ...[built.leaderboardSpend, built.leaderboardOrders],
  ]
  const counters = ['received', ...move.pipeline.stages.map(({ counts }) => counts)]
  await replaceBooks(redis, names, [
    String(sum.orders),
    String(sum.minor),
    aggregate.counts,
    correctionsCounter,
    ...counters,
  ])
  await redis.hdel(keys.calendarBooks, ...startFields) // a calendar that had begun begins again: these orders came before
  return sum
}

/** Builds both leaderboards next to the old ones. */
async function rankUsers(move: Move, keys: Keys): Promise<void> {
  const built = adoptedKeys(keys)
  const prefix = keys.userStats('')
  for await (const names of keysLike(move, keys, prefix)) {
    const hashes = await readHashes(move.redis, names)
    const users = names.map((name, at) => [name.slice(prefix.length), hashes[at] ?? {}] as const)
    await move.alive()
    const rank = move.redis.pipeline()
    for (const [board, key] of [
      ['orders', built.leaderboardOrders],
      ['spend', built.leaderboardSpend],
    ] as const) {
      const scores = scoresOn(board, users)
      if (scores.length > 0) rank.zadd(key, ...scores)
    }
    unwrapReplies(await rank.exec())
  }
}

/** With partitions, deletes the remaining keys of the Python system. */
async function clearPython({ redis, to, alive }: Move): Promise<void> {
  if (sharesNames(to)) return
  await alive()
  await redis.unlink(pythonKeys.globalStats, pythonKeys.leaderboardSpend, pythonKeys.leaderboardOrders)
}
