import { z } from 'zod'
import type { PartitionScope } from '../../app.ts'
import { defineScript } from '../../redis/script.ts'
import { calendar } from '../calendar.ts'
import { startFields } from '../calendar-books.ts'
import { deadAfterMs } from '../runner/dead-consumers.ts'
import { channelIn, observing } from './layout.ts'

const leave = defineScript(import.meta.url, z.literal([0, 1]))

type Scope = Pick<PartitionScope, 'redis' | 'keys' | 'config' | 'pipeline' | 'telemetry'>

/**
 * Takes the calendar out of a partition where CALENDAR=off leaves it out. Its group would keep every entry of the stream until
 * it is run again. While another process runs it, it stays. When it is back it begins again: what was counted meanwhile is
 * in no day.
 */
export async function leaveCalendar(scope: Scope): Promise<void> {
  if (scope.config.calendar === 'on' || scope.pipeline.stage(calendar.name)) return
  await leaveObserver(scope, calendar.name, { key: scope.keys.calendarBooks, fields: startFields })
}

/**
 * Takes an observer out of a partition, and deletes fields of a hash of its own. While a process runs it, it stays.
 * @returns `absent` where its group is not there
 */
export async function leaveObserver(
  { redis, keys, config, telemetry }: Omit<Scope, 'pipeline'>,
  stage: string,
  own: { readonly key: string; readonly fields: readonly string[] },
): Promise<'left' | 'runs' | 'absent'> {
  const field = observing + stage
  const layout = await redis.hget(keys.stages, field)
  if (layout === null) return 'absent'
  const names = [keys.stream(channelIn(layout)), keys.stages, keys.committed(stage), own.key]
  if ((await leave(redis, names, [stage, field, deadAfterMs(config), ...own.fields])) === 0) return 'runs'
  telemetry.emit('observerLeft', { stage })
  return 'left'
}
