import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { type CalendarOracle, later, plus, type Sums, weekOf } from './calendar-oracle.ts'
import { boards } from './calendar-state.ts'

type Get = (path: string) => Promise<unknown>

/** The most that the API gives in one reply. */
const maxDays = 1_100

/** A period takes seven requests. */
const everyNth = 4

/**
 * Asks the API for all days, and for some days, weeks and months: their sums, their leaderboards with the rule for ties, and a
 * user's rank and sums. Returns in words each reply that is not as the oracle has it.
 */
export async function reportedDifferences(get: Get, calendar: CalendarOracle): Promise<string[]> {
  const expected = new Map<string, object>()
  const last = later(calendar.today, 1)
  const [first = last] = [...calendar.days.keys()].sort()
  for (let from = first; from <= last; from = later(from, maxDays)) {
    const [to = last] = [later(from, maxDays - 1), last].sort()
    const days: object[] = []
    for (let day = from; day <= to; day = later(day, 1)) days.push(dayOf(calendar, day))
    expected.set(`/stats/daily?from=${from}&to=${to}`, { ...spanOf(calendar, from, to), days })
  }
  const periods = [...calendar.periods()].filter((_, at) => at % everyNth === 0)
  for (const [period, users] of periods) expectPeriod(expected, calendar, period, users)
  const differences: string[] = []
  for (const [path, reply] of expected) {
    const found = await get(path)
    if (isDeepStrictEqual(found, reply)) continue
    differences.push(`${path}: ${JSON.stringify(found)}, should be ${JSON.stringify(reply)}`)
  }
  return differences
}

const spanOf = ({ zone }: CalendarOracle, from: string, to: string): object => ({
  timezone: zone,
  from,
  to,
  closed: false,
})

function dayOf({ days }: CalendarOracle, day: string): object {
  const { orders, undated, misdated, ...cents } = days.get(day) ?? { orders: 0, undated: 0, misdated: 0 }
  const amounts = { revenue: 0n, cancelled: 0n, refunded: 0n, ...cents }
  const inUnits = Object.entries(amounts).map(([name, amount]) => [name, units(amount)])
  return { day, orders, undated, misdated, ...Object.fromEntries(inUnits) }
}

const units = (cents: bigint): number => Number(cents) / 100

function expectPeriod(
  expected: Map<string, object>,
  calendar: CalendarOracle,
  period: string,
  users: ReadonlyMap<string, Sums>,
): void {
  const [from, to] = daysIn(period)
  const span = spanOf(calendar, from, to)
  const total = [...users.values()].reduce((sum, one) => plus(sum, one), { orders: 0, cents: 0n })
  expected.set(`/stats/global?from=${from}&to=${to}`, {
    ...{ total_orders: total.orders, total_revenue: units(total.cents) },
    ...span,
  })
  const [spend, orders] = (['spend', 'orders'] as const).map((by) => rankingOf(users, by)) as [Ranked[], Ranked[]]
  const rankings = { spend, orders }
  for (const by of boards) {
    const page = { by, n: 100, offset: 0, users: rankings[by].slice(0, 100), period, ...span }
    expected.set(`/stats/top-users?by=${by}&n=100&period=${period}`, page)
  }
  const { user_id } = spend[total.orders % spend.length] ?? {}
  if (user_id === undefined) return
  const path = `/users/${encodeURIComponent(user_id)}`
  expected.set(`${path}/rank?period=${period}&around=1`, {
    ...{ user_id, spend: standingOf(spend, user_id), orders: standingOf(orders, user_id), period },
    ...span,
  })
  const own = [...(calendar.users.get(user_id) ?? [])].filter(([day]) => day >= from && day <= to)
  const sums = own.reduce((sum, [, one]) => plus(sum, one), { orders: 0, cents: 0n })
  expected.set(`${path}/stats?from=${from}&to=${to}`, {
    ...{ user_id, order_count: sums.orders, total_spend: units(sums.cents) },
    ...span,
  })
}

interface Ranked {
  readonly user_id: string
  readonly score: number
}

/** Best first, equals in descending order of the id's bytes. */
function rankingOf(users: ReadonlyMap<string, Sums>, by: (typeof boards)[number]): Ranked[] {
  return [...users]
    .filter(([, { orders }]) => orders > 0)
    .map(([user_id, sums]) => ({ user_id, score: by === 'spend' ? units(sums.cents) : sums.orders }))
    .sort((a, b) => b.score - a.score || Buffer.compare(Buffer.from(b.user_id), Buffer.from(a.user_id)))
}

function standingOf(ranking: readonly Ranked[], userId: string): object {
  const at = ranking.findIndex(({ user_id }) => user_id === userId)
  const neighbors = ranking.map((one, at) => ({ rank: at + 1, ...one })).slice(Math.max(0, at - 1), at + 2)
  return { rank: at + 1, score: ranking[at]?.score, users: ranking.length, neighbors }
}

/** Returns the first and last day of a period. */
function daysIn(period: string): [string, string] {
  if (period.includes('W')) {
    let monday = `${Number(period.slice(0, 4)) - 1}-12-28`
    while (weekOf(monday) !== period) monday = later(monday, 1)
    return [monday, later(monday, 6)]
  }
  if (period.length === 10) return [period, period]
  const [year, month] = period.split('-').map(Number)
  return [`${period}-01`, new Date(Date.UTC(year ?? 0, month ?? 0, 0)).toISOString().slice(0, 10)]
}

/** Waits for the next day of a zone if it begins within so many ms: messages without a time count on the day they are sent. */
export async function awayFromMidnight(zone: string, ms: number): Promise<void> {
  const dayAt = (time: number): string => new Date(time).toLocaleDateString('sv-SE', { timeZone: zone })
  while (dayAt(Date.now()) !== dayAt(Date.now() + ms)) await sleep(1_000)
}
