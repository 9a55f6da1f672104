import { z } from 'zod'
import type { PartitionScope } from '../../app.ts'
import { defineScript } from '../../redis/script.ts'
import { calendar } from '../calendar.ts'
import { startFields } from '../calendar-books.ts'
import { deadAfterMs } from '../runner/dead-consumers.ts'
import { channelIn, observing } from './layout.ts'

const leave = defineScript(import.meta.url, z.literal([0, 1]))

/**
 * Takes the calendar out of a partition where CALENDAR=off leaves it out. Its group would keep every entry of the stream until
 * it is run again. While another process runs it, it stays. When it is back it begins again: what was counted meanwhile is
 * in no day.
 */
export async function leaveCalendar({
  redis,
  keys,
  config,
  pipeline,
  telemetry,
}: Pick<PartitionScope, 'redis' | 'keys' | 'config' | 'pipeline' | 'telemetry'>): Promise<void> {
  const { name: stage } = calendar
  const field = observing + stage
  if (config.calendar === 'on' || pipeline.stage(stage)) return
  const layout = await redis.hget(keys.stages, field)
  if (layout === null) return
  const names = [keys.stream(channelIn(layout)), keys.stages, keys.committed(stage), keys.calendarBooks]
  const left = await leave(redis, names, [stage, field, deadAfterMs(config), ...startFields])
  if (left === 1) telemetry.emit('observerLeft', { stage })
}
