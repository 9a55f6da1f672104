import type { App } from '../../app.ts'
import { addDays, monthOf } from '../../calendar/dates.ts'
import { addSums, isNoSum, noSum, type Sum, subtractSums } from '../../order/money.ts'
import { readDays } from '../../reads/calendar/days.ts'
import { readCounters } from '../../reads/counters.ts'
import { calendar } from '../../stages/calendar.ts'
import { sum } from '../../sums.ts'
import { type Ranked, rankAll } from './boards.ts'
import { setDays } from './set-days.ts'
import { type DatedTotals, readDatedTotals, type WrongMonth } from './totals.ts'
import { datedTexts } from './totals-text.ts'

/** Result of a check of the days, weeks and months; `undecided` if the days could not be compared while orders came. */
export interface CalendarCheck {
  readonly verdict: 'right' | 'wrong' | 'undecided'
  /** How many scores were not those of their users. */
  readonly scores: number
  /** How many days a repair has set. */
  readonly daysSet: number
  /** One plain sentence each. */
  readonly differences: readonly string[]
  /** Facts that do not make it wrong, a sentence each. */
  readonly notes: readonly string[]
  readonly totals: DatedTotals
}

/** Times that the days are compared before the check says that it could not. */
const maxAttempts = 3

/**
 * Checks that the leaderboards of each kept period have the users' own values, that the users' days add up to the days, and
 * the days to the totals.
 * With `set` it sets the scores and days that are wrong. Exact while all stages work; the days are compared while no order comes.
 * @param lock called before each write. @throws if another process has taken over
 */
export async function checkCalendar(
  app: App,
  mode: 'check' | 'set',
  signal: AbortSignal,
  lock = async (): Promise<void> => {},
): Promise<CalendarCheck> {
  const alive = async (): Promise<void> => {
    signal.throwIfAborted()
    await lock()
  }
  const counted = async (): Promise<number> => {
    const erased = await Promise.all(app.partitions.map((keys) => app.redis.hlen(keys.erased)))
    return sum(erased) + ((await readCounters(app.redis, app.partitions))[calendar.counts] ?? 0)
  }
  for (let attempt = 1; ; attempt++) {
    const before = await counted()
    const all: Ranked[] = []
    for (const keys of app.partitions) all.push(await rankAll(app, keys, mode, alive))
    const wrong = all.flatMap((one) => one.wrong)
    const days = await differentDays(app, all)
    const isQuiet = before === (await counted())
    if (!isQuiet && attempt < maxAttempts && wrong.length === 0) continue
    const some = wrong.slice(0, 3).map(({ board, userId }) => `${userId} in ${board}`)
    const scores = `${wrong.length} scores of days, weeks or months are not those of their users: ${some.join(', ')}.`
    const totals = await readDatedTotals(app)
    const dated = await datedTexts(app, totals)
    const differences = [
      ...(wrong.length > 0 ? [scores] : []),
      ...(isQuiet ? days.map(({ text }) => text) : []),
      ...dated.differences,
    ]
    const isKnown = totals.missing !== undefined && (isQuiet || days.length === 0)
    const verdict = differences.length > 0 ? 'wrong' : isKnown ? 'right' : 'undecided'
    const set = mode === 'set' && isQuiet ? await repairDays({ ...app, alive }, days, totals.months) : 0
    return { verdict, scores: wrong.length, daysSet: set, differences, notes: dated.notes, totals }
  }
}

/** A day that is not the sum of its users, and what it lacks of that. */
interface OddDay {
  readonly day: string
  readonly lacks: Sum
  readonly text: string
}

async function differentDays({ redis, partitions, format, now }: App, all: readonly Ranked[]): Promise<OddDay[]> {
  const today = format.calendar.dayAt(now().getTime())
  const range = { from: format.calendar.keptFrom('month', today), to: addDays(today, 1) }
  const { minorText } = format.money
  const textOf = ({ orders, minor }: Sum): string => `${orders} orders and ${minorText(Number(minor))}`
  return (await readDays(redis, partitions, range)).flatMap(({ day, orders, revenue }) => {
    const users = all.map(({ days }) => days.get(day) ?? noSum).reduce(addSums)
    const own = { orders: BigInt(orders), minor: BigInt(revenue) }
    const text = `The users' orders of ${day} add up to ${textOf(users)}; the day says ${textOf(own)}.`
    const lacks = subtractSums(users, own)
    return isNoSum(lacks) ? [] : [{ day, lacks, text }]
  })
}

/**
 * Sets days to the sum of their users where the books of the calendar say the same: then the day alone is wrong.
 * @returns how many were set
 */
async function repairDays(
  app: App & { alive(): Promise<void> },
  odd: readonly OddDay[],
  months: readonly WrongMonth[],
): Promise<number> {
  let set = 0
  for (const month of months) {
    const own = odd.filter(({ day }) => monthOf(day) === month.month)
    const lacking = own.map(({ lacks }) => lacks).reduce(addSums, noSum)
    if (!isNoSum(subtractSums(lacking, subtractSums(month.counted, month.days)))) continue
    await app.alive()
    set += await setDays(app, month, own)
  }
  return set
}
