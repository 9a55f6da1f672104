import { z } from 'zod'
import type { Calendar } from '../../calendar/calendar.ts'
import { type Range, type RangeFault, readBoardPeriod, readRange } from '../../calendar/range.ts'
import type { Money } from '../../order/money.ts'
import type { DayTotals } from '../../reads/calendar/days.ts'
import { amount } from '../http/schemas.ts'

const day = z.string().meta({ override: { type: 'string', format: 'date' } })

/** Fields of each reply about a range of days. */
export const rangeReply = {
  timezone: z.string().meta({ description: 'The zone of the days: `REPORT_TIMEZONE`.' }),
  from: day.meta({ description: 'The first day.', override: { type: 'string', format: 'date' } }),
  to: day.meta({ description: 'The last day.', override: { type: 'string', format: 'date' } }),
  closed: z.boolean().meta({
    description:
      'True once no order can change these days any more, and every order that was admitted before is counted.',
  }),
  since: z.iso.datetime().optional().meta({
    description:
      'When the calendar began, if days before it are asked for: not every order that was counted earlier is in a day.',
  }),
}

/** The same in a reply that has it only where days were asked for. */
export const askedRangeReply = z.object(rangeReply).partial().shape

/** Fields of a reply about a period, absent where none was asked for. */
export const periodReply = {
  period: z.string().optional().meta({ description: 'With `period`: its name, such as `2026-W48`.' }),
  ...askedRangeReply,
}

export interface ReportedRange extends Range {
  readonly timezone: string
  /** By the clock of this process alone, until it is completed (see completed.ts). */
  readonly closed: boolean
  readonly since?: string
}

export interface ReportedPeriod extends ReportedRange {
  readonly period: string
}

const reported = ({ from, to }: Range, calendar: Calendar, today: string): ReportedRange => ({
  timezone: calendar.settings.zone,
  from,
  to,
  closed: calendar.isClosed(to, today),
})

/** Reads the days that a request asks for, by the clock of this process. */
export function reportedRange(
  asked: { readonly from?: string | undefined; readonly to?: string | undefined },
  calendar: Calendar,
  now: Date,
): ReportedRange | RangeFault {
  const today = calendar.dayAt(now.getTime())
  const range = readRange(asked, calendar, today)
  return 'field' in range ? range : reported(range, calendar, today)
}

/** Reads the period that a request asks for, by the clock of this process. */
export function reportedPeriod(name: string, calendar: Calendar, now: Date): ReportedPeriod | RangeFault {
  const today = calendar.dayAt(now.getTime())
  const period = readBoardPeriod(name, calendar, today)
  return 'field' in period ? period : { period: period.name, ...reported(period, calendar, today) }
}

export const dailyReply = z
  .object({
    ...rangeReply,
    days: z
      .array(
        z.object({
          day,
          orders: z.int().meta({ description: 'Orders, less those that were cancelled on this day.' }),
          revenue: amount,
          cancelled: amount,
          refunded: amount,
          undated: z.int().meta({ description: 'Orders without a time that can be read: of the day they were sent.' }),
          misdated: z.int().meta({ description: 'Orders of a closed or future day: of the day they were sent.' }),
        }),
      )
      .meta({ description: 'Every day of the range, in order.' }),
  })
  .meta({ id: 'DailyStats' })

export const dailyOf = (range: ReportedRange, days: readonly DayTotals[], { toAmount }: Money) => ({
  ...range,
  days: days.map((one) => ({
    ...one,
    revenue: toAmount(one.revenue),
    cancelled: toAmount(one.cancelled),
    refunded: toAmount(one.refunded),
  })),
})
