import type { PartitionScope } from '../../app.ts'
import type { Dated } from '../../calendar/calendar.ts'
import { calendar } from '../../stages/calendar.ts'
import { sentTimes } from '../../stages/runner/entry.ts'
import { idMs } from '../../stream-id.ts'
import type { Evidence } from './evidence.ts'
import type { Sighting } from './sightings.ts'

/** The day on which an order, or a correction, counts. */
export interface LocatedDay {
  readonly day: string
  readonly timezone: string
  readonly dated: Dated
}

/**
 * Returns a function that places a record of a stream in the calendar, as its stage does; one that the stage has not committed,
 * by now. It returns null where there is no calendar.
 */
export function dating({ config, format }: PartitionScope, { heldBy, now }: Evidence) {
  return (sighting: Sighting): LocatedDay | null => {
    if (config.calendar === 'off') return null
    const { entry, record, orderTimestamp } = sighting
    const isCounted = heldBy(sighting).some(({ stage, state }) => stage === calendar.name && state === 'acknowledged')
    const nowMs = isCounted ? idMs(entry.id) : now.atMs
    const placed = format.calendar.place(orderTimestamp, sentMsOf(sighting, record), nowMs)
    return { ...placed, timezone: format.calendar.settings.zone }
  }
}

/** Returns when a record was sent to SQS. The times of an entry are in the order of its records. */
function sentMsOf({ entry }: Sighting, record: object): number {
  const timeOf = sentTimes(entry)
  const before = entry.records?.indexOf(record) ?? 0
  for (let at = 0; at < before; at++) timeOf(1)
  return timeOf(1)
}
