import { z } from 'zod'
import type { App } from '../../app.ts'
import { defineScript } from '../../redis/script.ts'
import { calendar } from '../../stages/calendar.ts'

const areDecided = defineScript(import.meta.url, z.union([z.literal(0), z.literal(1)]))

/** Redis' clock may be set back by so much, as after a failover, without an incident (see src/ops/incidents/clock.ts). */
const restMs = 5_000
/** Some ms of Redis' time. Few entries from before a day closed are left once it has closed. */
const maxEntries = 1_000

/**
 * Returns whether no order can change the days up to this one any more: it has closed by Redis' clock, and the calendar has
 * committed every entry that came before. Ask before the numbers of the day are read: then they have all of these.
 */
export async function isClosed(
  { redis, partitions, pipeline, format }: Pick<App, 'redis' | 'partitions' | 'pipeline' | 'format'>,
  lastDay: string,
): Promise<boolean> {
  const stage = pipeline.stage(calendar.name)
  if (!stage) return false
  const args = [format.calendar.closesAt(lastDay), restMs, maxEntries]
  const read = partitions.map((keys) => areDecided(redis, [keys.stream(stage.from), keys.committed(stage.name)], args))
  return (await Promise.all(read)).every((decided) => decided === 1)
}
