import type { KeptPeriod } from '../calendar/calendar.ts'
import { monthOf } from '../calendar/dates.ts'
import { type Period, type PeriodKind, periodKinds } from '../calendar/periods.ts'
import type { Keys } from '../keys.ts'
import { admittedOrder, type ValidRecord } from '../messages.ts'
import type { OrderFormat } from '../order/format.ts'
import { ordersOf } from './correction.ts'
import { boardKey } from './leaderboard.ts'
import { defineObserver, type Effect, expire, hincrby, rank } from './stage.ts'

/**
 * Counts an order, or a correction, on the day of its own time, and ranks its user in the periods that have this day. A
 * correction changes no day but its own, as in accounting.
 */
export const calendar = defineObserver({
  name: 'calendar',
  takes: admittedOrder,
  counts: 'dated',
  decide: (order, keys, { format, times }) => {
    const { day, dated } = format.calendar.place(order.order_timestamp, times.sentMs, times.nowMs)
    const periods = format.calendar.periodsAt(day)
    const change = { userId: order.user_id, orders: ordersOf(order), minor: order.minor }
    return [
      ...added(keys.day(day), { ...changeOf(order), ...(dated !== 'own' && { [dated]: 1 }) }, periods.month.expiresAt),
      ...ofUser(keys, periods, format, change),
    ]
  },
})

/** Names the fields of a day that an order or a correction adds to. */
function changeOf(order: ValidRecord): Readonly<Record<string, number>> {
  const { minor, correction } = order
  const takenBack = correction === 'cancelled' || correction === 'refunded'
  return { orders: ordersOf(order), revenue: minor, ...(takenBack && { [correction]: -minor }) }
}

interface Change {
  readonly userId: string
  readonly orders: number
  readonly minor: number
}

type Periods = Readonly<Record<PeriodKind, KeptPeriod>>

function ofUser(keys: Keys, periods: Periods, { calendar }: OrderFormat, { userId, orders, minor }: Change): Effect[] {
  const { month } = periods
  const key = keys.monthly(month.name, userId)
  const ranked = calendar.settings.periods
  const kinds = periodKinds.filter((kind) => kind === 'day' || ranked.includes(kind))
  const amounts = kinds.flatMap((kind) => {
    const fields = fieldsOf(periods[kind])
    return [
      [fields.orders, orders],
      [fields.spend, minor],
    ] as const
  })
  return [
    ...added(key, Object.fromEntries(amounts), month.expiresAt),
    ...ranked.flatMap((kind) => rankIn(keys, periods[kind], userId)),
  ]
}

/** Ranks a user in a period, by the user's own value of that period. */
export function rankIn(keys: Keys, period: KeptPeriod, userId: string): Effect[] {
  const fields = fieldsOf(period)
  const names = [boardKey(keys, 'orders', period.name), boardKey(keys, 'spend', period.name)] as const
  const by = [
    { board: names[0], fields: [fields.orders] },
    { board: names[1], fields: [fields.spend] },
  ]
  const hashes = monthsOf(period).map((month) => keys.monthly(month, userId))
  return [rank(userId, hashes, by), ...names.map((name) => expire(name, period.expiresAt))]
}

/** Adds to fields of a hash that expires. */
function added(key: string, amounts: Readonly<Record<string, number>>, expiresAt: number): Effect[] {
  return [...Object.entries(amounts).map(([field, by]) => hincrby(key, field, by)), expire(key, expiresAt)]
}

/** Returns the months that have days of a period: a week may have days in two. */
export const monthsOf = ({ from, to }: Pick<Period, 'from' | 'to'>): string[] => [...new Set([from, to].map(monthOf))]

/** Returns the fields of a period in the hash of a user's month. A week that has days in two months has a part in each. */
export function fieldsOf({ kind, name }: Period): { readonly orders: string; readonly spend: string } {
  const prefix = { day: `${name.slice(8)}:`, week: `${name.slice(5)}:`, month: '' }[kind]
  return { orders: `${prefix}orders`, spend: `${prefix}spend` }
}
