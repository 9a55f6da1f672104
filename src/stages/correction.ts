import { amountsOf } from '../corrections.ts'
import type { ValidRecord } from '../messages.ts'
import type { OrderFormat } from '../order/format.ts'
import type { Rejection } from '../reject-codes.ts'
import type { Correction } from './rules.ts'
import type { Standing } from './stage.ts'

/**
 * Decides what a correction leaves of an order. Never more is taken back than was counted.
 * @returns `done` for an order that is cancelled already
 */
export function correctionOf(
  { kind, minor = 0, orderId, userId }: Correction,
  standing: Standing,
  { money }: OrderFormat,
): Standing | Rejection | 'done' {
  const order = `order ${orderId} of user ${userId}`
  if (standing.undoneBy !== undefined) {
    return { code: 'cancelled-order', reason: `Order ${orderId} of user ${userId} is undone` }
  }
  if (kind === 'cancelled') return standing.isCancelled ? 'done' : { ...standing, net: 0, isCancelled: true }
  if (kind === 'amended') {
    if (!standing.isCancelled) return { ...standing, net: minor }
    return { code: 'cancelled-order', reason: `Order ${orderId} of user ${userId} is cancelled` }
  }
  if (minor <= standing.net) return { ...standing, net: standing.net - minor }
  const [asked, left] = [money.minorText(minor), money.minorText(standing.net)]
  return { code: 'refund-exceeds', reason: `The refund of ${asked} exceeds the ${left} that are left of ${order}` }
}

/** Returns by how much a record changes the number of orders. */
export function ordersOf({ correction, undo }: Pick<ValidRecord, 'correction' | 'undo'>): number {
  if (correction === undefined) return 1
  if (undo) return amountsOf(undo.parts).orders
  return correction === 'cancelled' ? -1 : 0
}
