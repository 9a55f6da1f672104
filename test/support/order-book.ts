/** An order, once its body is read. */
export interface Placed {
  readonly kind: 'placed'
  readonly user: string
  readonly order: string
  readonly cents: bigint
  /** Must be equal in two messages of one identity for them to be the same. */
  readonly payload: string
  /** Its order_timestamp as sent. */
  readonly timestamp?: unknown
}

/** A correction of an order, once its body is read. `cents` is the amount of a refund, or the new value of an amendment. */
export interface Correction {
  readonly kind: 'cancelled' | 'refunded' | 'amended'
  readonly user: string
  readonly order: string
  /** Its event_id; undefined without one. */
  readonly eventId: string | undefined
  /** Is the same for the messages of one event. */
  readonly event: string
  readonly cents: bigint
  readonly payload: string
  readonly timestamp?: unknown
}

export type Message = Placed | Correction

/** The change that an accepted message makes. */
export interface Accepted {
  readonly is: 'admitted' | 'corrected'
  readonly cents: bigint
  readonly orders: bigint
}
export type Judgment =
  | Accepted
  | { readonly is: 'duplicate' }
  | { readonly is: 'refused'; readonly group: string; readonly reason: string }

interface Known {
  readonly payload: string
  readonly cents: bigint
  left: bigint
  isCancelled: boolean
}

/** Applies the contract's rules for orders and their corrections, one message after the other: plain maps, no src. */
export class OrderBook {
  private readonly orders = new Map<string, Known>()
  private readonly events = new Map<string, string>()

  judge(message: Message): Judgment {
    const name = JSON.stringify([message.user, message.order])
    return message.kind === 'placed' ? this.place(name, message) : this.correct(name, message)
  }

  /** Returns what is left of an order, in cents, or `x` if it is cancelled. */
  left({ user, order }: Message): string {
    const known = this.orders.get(JSON.stringify([user, order]))
    return known?.isCancelled ? 'x' : `${known?.left}`
  }

  private place(name: string, { user, order, cents, payload }: Placed): Judgment {
    const known = this.orders.get(name)
    if (known?.payload === payload) return { is: 'duplicate' }
    if (known) {
      const reason = `Order ${order} of user ${user} was already accepted with order_value ${units(known.cents)}`
      return { is: 'refused', group: 'conflict', reason }
    }
    this.orders.set(name, { payload, cents, left: cents, isCancelled: false })
    return { is: 'admitted', cents, orders: 1n }
  }

  private correct(name: string, { kind, user, order, eventId, event, cents, payload }: Correction): Judgment {
    const refused = (group: string, reason: string): Judgment => ({ is: 'refused', group, reason })
    const eventName = JSON.stringify([name, event])
    const seen = this.events.get(eventName)
    if (seen === payload) return { is: 'duplicate' }
    if (seen !== undefined) {
      const of = `Event ${eventId ?? 'without event_id'} of order ${order} of user ${user}`
      return refused('conflict:event', `${of} was already accepted with another payload`)
    }
    const known = this.orders.get(name)
    if (!known) return refused('unknown-order', `Order ${order} of user ${user} is not known`)
    if (known.isCancelled && kind === 'cancelled') return { is: 'duplicate' }
    if (known.isCancelled && kind === 'amended') {
      return refused('cancelled-order', `Order ${order} of user ${user} is cancelled`)
    }
    if (kind === 'refunded' && cents > known.left) {
      const amounts = `${units(cents)} exceeds the ${units(known.left)}`
      return refused('refund-exceeds', `The refund of ${amounts} that are left of order ${order} of user ${user}`)
    }
    const left = kind === 'amended' ? cents : kind === 'refunded' ? known.left - cents : 0n
    const added = left - known.left
    this.events.set(eventName, payload)
    known.left = left
    known.isCancelled ||= kind === 'cancelled'
    return { is: 'corrected', cents: added, orders: kind === 'cancelled' ? -1n : 0n }
  }
}

/** Writes an amount of cents in units, without zeros at its end. */
const units = (cents: bigint): string => {
  const digits = `${cents}`.padStart(3, '0')
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`.replace(/\.?0+$/, '')
}
