import type { CorrectionKind } from '../../messages.ts'
import type { Message, NamedCorrection } from '../../order/message.ts'
import { type Money, maxOrderValue } from '../../order/money.ts'
import { idMs, isoOf } from '../../stream-id.ts'
import type { Evidence } from './evidence.ts'
import type { Discarded, Rejected, Sighting } from './sightings.ts'
import type { Waiting } from './waiting.ts'

/** A correction of an order that is still in a stream. */
export interface LocatedCorrection {
  readonly kind: CorrectionKind
  readonly event_id: string | null
  readonly state: 'waiting' | 'accepted' | 'invalid' | 'discarded'
  /** When it came to where it is. */
  readonly since: string
  /** The amount of a refund, or the new value, in minor units; null where only the change is known. */
  readonly amount: number | null
  /** By how much it changed the order, in minor units; null unless it was accepted. */
  readonly change: number | null
  /** Its own time, as the producer wrote it. */
  readonly order_timestamp: string | null
  /** Where it waits: for validate, or, accepted, to be counted. */
  readonly waiting?: Waiting
  readonly rejected?: Rejected
  readonly discarded?: Pick<Discarded, 'by' | 'why'>
}

/** Lists the corrections of an order, oldest first. @param place as `placing` makes it */
export function correctionsOf(
  { corrections: { raw, admitted, invalid, discarded } }: Evidence,
  place: (sighting: Sighting, more?: Partial<Waiting>) => Waiting[],
  money: Money,
): LocatedCorrection[] {
  const all: (LocatedCorrection | undefined)[] = [
    ...raw.map((sighting) => {
      const { id, jobId, history } = sighting.record
      const [waiting] = place(sighting, { message: id, jobId, attempts: history?.attempts })
      return waiting && locatedAs('waiting', sighting, { since: waiting.since, waiting }, money) // else its verdict is elsewhere
    }),
    ...admitted.map((sighting) => {
      const [waiting] = place(sighting)
      return locatedAs(
        'accepted',
        sighting,
        { since: isoOf(idMs(sighting.entry.id)), ...(waiting && { waiting }) },
        money,
      )
    }),
    ...invalid.map((one) => locatedAs('invalid', one, { since: one.ts, rejected: one }, money)),
    ...discarded.map((one) => {
      const { at, by, why, rejected } = one
      return locatedAs('discarded', one, { since: at, rejected, discarded: { by, why } }, money)
    }),
  ]
  return all.flatMap((one) => one ?? []).sort((one, other) => Date.parse(one.since) - Date.parse(other.since))
}

function locatedAs(
  state: LocatedCorrection['state'],
  { correction, orderTimestamp }: Partial<Message>,
  rest: Pick<LocatedCorrection, 'since' | 'waiting' | 'rejected' | 'discarded'>,
  money: Money,
): LocatedCorrection | undefined {
  if (!correction) return undefined
  return {
    ...{ kind: correction.kind, event_id: correction.eventId ?? null, state },
    ...{ amount: amountOf(correction, money), change: correction.change ?? null },
    order_timestamp: orderTimestamp ?? null,
    ...rest,
  }
}

/** Returns null for an amount that breaks the rules, too. */
function amountOf({ value }: NamedCorrection, money: Money): number | null {
  return value !== undefined && value >= 0 && value <= maxOrderValue ? money.toMinor(value) : null
}
