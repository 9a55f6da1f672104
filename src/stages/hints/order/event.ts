import { quote } from '../quote.ts'
import type { JsonObject } from '../reading.ts'
import { plainName } from '../wrapper/find.ts'

/** The words that other systems have in the names of the same events. */
const words: readonly (readonly [event: string, word: RegExp])[] = [
  ['order.cancelled', /cancel|void|delet|remov|annul|revok/],
  ['order.refunded', /refund|return|credit|chargeback|reimburs/],
  ['order.amended', /amend|updat|chang|edit|modif|correct|adjust|replac/],
  ['order.placed', /plac|creat|new|paid|submit|receiv|confirm|complet|add/],
]

/** Returns the event that a name is meant as; undefined where no word of it says so. */
const meantBy = (name: string): string | undefined =>
  words.find(([, word]) => word.test(plainName(name).replace(/^orders?/, '')))?.[0]

/** A longer text is not the name of an event. */
const maxName = 64

/** Names the event that an unknown one is meant as, or says that there is none. */
export function unknownEventHint({ event }: JsonObject): string | undefined {
  if (typeof event !== 'string' || event.length > maxName) return undefined
  const meant = meantBy(event)
  return meant === undefined
    ? `\`event\` is ${quote(event)}, which changes no number: discard it, and keep such events out of this queue`
    : `\`event\` is ${quote(event)}, which may be meant as ${meant}: events are read by their exact names`
}

/** Explains an order without an amount whose `event` says that it was to correct another one. */
export function unreadEventHint(order: JsonObject): string | undefined {
  const { event } = order
  if (typeof event !== 'string' || event.startsWith('order.') || event.length > maxName) return undefined
  const meant = meantBy(event)
  if (meant === undefined || meant === 'order.placed' || Object.hasOwn(order, 'order_value')) return undefined
  return `\`event\` is ${quote(event)}, so this was read as an order: to correct one, send ${meant} as its \`event\``
}

/** Says what could still make an unknown order known. */
export const unknownOrderHint =
  'No order of this user_id and order_id was accepted within LEDGER_DAYS: it may still come, or be invalid itself'

export const cancelledOrderHint = 'A cancelled order cannot be amended: send a new order under an order_id of its own'

/** Says how much can be taken back, which the reason names. */
export function refundExceedsHint(reason: string): string | undefined {
  const left = / exceeds the (\S{1,30}) that are left of /.exec(reason)?.[1]
  if (left === undefined) return undefined
  return Number(left) === 0
    ? 'Nothing is left of this order: it was cancelled, or taken back as a whole'
    : `At most ${left} can be taken back: send that, or order.cancelled to take back the whole order`
}

/** Explains a correction that was accepted before with another payload. */
export function eventConflictHint({ event_id }: JsonObject): string | undefined {
  const id = typeof event_id === 'string' ? quote(event_id) : String(event_id)
  return `The event_id ${id} of this order was used for another correction: send an event_id of its own`
}
