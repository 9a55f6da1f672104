import { z } from 'zod'
import { carriedFields } from '../../carried.ts'
import { type RecordTimes, type Timed, type Traced, validRecord } from '../../messages.ts'
import { boundMs, idMs } from '../../stream-id.ts'
import { type Entry, recordTimes } from '../runner/entry.ts'

/** A line of a segment: a record of `orders:valid`, and where it was. */
export const archivedRecord = z.looseObject({
  ...validRecord.shape,
  ...carriedFields,
  /** The id of its entry. */
  entry: z.string(),
  /** Its number in the entry, from 0. */
  at: z.int().min(0),
  /** When it was sent to SQS, in ms. */
  sent: z.int(),
})
export type ArchivedRecord = z.output<typeof archivedRecord>

/** Returns the lines of an entry, without line breaks; none if it is no record batch, or for another stage. */
export function linesOf(entry: Entry, stage: string): string[] {
  if (!isFor(entry, stage)) return []
  const timesOf = recordTimes(entry)
  return (entry.records ?? []).map((record, at) => {
    const { traceparents: _, runner_times: _own, ...rest }: Traced & Timed = record
    return JSON.stringify({ entry: entry.id, at, sent: timesOf(record).sentMs, ...rest })
  })
}

/** Returns the times of a line, which are those that the stages had of its record. */
export const archivedTimes = ({ entry, sent }: Pick<ArchivedRecord, 'entry' | 'sent'>): RecordTimes => ({
  sentMs: boundMs(sent),
  atMs: idMs(entry),
})

/** Returns the orders that the stage counts for an entry. */
export const ordersOf = (entry: Entry, stage: string): number =>
  isFor(entry, stage) ? (entry.records?.length ?? entry.orders) : 0

const isFor = ({ group }: Entry, stage: string): boolean => group === undefined || group === stage
