import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { archive } from '../../stages/archive/archive.ts'
import { calendar } from '../../stages/calendar.ts'
import { readCalendarStart } from '../../stages/calendar-books.ts'
import { missedBefore } from '../../stages/missed-before.ts'
import type { Stage } from '../../stages/placed.ts'
import { compareIds, idMs, isoOf, maxId } from '../../stream-id.ts'
import type { ArchivedOrder } from './collect.ts'

/**
 * Makes sure that each observer has counted these orders: an undo takes them off its numbers. The archive keeps an undo as a
 * record of its own.
 * @throws OrdersError ORD_UNDO for orders from before one began, unless a backfill has given it all
 */
export async function requireCounted(app: App, orders: readonly ArchivedOrder[]): Promise<void> {
  if (orders.length === 0) return
  const observers = app.pipeline.stages.filter(({ isObserver, name }) => isObserver && name !== archive.name)
  for (const stage of observers) {
    const begin = await beginOf(app, stage)
    if (begin === undefined || !orders.some(({ since }) => compareIds(since, begin) < 0)) continue
    const when = begin === maxId ? '' : ` at ${isoOf(idMs(begin))}`
    throw new OrdersError(
      'ORD_UNDO',
      `Some of these orders came before ${stage.name} began${when}, and it has not counted them: run orders backfill ${stage.name} first.`,
    )
  }
}

/** Returns the id from which on a stage has all orders; undefined if it has missed none. The calendar knows its time. */
async function beginOf(app: App, stage: Stage): Promise<string | undefined> {
  const begin = await missedBefore(app, stage)
  if (begin === undefined || stage.name !== calendar.name) return begin
  const start = await readCalendarStart(app.redis, app.partitions)
  return start ? `${start.since.getTime()}-0` : maxId
}
