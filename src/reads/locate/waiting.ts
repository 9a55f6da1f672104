import type { PartitionScope } from '../../app.ts'
import type { Envelope } from '../../messages.ts'
import { idMs, isoOf } from '../../stream-id.ts'
import type { Holding } from './delivery-state.ts'
import { type Evidence, waits } from './evidence.ts'
import type { Sighting } from './sightings.ts'

/** An entry of a work stream that holds the order, or new totals of its user. */
export interface Waiting {
  readonly stream: string
  readonly entry: string
  readonly since: string
  readonly held_by: Holding[]
  /** On the first stream: the message or replay, its envelopes, the job, and the number of earlier rejections. */
  readonly message?: string
  readonly envelope?: Pick<Envelope, 'layers'> | undefined
  readonly jobId?: string | undefined
  readonly attempts?: number | undefined
  /** On the last stream: the number of orders of the user in the entry. */
  readonly orders?: number
}

/** Returns where a sighting waits; an empty list if every stage has processed it and it is only not trimmed yet. */
export function placing({ keys }: PartitionScope, { heldBy }: Evidence) {
  return (sighting: Sighting, more: Partial<Waiting> = {}): Waiting[] => {
    const stream = keys.stream(sighting.channel)
    const since = isoOf(idMs(sighting.entry.id))
    const held = heldBy(sighting)
    return waits(held) ? [{ stream, entry: sighting.entry.id, since, held_by: [...held], ...more }] : []
  }
}
