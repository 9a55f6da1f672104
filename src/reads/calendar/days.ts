import { periodOf } from '../../calendar/periods.ts'
import { daysOf, type Range } from '../../calendar/range.ts'
import type { Keys } from '../../keys.ts'
import { wholeNumberOf } from '../../order/money.ts'
import { partitionFor } from '../../partitions.ts'
import { type RedisClient, unwrapReplies } from '../../redis/client.ts'
import type { Totals } from '../../stages/aggregate.ts'
import { fieldsOf } from '../../stages/calendar.ts'
import { sumBy } from '../../sums.ts'

/** Fields of the hash of a day: numbers of orders, and amounts in minor units. */
export const dayFields = ['orders', 'revenue', 'cancelled', 'refunded', 'undated', 'misdated'] as const
export type DayTotals = { readonly day: string } & Readonly<Record<(typeof dayFields)[number], number>>

/** Reads what each day of a range has, summed over the partitions. A day without orders has zeros. */
export async function readDays(redis: RedisClient, partitions: readonly Keys[], range: Range): Promise<DayTotals[]> {
  const days = daysOf(range)
  const parts = await Promise.all(
    partitions.map(async (keys) => {
      const read = redis.pipeline()
      for (const day of days) read.hmget(keys.day(day), ...dayFields)
      return unwrapReplies(await read.exec()) as (string | null)[][]
    }),
  )
  return days.map((day, at) => {
    const sums = dayFields.map((name, field) => [name, sumBy(parts, (part) => wholeNumberOf(part[at]?.[field]))])
    return { day, ...Object.fromEntries(sums) }
  })
}

export const sumOfDays = (days: readonly DayTotals[]): Totals => ({
  orders: sumBy(days, ({ orders }) => orders),
  minor: sumBy(days, ({ revenue }) => revenue),
})

/** Sums a user's orders of a range of days. */
export async function readUserDays(
  redis: RedisClient,
  partitions: readonly Keys[],
  userId: string,
  range: Range,
): Promise<Totals> {
  const keys = partitionFor(partitions, userId)
  const months = Map.groupBy(daysOf(range), (day) => day.slice(0, 7))
  const read = redis.pipeline()
  for (const [month, days] of months) {
    const fields = days.map((day) => fieldsOf(periodOf('day', day)))
    const key = keys.monthly(month, userId)
    read.hmget(key, ...fields.map(({ orders }) => orders)).hmget(key, ...fields.map(({ spend }) => spend))
  }
  const replies = unwrapReplies(await read.exec()) as (string | null)[][]
  const sumOf = (rest: number): number =>
    sumBy(
      replies.filter((_, at) => at % 2 === rest),
      (values) => sumBy(values, wholeNumberOf),
    )
  return { orders: sumOf(0), minor: sumOf(1) }
}
