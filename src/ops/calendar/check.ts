import type { App } from '../../app.ts'
import { addDays } from '../../calendar/dates.ts'
import { addSums, type Sum } from '../../order/money.ts'
import { readDays } from '../../reads/calendar/days.ts'
import { readCounters } from '../../reads/counters.ts'
import { calendar } from '../../stages/calendar.ts'
import { type Ranked, rankAll } from './boards.ts'

/** Result of a check of the days, weeks and months; `undecided` if the days could not be compared while orders came. */
export interface CalendarCheck {
  readonly verdict: 'right' | 'wrong' | 'undecided'
  /** How many scores were not those of their users. */
  readonly scores: number
  /** One plain sentence each. */
  readonly differences: readonly string[]
}

/** Times that the days are compared before the check says that it could not. */
const maxAttempts = 3

/**
 * Checks that the leaderboards of each kept period have the users' own values, and that the users' days add up to the days.
 * With `set` it sets the scores that are wrong. Exact while all stages work; the days are compared while no order comes.
 */
export async function checkCalendar(app: App, mode: 'check' | 'set', signal: AbortSignal): Promise<CalendarCheck> {
  const alive = async (): Promise<void> => signal.throwIfAborted()
  const counted = async () => (await readCounters(app.redis, app.partitions))[calendar.counts] ?? 0
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
    const differences = [...(wrong.length > 0 ? [scores] : []), ...(isQuiet ? days : [])]
    const verdict = differences.length > 0 ? 'wrong' : isQuiet || days.length === 0 ? 'right' : 'undecided'
    return { verdict, scores: wrong.length, differences }
  }
}

/** Returns a sentence for each day that is not the sum of its users. */
async function differentDays({ redis, partitions, format, now }: App, all: readonly Ranked[]): Promise<string[]> {
  const today = format.calendar.dayAt(now().getTime())
  const range = { from: format.calendar.keptFrom('month', today), to: addDays(today, 1) }
  const { minorText } = format.money
  const text = ({ orders, minor }: Sum): string => `${orders} orders and ${minorText(Number(minor))}`
  return (await readDays(redis, partitions, range)).flatMap(({ day, orders, revenue }) => {
    const users = all.map(({ days }) => days.get(day) ?? none).reduce(addSums)
    const own = { orders: BigInt(orders), minor: BigInt(revenue) }
    if (users.orders === own.orders && users.minor === own.minor) return []
    return [`The users' orders of ${day} add up to ${text(users)}; the day says ${text(own)}.`]
  })
}

const none: Sum = { orders: 0n, minor: 0n }
