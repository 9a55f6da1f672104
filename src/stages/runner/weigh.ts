import type { RecordedKind } from '../../corrections.ts'
import type { OrderFormat } from '../../order/format.ts'
import type { Rejection } from '../../reject-codes.ts'
import { sentEventId } from '../rules.ts'
import type { Correct, CorrectionIdentity, Verdict } from '../stage.ts'
import {
  conflictWith,
  correctedValue,
  eventName,
  isKnownAs,
  type Line,
  orderLine,
  orderName,
  standingIn,
} from './ledger.ts'

/** Says what the ledger holds under a name: '' if nothing, undefined if that was not read. */
export type Stands = (name: string) => string | undefined

/** A value that the ledger must hold under a name. */
export interface Expected {
  readonly name: string
  readonly userId: string | undefined
  /** '' if nothing. */
  readonly expected: string
}

/** A change of an order's value, if the ledger holds `expected`. */
export interface Change extends Expected {
  readonly value: string
}

/** A record that the ledger lets pass: its own line, and of a correction the change of the order. */
export interface Weighed extends Resting {
  readonly line: Line
  readonly change?: Change
  readonly corrects?: RecordedKind
  /** Undefined for a duplicate: its line is what the ledger holds already. */
  readonly emit: object | undefined
}

export type Refused = Rejection & Resting

/** Holds only as long as the ledger holds what was read under those names: a failover may lose it again. */
export interface Resting {
  readonly restsOn?: readonly Pick<Line, 'name' | 'userId'>[]
}

/** Stands for what no ledger holds: a plan that expects it comes back with what the ledger does hold. */
export const unread = '?'

export type FirstVerdict = Extract<Verdict, { outcome: 'admit' | 'correct' }>

/**
 * Decides an order or a correction by what the ledger holds. As long as that was not read, an order is taken for a new one; the
 * commit script refuses a plan that was wrong about it.
 */
export function weigh(verdict: FirstVerdict, stands: Stands, format: OrderFormat): Weighed | Refused {
  if (verdict.outcome === 'correct') return weighCorrection(verdict, stands)
  const line = orderLine(verdict.identity)
  const known = stands(line.name)
  if (!known) return { line, emit: verdict.emit }
  if (isKnownAs(known, line.value)) return repeated({ ...line, value: known })
  return { ...conflictWith(verdict.identity, known, format), restsOn: [line] }
}

const repeated = (line: Line): Weighed => ({ line, emit: undefined, restsOn: [line] })

function weighCorrection({ identity, kind, correct }: Correct, stands: Stands): Weighed | Refused {
  const { userId } = identity
  const line = { name: eventName(identity), value: identity.fingerprint, userId }
  const seen = stands(line.name)
  if (seen) return seen === line.value ? repeated(line) : { ...eventConflict(identity), restsOn: [line] }
  const name = orderName(identity)
  const known = stands(name)
  const changed = (expected: string, value: string, emit: object): Weighed => {
    return { line, change: { name, userId, expected, value }, corrects: kind, emit }
  }
  const notRead = changed(unread, unread, {})
  if (known === undefined) return notRead
  const corrected = known === '' ? unknownOrder(identity) : correct(standingIn(known))
  if (corrected !== 'done' && 'standing' in corrected) {
    return changed(known, correctedValue(known, corrected.standing), corrected.emit)
  }
  // It is refused only if it does not repeat one that was accepted, after which the order stands otherwise.
  if (seen === undefined) return notRead
  if (corrected === 'done') return repeated({ name, value: known, userId })
  return { ...corrected, restsOn: [line, { name, userId }] }
}

const unknownOrder = ({ userId, orderId }: CorrectionIdentity): Rejection => ({
  code: 'unknown-order',
  reason: `Order ${orderId} of user ${userId} is not known`,
})

const eventConflict = ({ userId, orderId, eventId }: CorrectionIdentity): Rejection => {
  const event = sentEventId({ eventId }) ?? 'without event_id'
  return {
    code: 'conflict',
    reason: `Event ${event} of order ${orderId} of user ${userId} was already accepted with another payload`,
  }
}
