import type { CorrectionKind } from '../corrections.ts'

/** Each `event` of a message about an order. `placed` is the order itself. */
const kinds: Readonly<Record<string, 'placed' | CorrectionKind>> = {
  'order.placed': 'placed',
  'order.created': 'placed',
  'order.cancelled': 'cancelled',
  'order.refunded': 'refunded',
  'order.amended': 'amended',
}
export const events = Object.keys(kinds)

/** The field with the amount of a message. */
export const amountFields = {
  placed: 'order_value',
  amended: 'order_value',
  refunded: 'amount',
  cancelled: undefined,
} as const

/** Returns undefined for an event of orders that is not known. Any other `event` is a field of the order's own. */
export function eventIn(sent: Readonly<Record<string, unknown>>): 'placed' | CorrectionKind | undefined {
  const event = Object.hasOwn(sent, 'event') ? sent['event'] : undefined
  if (typeof event !== 'string' || !event.startsWith('order.')) return 'placed'
  return Object.hasOwn(kinds, event) ? kinds[event] : undefined
}
