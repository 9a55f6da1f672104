import type { PartitionScope } from '../../app.ts'
import type { Dated } from '../../calendar/calendar.ts'
import type { RecordTimes } from '../../messages.ts'
import { recordTimes } from '../../stages/runner/entry.ts'
import type { Evidence } from './evidence.ts'
import type { Sighting } from './sightings.ts'

/** The day on which an order, or a correction, counts. */
export interface LocatedDay {
  readonly day: string
  readonly timezone: string
  readonly dated: Dated
}

/**
 * Returns a function that places a record of a stream in the calendar, as its stage does; one that is not admitted yet, by now.
 * It returns null where there is no calendar.
 */
export function dating({ config, format, pipeline }: PartitionScope, { now }: Pick<Evidence, 'now'>) {
  return (sighting: Sighting): LocatedDay | null => {
    if (config.calendar === 'off') return null
    const { sentMs, atMs } = timesOf(sighting)
    const isAdmitted = sighting.channel !== pipeline.first.from
    const placed = format.calendar.place(sighting.orderTimestamp, sentMs, isAdmitted ? atMs : now.atMs)
    return { ...placed, timezone: format.calendar.settings.zone }
  }
}

/** Returns the times of a record. Those of an entry are in the order of its records. */
function timesOf({ entry, record }: Sighting): RecordTimes {
  const next = recordTimes(entry)
  for (const before of entry.records ?? []) {
    if (before === record) break
    next(before)
  }
  return next(record)
}
