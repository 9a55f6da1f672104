import type { App } from '../../app.ts'
import { addDays } from '../../calendar/dates.ts'
import { addSums, isNoSum, noSum, type Sum, subtractSums } from '../../order/money.ts'
import { readDays } from '../../reads/calendar/days.ts'
import type { Ranked } from './boards.ts'
import { type DayAndUsers, readDayAtOnce } from './day.ts'

/** A day that is not the sum of its users, and what it lacks of that. */
export interface OddDay {
  readonly day: string
  readonly lacks: Sum
  readonly text: string
}

/** Returns nothing for a day that is the sum of its users. */
function oddDay({ format: { money } }: App, day: string, { users, own }: DayAndUsers): OddDay[] {
  const textOf = ({ orders, minor }: Sum): string => `${orders} orders and ${money.minorText(Number(minor))}`
  const lacks = subtractSums(users, own)
  const text = `The users' orders of ${day} add up to ${textOf(users)}; the day says ${textOf(own)}.`
  return isNoSum(lacks) ? [] : [{ day, lacks, text }]
}

export const isSameLack = (one: OddDay, other: OddDay): boolean =>
  one.day === other.day && isNoSum(subtractSums(one.lacks, other.lacks))

/** Compares all kept days with what each user had when the scan read them: exact if no order came meanwhile. */
export async function differentDays(app: App, all: readonly Ranked[]): Promise<OddDay[]> {
  const { redis, partitions, format, now } = app
  const today = format.calendar.dayAt(now().getTime())
  const range = { from: format.calendar.keptFrom('month', today), to: addDays(today, 1) }
  return (await readDays(redis, partitions, range)).flatMap(({ day, orders, revenue }) => {
    const users = all.map(({ days }) => days.get(day) ?? noSum).reduce(addSums)
    return oddDay(app, day, { users, own: { orders: BigInt(orders), minor: BigInt(revenue) } })
  })
}

/** Result of a comparison while orders come. */
interface Compared {
  readonly odd: readonly OddDay[]
  /** Days with too many users to be read at one moment. */
  readonly unread: readonly string[]
}

/** Reads days again, each with the scanned users at one moment. */
export async function compareAtOnce(app: App, all: readonly Ranked[], days: readonly OddDay[]): Promise<Compared> {
  const odd: OddDay[] = []
  const unread: string[] = []
  for (const { day } of days) {
    const read = await readDayAtOnce(app, all, day)
    if (read) odd.push(...oddDay(app, day, read))
    else unread.push(day)
  }
  return { odd, unread }
}
