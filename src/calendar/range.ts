import type { Calendar } from './calendar.ts'
import { addDays } from './dates.ts'
import { type Period, type PeriodKind, periodOf, readDay, readPeriod, relativeNames } from './periods.ts'

/** Days of a report, the first and the last among them. */
export interface Range {
  readonly from: string
  readonly to: string
}

/** Says which part of a request cannot be answered, and what to ask instead. */
export interface RangeFault {
  readonly field: 'from' | 'to' | 'period'
  readonly message: string
}

/** Three years: a day is a read of each partition. */
const maxDays = 1_100
/** How many days without `from`. */
const defaultDays = 30

const noDay = 'must be a day such as 2026-11-25, today or yesterday'

/** Reads the days of a request. Without `to` they end today, without `from` they are 30. */
export function readRange(
  { from, to }: { readonly from?: string | undefined; readonly to?: string | undefined },
  calendar: Calendar,
  today: string,
): Range | RangeFault {
  const last = to === undefined ? today : readDay(to, today)
  if (last === undefined) return { field: 'to', message: noDay }
  const oldest = calendar.keptFrom('month', today)
  const earliest = addDays(last, 1 - defaultDays)
  const byDefault = earliest < oldest && last >= oldest ? oldest : earliest
  const first = from === undefined ? byDefault : readDay(from, today)
  if (first === undefined) return { field: 'from', message: noDay }
  if (first < oldest) {
    return {
      field: from === undefined ? 'to' : 'from',
      message: `must be ${oldest} or later: earlier days are not kept`,
    }
  }
  if (last < first && to === undefined) return { field: 'from', message: `must not be after ${last}, the last day` }
  if (last < first) return { field: 'to', message: `must not be before ${first}, the first day` }
  if (last > addDays(first, maxDays)) return { field: 'to', message: `must be at most ${maxDays} days after from` }
  return { from: first, to: last }
}

export const daysOf = ({ from, to }: Range): string[] => {
  const days: string[] = []
  for (let day = from; day <= to; day = addDays(day, 1)) days.push(day)
  return days
}

const examples: Readonly<Record<PeriodKind, string>> = { day: '2026-11-25', week: '2026-W48', month: '2026-11' }

/** Reads the name of a period that has leaderboards. */
export function readBoardPeriod(name: string, calendar: Calendar, today: string): Period | RangeFault {
  const { periods } = calendar.settings
  const fault = (message: string): RangeFault => ({ field: 'period', message })
  const period = readPeriod(name, today)
  if (!period) {
    const names = [...periods.map((kind) => examples[kind]), ...relativeNames]
    return fault(`must be a period such as ${names.slice(0, -1).join(', ')} or ${names.at(-1)}`)
  }
  const { kind } = period
  if (!periods.includes(kind)) return fault(`must be a ${periods.join(' or ')}: CALENDAR_PERIODS has no other`)
  const oldest = periodOf(kind, calendar.keptFrom(kind, today)).name
  if (period.from < calendar.keptFrom(kind, today))
    return fault(`must be ${oldest} or later: earlier ${kind}s are not kept`)
  if (period.from > addDays(today, 1)) return fault(`must have begun: today is ${today} in ${calendar.settings.zone}`)
  return period
}
