import { z } from 'zod'
import type { App } from '../../app.ts'
import type { RedisClient } from '../../redis/client.ts'
import { defineScript } from '../../redis/script.ts'
import { calendar } from '../../stages/calendar.ts'

const areDecided = defineScript(import.meta.url, z.union([z.literal(0), z.literal(1)]))

/** Redis' clock may be set back by so much, as after a failover, without an incident (see src/ops/incidents/clock.ts). */
const restMs = 5_000
/** For so long Redis is not asked again. Not for good, as it may be restored from older data. */
const knownMs = 60_000

/** The last time, in ms, before which all is known to be committed, and until when that is taken as known. */
const known = new WeakMap<RedisClient, { readonly closedMs: number; readonly untilMs: number }>()

/**
 * Returns whether no order can change the days up to this one any more: it has closed by Redis' clock, and the calendar has
 * committed every entry that came before. Ask before the numbers of the day are read: then they have all of these.
 * @param nowMs by the monotonic clock of this process
 */
export async function isClosed(
  { redis, partitions, pipeline, format }: Pick<App, 'redis' | 'partitions' | 'pipeline' | 'format'>,
  lastDay: string,
  nowMs = performance.now(),
): Promise<boolean> {
  const stage = pipeline.stage(calendar.name)
  if (!stage) return false
  const closedMs = format.calendar.closesAt(lastDay)
  const last = known.get(redis)
  if (last && closedMs <= last.closedMs && nowMs < last.untilMs) return true
  const args = [closedMs, restMs, stage.name]
  const read = partitions.map((keys) => areDecided(redis, [keys.stream(stage.from), keys.committed(stage.name)], args))
  const isDecided = (await Promise.all(read)).every((decided) => decided === 1)
  if (isDecided) known.set(redis, { closedMs, untilMs: nowMs + knownMs })
  return isDecided
}
