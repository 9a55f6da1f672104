import type { App } from '../../app.ts'
import { isClosed } from '../../reads/calendar/closed.ts'
import { readCalendarStart } from '../../stages/calendar-books.ts'
import type { ReportedRange } from './replies.ts'

type Scope = Pick<App, 'redis' | 'partitions' | 'pipeline' | 'format'>

/**
 * Completes days that are asked for by what Redis knows: whether they are closed, and when the calendar began, if they lack
 * what was counted before. Call it before their numbers are read (see closed.ts).
 */
export async function completed<T extends ReportedRange>(scope: Scope, range: T): Promise<T> {
  const closed = range.closed && (await isClosed(scope, range.to))
  const since = await sinceOf(scope, range)
  return { ...range, closed, ...(since && { since }) }
}

async function sinceOf({ redis, partitions, format }: Scope, { from }: ReportedRange): Promise<string | undefined> {
  const { since, before } = (await readCalendarStart(redis, partitions)) ?? {}
  if (!since || !before || (before.orders === 0n && before.minor === 0n)) return undefined
  return from > format.calendar.dayAt(since.getTime()) ? undefined : since.toISOString()
}
