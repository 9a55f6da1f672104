import { z } from 'zod'
import { completed } from '../../api/calendar/completed.ts'
import type { ReportedRange } from '../../api/calendar/replies.ts'
import type { App } from '../../app.ts'
import type { RangeFault } from '../../calendar/range.ts'
import { OrdersError } from '../../errors.ts'
import type { LocatedDay } from '../../reads/locate/day.ts'
import type { Option } from '../command.ts'

const given = z.string().min(1).max(20).optional()

export const rangeOption = (about: string): Option<string | undefined> => ({
  hint: 'DAY',
  about,
  expected: 'a day such as 2026-11-25, today or yesterday',
  schema: given,
})

export const periodOption: Option<string | undefined> = {
  hint: 'PERIOD',
  about:
    'a day, week or month: 2026-11-25, 2026-W48, 2026-11, today, yesterday, this-week, last-week, this-month or last-month',
  expected: 'a day, week or month such as 2026-W48 or today',
  schema: given,
}

/**
 * Returns the days that a command was asked for.
 * @throws OrdersError ORD_USAGE if they are not kept, or there is no calendar
 */
export async function reportable<T extends ReportedRange>(
  app: App,
  command: string,
  read: () => T | RangeFault,
): Promise<T> {
  if (app.config.calendar === 'off') {
    throw new OrdersError('ORD_USAGE', `orders ${command}: this system keeps no calendar: CALENDAR is off.`)
  }
  const found = read()
  if (!('message' in found)) return completed(app, found)
  throw new OrdersError('ORD_USAGE', `orders ${command}: --${found.field} ${found.message}.`)
}

/** Says which days a table has, and whether they can still change. */
export function rangeLine({ from, to, timezone, closed, since }: ReportedRange): string {
  const days = from === to ? from : `${from} to ${to}`
  const lacking = since && ` Not every order counted before ${since} is in a day: see orders verify --deep.`
  return `${days} in ${timezone}, ${closed ? 'closed' : 'still open'}.${lacking ?? ''}`
}

const whyDays = {
  own: '',
  undated: ', as it has no time that can be read',
  misdated: ', as its own day was not open',
} as const

/** Says on which day an order counts, and why not on its own. */
export const dayText = ({ day, timezone, dated }: LocatedDay): string =>
  `counts on ${day} in ${timezone}${whyDays[dated]}`
