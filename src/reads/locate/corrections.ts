import { type RecordedKind, reversalKinds } from '../../corrections.ts'
import type { Message, NamedCorrection } from '../../order/message.ts'
import { type Money, maxOrderValue } from '../../order/money.ts'
import { idMs, isoOf } from '../../stream-id.ts'
import type { LocatedDay } from './day.ts'
import type { Evidence } from './evidence.ts'
import type { Discarded, Rejected, Sighting } from './sightings.ts'
import type { Waiting } from './waiting.ts'

/** A correction of an order that is still in a stream. */
export interface LocatedCorrection {
  readonly kind: RecordedKind
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
  /** The day that it changes; null where it changes none, or that is not known. */
  readonly day: LocatedDay | null
  /** Where it waits: for validate, or, accepted, to be counted. */
  readonly waiting?: Waiting
  readonly rejected?: Rejected
  readonly discarded?: Pick<Discarded, 'by' | 'why'>
}

interface Reading {
  readonly money: Money
  /** As `placing` makes it. */
  place(sighting: Sighting, more?: Partial<Waiting>): Waiting[]
  /** As `dating` makes it. */
  dayOf(sighting: Sighting): LocatedDay | null
}

/** Lists the corrections of an order, oldest first. */
export function correctionsOf(
  { corrections: { raw, admitted, invalid, discarded } }: Evidence,
  { place, dayOf, money }: Reading,
): LocatedCorrection[] {
  const all: (LocatedCorrection | undefined)[] = [
    ...raw.map((sighting) => {
      const { id, jobId, history } = sighting.record
      const [waiting] = place(sighting, { message: id, jobId, attempts: history?.attempts })
      return waiting && locatedAs('waiting', sighting, { since: waiting.since, waiting, day: dayOf(sighting) }, money) // else its verdict is elsewhere
    }),
    ...admitted.map((sighting) => {
      const [waiting] = place(sighting)
      return locatedAs(
        'accepted',
        sighting,
        { since: isoOf(idMs(sighting.entry.id)), day: ownDay(sighting, dayOf), ...(waiting && { waiting }) },
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

/** Returns null for an undo and its redo: they change the days of the order and of its corrections. */
const ownDay = (sighting: Sighting & Partial<Message>, dayOf: Reading['dayOf']): LocatedDay | null =>
  reversalKinds.some((kind) => kind === sighting.correction?.kind) ? null : dayOf(sighting)

function locatedAs(
  state: LocatedCorrection['state'],
  { correction, orderTimestamp }: Partial<Message>,
  rest: Pick<LocatedCorrection, 'since' | 'waiting' | 'rejected' | 'discarded'> &
    Partial<Pick<LocatedCorrection, 'day'>>,
  money: Money,
): LocatedCorrection | undefined {
  if (!correction) return undefined
  return {
    ...{ kind: correction.kind, event_id: correction.eventId ?? null, state },
    ...{ amount: amountOf(correction, money), change: correction.change ?? null },
    ...{ order_timestamp: orderTimestamp ?? null, day: null },
    ...rest,
  }
}

/** Returns null for an amount that breaks the rules, too. */
function amountOf({ value }: NamedCorrection, money: Money): number | null {
  return value !== undefined && value >= 0 && value <= maxOrderValue ? money.toMinor(value) : null
}
