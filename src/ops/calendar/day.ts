import { z } from 'zod'
import type { App } from '../../app.ts'
import { monthOf } from '../../calendar/dates.ts'
import { periodOf } from '../../calendar/periods.ts'
import type { Keys } from '../../keys.ts'
import { addSums, exactInteger, noSum, type Sum } from '../../order/money.ts'
import type { RedisClient } from '../../redis/client.ts'
import { defineScript } from '../../redis/script.ts'
import { fieldsOf } from '../../stages/calendar.ts'
import type { Ranked } from './boards.ts'

const readAtOnce = defineScript(import.meta.url, z.array(z.tuple([z.string(), z.string()])))

/** Users of a month that are read at one moment: some 10 ms of Redis' time. */
const maxUsers = 5_000

/** Sums of a day: its own, and that of its users. */
export interface DayAndUsers {
  readonly own: Sum
  readonly users: Sum
}

/**
 * Reads a day with its users, each partition at one moment, while the stage counts. A user who came within the last moments
 * may not be in it: read again where they differ.
 * @returns undefined where a partition has too many users
 */
export async function readDayAtOnce(
  { redis, partitions }: Pick<App, 'redis' | 'partitions'>,
  all: readonly Ranked[],
  day: string,
): Promise<DayAndUsers | undefined> {
  const { orders, spend } = fieldsOf(periodOf('day', day))
  let [own, users] = [noSum, noSum]
  for (const [at, keys] of partitions.entries()) {
    const names = await usersOf(redis, keys, all[at], day)
    if (names.length > maxUsers) return undefined
    const [first, ...rest] = (await readAtOnce(redis, [keys.day(day), ...names], [orders, spend])).map(sumIn)
    own = addSums(own, first ?? noSum)
    users = rest.reduce(addSums, users)
  }
  return { own, users }
}

/** Returns the hashes of the users of a day's month: those of the scan, and of who is on the day's leaderboard by now. */
async function usersOf(redis: RedisClient, keys: Keys, ranked: Ranked | undefined, day: string): Promise<string[]> {
  const month = monthOf(day)
  const scanned = [...(ranked?.users ?? [])].filter((name) => name.startsWith(keys.monthly(month, '')))
  const onBoard = await redis.zrange(keys.periodBoard(day, 'orders'), '0', String(maxUsers))
  return [...new Set([...scanned, ...onBoard.map((userId) => keys.monthly(month, userId))])]
}

const sumIn = ([orders, minor]: readonly [string, string]): Sum => ({
  orders: exactInteger(orders) ?? 0n,
  minor: exactInteger(minor) ?? 0n,
})
