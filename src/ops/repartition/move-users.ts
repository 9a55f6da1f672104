import type { ChainableCommander } from 'ioredis'
import { OrdersError } from '../../errors.ts'
import type { Keys } from '../../keys.ts'
import { exactInteger, type Sum } from '../../order/money.ts'
import { partitionFor } from '../../partitions.ts'
import { boardKey, boards, scoresOn } from '../../stages/leaderboard.ts'
import { keysOnce, readHashes } from '../scan.ts'
import { type Move, moveHashes } from './move.ts'

/** Moves users' hashes and their scores. @returns as moveHashes */
export function moveUsers(move: Move): Promise<number> {
  return moveHashes(
    move,
    (source) => source.userStats(''),
    (source, names, hashes) => {
      const prefix = source.userStats('')
      const moving = names.flatMap((name, at) => {
        const userId = name.slice(prefix.length)
        const target = partitionFor(move.to, userId)
        const hash = hashes[at] ?? {}
        return target.userStats(userId) === name || Object.keys(hash).length === 0 ? [] : [{ userId, target, hash }]
      })
      const copies = [...Map.groupBy(moving, (user) => user.target)].map(([target, users]) => {
        const copy = move.redis.pipeline()
        for (const { userId, hash } of users) copy.hset(target.userStats(userId), hash)
        for (const board of boards) {
          const scores = scoresOn(
            board,
            users.map(({ userId, hash }) => [userId, hash] as const),
          )
          if (scores.length > 0) copy.zadd(boardKey(target, board), ...scores)
        }
        return copy
      })
      const userIds = moving.map(({ userId }) => userId)
      const remove = (): ChainableCommander => {
        const removal = move.redis.pipeline().zrem(source.leaderboardOrders, ...userIds)
        return removal.zrem(source.leaderboardSpend, ...userIds).unlink(...userIds.map(source.userStats))
      }
      return { moved: moving.length, copies, remove }
    },
  )
}

/**
 * Sums the users' hashes of a partition.
 * @throws OrdersError ORD_BOOKS if it has users of other partitions
 */
export async function sumUsers(move: Move, keys: Keys): Promise<Sum> {
  const prefix = keys.userStats('')
  const sum = { orders: 0n, minor: 0n }
  for await (const names of keysOnce(move, keys, prefix)) {
    for (const { order_count, total_spend_minor } of await readHashes(move.redis, names)) {
      sum.orders += exactInteger(order_count) ?? 0n
      sum.minor += exactInteger(total_spend_minor) ?? 0n
    }
    const stranger = names.find((name) => partitionFor(move.to, name.slice(prefix.length)) !== keys)
    if (stranger === undefined) continue
    throw new OrdersError(
      'ORD_BOOKS',
      `${stranger} belongs to another partition: another client wrote it during the move. Stop that client, move the key out of the way (RENAME ${stranger} foreign:${stranger}), and run this again.`,
    )
  }
  return sum
}
