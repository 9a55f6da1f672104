import { z } from 'zod'
import type { ReportedRange } from '../../api/calendar/replies.ts'
import type { App } from '../../app.ts'
import type { RangeFault } from '../../calendar/range.ts'
import { OrdersError } from '../../errors.ts'
import type { Option } from '../command.ts'

const given = z.string().min(1).max(20).optional()

export const rangeOption = (about: string): Option<string | undefined> => ({
  hint: 'DAY',
  about,
  expected: 'a day such as 2026-11-25, or today',
  schema: given,
})

export const periodOption: Option<string | undefined> = {
  hint: 'PERIOD',
  about: 'a day, week or month: 2026-11-25, 2026-W48, 2026-11, today, this-week or this-month',
  expected: 'a day, week or month such as 2026-W48 or today',
  schema: given,
}

/**
 * Returns the days that a command was asked for.
 * @throws OrdersError ORD_USAGE if they are not kept, or there is no calendar
 */
export function reportable<T extends ReportedRange>({ config }: App, command: string, read: () => T | RangeFault): T {
  if (config.calendar === 'off') {
    throw new OrdersError('ORD_USAGE', `orders ${command}: this system keeps no calendar: CALENDAR is off.`)
  }
  const found = read()
  if (!('message' in found)) return found
  throw new OrdersError('ORD_USAGE', `orders ${command}: --${found.field} ${found.message}.`)
}

/** Says which days a table has, and whether they can still change. */
export function rangeLine({ from, to, timezone, closed }: ReportedRange): string {
  const days = from === to ? from : `${from} to ${to}`
  return `${days} in ${timezone}, ${closed ? 'closed' : 'still open'}.`
}
