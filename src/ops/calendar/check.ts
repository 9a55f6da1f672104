import type { App } from '../../app.ts'
import { monthOf } from '../../calendar/dates.ts'
import { addSums, exactInteger, isNoSum, noSum, type Sum, subtractSums } from '../../order/money.ts'
import { readCounters } from '../../reads/counters.ts'
import type { RedisClient } from '../../redis/client.ts'
import { calendar } from '../../stages/calendar.ts'
import { sum } from '../../sums.ts'
import type { Difference } from '../reconcile/difference.ts'
import { reconcile } from '../reconcile/reconcile.ts'
import { newToken } from '../reconcile/token.ts'
import { type Ranked, rankAll } from './boards.ts'
import { compareAtOnce, differentDays, isSameLack, type OddDay } from './compare-days.ts'
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
 * With `set` it sets the scores and days that are wrong. Exact while all stages work: where orders come meanwhile, a day that
 * differs is read again with its users at one moment, and is set only while no order comes.
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
  const token = mode === 'set' ? await newToken(app, 'users', alive) : ''
  let before: readonly OddDay[] = []
  for (let attempt = 1; ; attempt++) {
    const count = await counted()
    const all: Ranked[] = []
    for (const keys of app.partitions) all.push(await rankAll({ ...app, alive }, keys, mode))
    const wrong = all.flatMap((one) => one.wrong)
    const days = await differentDays(app, all)
    const isQuiet = count === (await counted())
    const { odd, unread } = isQuiet ? { odd: days, unread: [] } : await compareAtOnce(app, all, days)
    // A user who came a moment ago may not be in it: only what differs by the same twice is wrong.
    const known = isQuiet ? odd : odd.filter((one) => before.some((other) => isSameLack(one, other)))
    const isSettled = known.length === odd.length
    before = odd
    if (!isSettled && attempt < maxAttempts && wrong.length === 0) continue
    const some = wrong.slice(0, 3).map(({ board, userId }) => `${userId} in ${board}`)
    const scores = `${wrong.length} scores of days, weeks or months are not those of their users: ${some.join(', ')}.`
    const totals = await readDatedTotals(app)
    const dated = await datedTexts(app, totals)
    const differences = [...(wrong.length > 0 ? [scores] : []), ...known.map(({ text }) => text), ...dated.differences]
    const isKnown = totals.missing !== undefined && isSettled && unread.length === 0
    const verdict = differences.length > 0 ? 'wrong' : isKnown ? 'right' : 'undecided'
    const set = mode === 'set' && isQuiet ? await repairDays({ ...app, alive }, token, odd, totals.months) : 0
    const left = [...unread, ...odd.filter((one) => !known.includes(one)).map(({ day }) => day)]
    const notes = [...dated.notes, ...uncomparedText(left)]
    return { verdict, scores: wrong.length, daysSet: set, differences, notes, totals }
  }
}

function uncomparedText(days: readonly string[]): string[] {
  if (days.length === 0) return []
  const which = days.length === 1 ? `The day ${days[0]} was` : `${days.length} days (${days[0]} and others) were`
  const how = 'orders pause calendar, orders verify --deep, orders resume calendar'
  return [`${which} not compared with the orders of the users, as orders came meanwhile. For that: ${how}.`]
}

/**
 * Sets days to the sum of their users where the books of the calendar say the same: then the day alone is wrong.
 * @param token of what was compared
 * @returns how many were set
 */
async function repairDays(
  app: App & { alive(): Promise<void> },
  token: string,
  odd: readonly OddDay[],
  months: readonly WrongMonth[],
): Promise<number> {
  const { redis, format, partitions, alive } = app
  let set = 0
  for (const keys of partitions) {
    const lacking = months.flatMap((month) => {
      if (month.keys !== keys) return []
      const own = odd.filter(({ day }) => monthOf(day) === month.month)
      const together = own.map(({ lacks }) => lacks).reduce(addSums, noSum)
      if (!isNoSum(subtractSums(together, subtractSums(month.counted, month.days)))) return []
      const { expiresAt } = format.calendar.periodsAt(`${month.month}-01`).month
      return own.map(({ day, lacks }) => ({ key: keys.day(day), lacks, expiresAt }))
    })
    if (lacking.length === 0) continue
    const differences = await Promise.all(lacking.map((day) => differenceIn(redis, day)))
    await alive()
    const step = { token, nextToken: '', kept: undefined }
    if (await reconcile(redis, keys, step, { differences, ranks: [] })) set += differences.length
  }
  return set
}

interface LackingDay {
  readonly key: string
  readonly lacks: Sum
  readonly expiresAt: number
}

/** A field that holds no number was compared as 0. No order changes it. */
async function differenceIn(redis: RedisClient, { key, lacks, expiresAt }: LackingDay): Promise<Difference> {
  const add = new Map([
    ['orders', Number(lacks.orders)],
    ['revenue', Number(lacks.minor)],
  ])
  const fields = [...add.keys()]
  const texts = await redis.hmget(key, ...fields)
  const odd = fields.filter((_, at) => texts[at] !== null && exactInteger(texts[at]) === undefined)
  return { key, add, ...{ odd, isReplaced: false, isForeign: false, expiresAt } }
}
