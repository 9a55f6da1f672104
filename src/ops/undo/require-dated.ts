import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { readCounters } from '../../reads/counters.ts'
import { calendar } from '../../stages/calendar.ts'
import { readCalendarStart } from '../../stages/calendar-books.ts'
import type { Affected } from './collect.ts'

/**
 * Makes sure that the calendar has counted these orders: an undo takes them off their days.
 * @throws OrdersError ORD_UNDO for orders from before it began, unless a backfill has given it all
 */
export async function requireDated(app: App, orders: readonly Affected[]): Promise<void> {
  const { redis, partitions, pipeline } = app
  const stage = pipeline.stage(calendar.name)
  if (!stage || orders.length === 0) return
  const counters = await readCounters(redis, partitions)
  if ((counters[stage.counters.missed] ?? 0) <= 0) return
  const start = await readCalendarStart(redis, partitions)
  const sinceMs = start?.since.getTime() ?? Number.POSITIVE_INFINITY
  if (!orders.some(({ parts }) => parts.some(({ at }) => at < sinceMs))) return
  const when = start ? ` at ${start.since.toISOString()}` : ''
  throw new OrdersError(
    'ORD_UNDO',
    `Some of these orders came before the calendar began${when}, so no day has them: run orders backfill calendar first.`,
  )
}
