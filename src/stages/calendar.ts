import type { Calendar, KeptPeriod } from '../calendar/calendar.ts'
import { monthOf } from '../calendar/dates.ts'
import { type Period, periodKinds } from '../calendar/periods.ts'
import { correctionKinds, ordersOfPart, type ReversedPart } from '../corrections.ts'
import type { Keys } from '../keys.ts'
import { admittedOrder, type RecordTimes, type ValidRecord } from '../messages.ts'
import { boardKey } from './leaderboard.ts'
import { defineObserver, type Effect, expire, hincrby, type RankedBy, rank } from './stage.ts'

/**
 * Counts an order, or a correction, on the day of its own time, and ranks its user in the periods that have this day. A
 * correction changes no day but its own, as in accounting. An undo is no event of the business: it changes the days on which
 * the order and its corrections were counted, as if they had never come.
 */
export const calendar = defineObserver({
  name: 'calendar',
  takes: admittedOrder,
  counts: 'dated',
  decide: (order, keys, { format: { calendar }, times }) =>
    partsOf(order, times).flatMap((part) => effectsOf(order.user_id, part, keys, calendar)),
})

function partsOf({ undo, minor, correction, order_timestamp }: ValidRecord, times: RecordTimes): ReversedPart[] {
  if (undo) return undo.parts
  const kind = correctionKinds.find((one) => one === correction)
  return [{ records: 1, minor, correction: kind, order_timestamp, sent: times.sentMs, at: times.atMs }]
}

function effectsOf(userId: string, part: ReversedPart, keys: Keys, calendar: Calendar): Effect[] {
  const { day, dated } = calendar.place(part.order_timestamp, part.sent, part.at)
  const { minor, correction, records } = part
  const plan = planOf(keys, calendar, day)
  const orders = ordersOfPart(part)
  const own = keys.monthly(plan.month, userId)
  const takenBack = correction === 'cancelled' || correction === 'refunded'
  return [
    hincrby(plan.day, 'orders', orders),
    hincrby(plan.day, 'revenue', minor),
    ...(takenBack ? [hincrby(plan.day, correction, -minor)] : []),
    ...(dated === 'own' ? [] : [hincrby(plan.day, dated, records)]),
    expire(plan.day, plan.expiresAt),
    hincrby(keys.calendarBooks, plan.counted.orders, orders),
    hincrby(keys.calendarBooks, plan.counted.revenue, minor),
    ...plan.fields.flatMap((field) => [hincrby(own, field.orders, orders), hincrby(own, field.spend, minor)]),
    expire(own, plan.expiresAt),
    ...plan.ranks.map((ranked) => rankBy(ranked, keys, userId)),
  ]
}

/** All that the orders of a day have in common. */
interface DayPlan {
  /** The key of the day. */
  readonly day: string
  readonly month: string
  /** Its month's fields in the books of the calendar, which outlast the day. */
  readonly counted: { readonly orders: string; readonly revenue: string }
  readonly expiresAt: number
  /** Of the periods that have the day, in the hash of a user's month. */
  readonly fields: readonly PeriodFields[]
  readonly ranks: readonly PeriodRank[]
}

interface PeriodRank {
  readonly boards: readonly RankedBy[]
  readonly months: readonly string[]
  readonly expiresAt: number
}

const plans = new WeakMap<Calendar, WeakMap<Keys, Map<string, DayPlan>>>()
/** Orders have a few weeks' days. */
const maxPlans = 1_000

function planOf(keys: Keys, calendar: Calendar, day: string): DayPlan {
  const ofKeys = plans.get(calendar) ?? new WeakMap<Keys, Map<string, DayPlan>>()
  plans.set(calendar, ofKeys)
  const ofDays = ofKeys.get(keys) ?? new Map<string, DayPlan>()
  ofKeys.set(keys, ofDays)
  const known = ofDays.get(day)
  if (known) return known
  if (ofDays.size >= maxPlans) ofDays.clear()
  const periods = calendar.periodsAt(day)
  const ranked = calendar.settings.periods
  const kinds = periodKinds.filter((kind) => kind === 'day' || ranked.includes(kind))
  const plan: DayPlan = {
    day: keys.day(day),
    month: periods.month.name,
    counted: { orders: `${periods.month.name}:orders`, revenue: `${periods.month.name}:revenue` },
    expiresAt: periods.month.expiresAt,
    fields: kinds.map((kind) => fieldsOf(periods[kind])),
    ranks: ranked.map((kind) => periodRank(keys, periods[kind])),
  }
  ofDays.set(day, plan)
  return plan
}

function periodRank(keys: Keys, period: KeptPeriod): PeriodRank {
  const fields = fieldsOf(period)
  const boards = [
    { board: boardKey(keys, 'orders', period.name), fields: [fields.orders] },
    { board: boardKey(keys, 'spend', period.name), fields: [fields.spend] },
  ]
  return { boards, months: monthsOf(period), expiresAt: period.expiresAt }
}

function rankBy({ boards, months, expiresAt }: PeriodRank, keys: Keys, userId: string): Effect {
  const hashes = months.map((month) => keys.monthly(month, userId))
  return rank(userId, hashes, boards, expiresAt)
}

/** Ranks a user in a period, by the user's own value of that period. */
export const rankIn = (keys: Keys, period: KeptPeriod, userId: string): Effect[] => [
  rankBy(periodRank(keys, period), keys, userId),
]

/** Returns the months that have days of a period: a week may have days in two. */
export const monthsOf = ({ from, to }: Pick<Period, 'from' | 'to'>): string[] => [...new Set([from, to].map(monthOf))]

interface PeriodFields {
  readonly orders: string
  readonly spend: string
}

/** Returns the fields of a period in the hash of a user's month. A week that has days in two months has a part in each. */
export function fieldsOf({ kind, name }: Period): PeriodFields {
  const prefix = { day: `${name.slice(8)}:`, week: `${name.slice(5)}:`, month: '' }[kind]
  return { orders: `${prefix}orders`, spend: `${prefix}spend` }
}
