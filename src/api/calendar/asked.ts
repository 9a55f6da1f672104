import { z } from 'zod'
import type { RangeFault } from '../../calendar/range.ts'
import { refuse, refuseField, type Special } from '../http/reply.ts'
import type { ApiContext } from '../http/route.ts'
import { completed } from './completed.ts'
import { type ReportedPeriod, type ReportedRange, reportedPeriod, reportedRange } from './replies.ts'

type Context = Pick<ApiContext, 'config' | 'format' | 'now' | 'redis' | 'partitions' | 'pipeline'>

const off = 'This system keeps no calendar: CALENDAR is off.'
/** The refusal of a route that is asked for days. */
export const noCalendar = { 404: off }

const day = (description: string) =>
  z
    .string()
    .optional()
    .meta({ description, override: { type: 'string', format: 'date' } })

/**
 * Days in a query. A `period`, which leaderboards take, is refused: ignored, it would give the numbers of all time. Other
 * parameters are ignored, as the Python system does.
 */
export const rangeQuery = z
  .looseObject({
    from: day(
      'The first day, in the time zone of the reports; `today` or `yesterday` too. Without it, 30 days up to `to`.',
    ),
    to: day('The last day, which is one of them; `today` or `yesterday` too. Without it, today.'),
  })
  .refine((query) => !('period' in query), { path: ['period'], message: 'is for leaderboards: give from and to' })

/** A period in a query. */
export const period = z.string().optional().meta({
  description:
    'A day, week or month that has leaderboards: `2026-11-25`, `2026-W48`, `2026-11`, `today`, `yesterday`, `this-week`, `last-week`, `this-month` or `last-month`.',
})

/** Returns the days that are asked for; what refuses them; or undefined if the query names none. */
export async function askedRange(
  context: Context,
  query: z.output<typeof rangeQuery>,
): Promise<ReportedRange | Special | undefined> {
  return query.from === undefined && query.to === undefined ? undefined : rangeIn(context, query)
}

/** Returns the days that are asked for, or what refuses them. A query without any asks for the last 30 days. */
export const rangeIn = (context: Context, query: z.output<typeof rangeQuery>): Promise<ReportedRange | Special> =>
  checked(context, () => reportedRange(query, context.format.calendar, context.now()))

/** Returns the period that is asked for; what refuses it; or undefined if the query names none. */
export const askedPeriod = async (
  context: Context,
  name: string | undefined,
): Promise<ReportedPeriod | Special | undefined> =>
  name === undefined ? undefined : checked(context, () => reportedPeriod(name, context.format.calendar, context.now()))

async function checked<T extends ReportedRange>(context: Context, read: () => T | RangeFault): Promise<T | Special> {
  if (context.config.calendar === 'off') return refuse(404, off)
  const found = read()
  return 'message' in found ? refuseField(found.field, found.message) : completed(context, found)
}
