import type { App } from '../../app.ts'
import { readCalendarStart } from '../../stages/calendar-books.ts'
import type { ReportedRange } from './replies.ts'

/** Says when the calendar began, if days are asked for that lack what was counted before. */
export async function withSince<T extends ReportedRange>(
  { redis, partitions, format }: Pick<App, 'redis' | 'partitions' | 'format'>,
  range: T,
): Promise<T> {
  const { since, before } = (await readCalendarStart(redis, partitions)) ?? {}
  if (!since || !before || (before.orders === 0n && before.minor === 0n)) return range
  return range.from > format.calendar.dayAt(since.getTime()) ? range : { ...range, since: since.toISOString() }
}
