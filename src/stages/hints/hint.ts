import { amountFields, eventIn } from '../../order/event.ts'
import type { OrderFormat } from '../../order/format.ts'
import { isObject } from '../../order/json.ts'
import type { Money } from '../../order/money.ts'
import { checkMessage } from '../rules.ts'
import { valueHint } from './order/amount.ts'
import { currencyHint } from './order/currency.ts'
import {
  cancelledOrderHint,
  eventConflictHint,
  refundExceedsHint,
  unknownEventHint,
  unknownOrderHint,
  unreadEventHint,
} from './order/event.ts'
import { missingFieldHint } from './order/fields.ts'
import { identityHint } from './order/identity-field.ts'
import { itemsHint } from './order/items.ts'
import { decimalHint, missingPlaceHint, readByMap, scanOfMapped, unmappedHint, withPlaces } from './order/mapped.ts'
import { totalHint } from './order/totals/total.ts'
import { type JsonObject, readBody } from './reading.ts'
import { encodingHint } from './text/encoding.ts'
import { languageHint } from './text/languages.ts'
import { type Scan, scanJson } from './text/scan.ts'
import { severalHint, surroundedHint } from './text/several.ts'
import { syntaxHint } from './text/syntax.ts'
import { notAnObjectHint } from './wrapper/not-an-object.ts'

/** A rejected order as it was sent. */
export interface RejectedBody {
  readonly code: string
  readonly reason: string
  readonly body: string
}

/**
 * Explains a rejected order in one sentence: what was found, where, and what to send. Returns undefined where nothing is
 * certain. A hint is made when an entry is read, so entries of earlier releases have one too. Takes time linear in the
 * body. Never throws.
 */
export function hintOf(rejected: RejectedBody, format: OrderFormat): string | undefined {
  try {
    const hint = byCode(rejected, format)
    return hint === undefined ? undefined : sentence(hint)
  } catch {
    return undefined // A hint only helps: without it, the order is still shown.
  }
}

function byCode(rejected: RejectedBody, format: OrderFormat): string | undefined {
  const { code, body } = rejected
  if (code === 'malformed-json') return malformedHint(body)
  if (dependsOnFormat(code, format) && !('code' in checkMessage(body, format))) {
    return 'The order is valid by the present settings, so a replay may accept it'
  }
  const { value, scan } = readBody(body) ?? {}
  if (value === undefined || scan === undefined) return undefined
  if (code === 'not-an-object') return notAnObjectHint(value)
  if (!isObject(value)) return undefined
  const { fields, money } = format
  const read = fields && readByMap(value, fields)
  if (!read) {
    const unmapped = fields && code === 'missing-field' ? unmappedHint(value, fields) : undefined
    return unmapped ?? ofOrder(rejected, value, scan, money)
  }
  const { order, moved } = read
  if (code === 'missing-field') return missingPlaceHint(value, read)
  if (code === 'bad-value' || code === 'bad-items') {
    const text = decimalHint(read)
    if (text !== undefined) return text
  }
  const hint = ofOrder(rejected, order, scanOfMapped(order, scan), money)
  return hint === undefined ? undefined : withPlaces(hint, moved, maxLength)
}

/** Returns true if another map, tolerance or currency could have made the order valid. */
const dependsOnFormat = (code: string, { fields }: OrderFormat): boolean =>
  code === 'total-mismatch' ||
  code === 'other-currency' ||
  (fields !== undefined && ['missing-field', 'bad-identity', 'bad-value', 'bad-items'].includes(code))

/** @param value the order, under the pipeline's names */
function ofOrder(
  { code, reason }: RejectedBody,
  value: JsonObject,
  scan: () => Scan,
  money: Money,
): string | undefined {
  const amountField = amountFields[eventIn(value) ?? 'placed']
  if (code === 'missing-field') return unreadEventHint(value) ?? missingFieldHint(value, amountField)
  if (code === 'bad-identity') return identityHint(identityField(reason), value, scan)
  if (code === 'bad-value') return amountField && valueHint(value, amountField, scan, money)
  if (code === 'bad-items') return itemsHint(value, scan, money)
  if (code === 'total-mismatch') return totalHint(value, money)
  if (code === 'other-currency') return currencyHint(value, money)
  if (code === 'unknown-event') return unknownEventHint(value)
  if (code === 'unknown-order') return unknownOrderHint
  if (code === 'cancelled-order') return cancelledOrderHint
  if (code === 'refund-exceeds') return refundExceedsHint(reason)
  if (code !== 'conflict') return undefined
  return reason.startsWith('Event ') ? eventConflictHint(value) : conflictHint(reason, value, money)
}

/** Returns the field that a reason speaks of. */
const identityField = (reason: string): string =>
  ['order_id', 'event_id'].find((field) => reason.startsWith(field)) ?? 'user_id'

function malformedHint(body: string): string | undefined {
  const first = encodingHint(body)
  if (first !== undefined) return first
  const scan = scanJson(body)
  if (!scan.fault && !scan.token) return undefined
  return severalHint(body, scan) ?? languageHint(body) ?? surroundedHint(body) ?? syntaxHint(body, scan)
}

/** Compares with the amount that was accepted first, which the reason ends with. */
function conflictHint(
  reason: string,
  order: Readonly<Record<string, unknown>>,
  { toMinor, minorName }: Money,
): string | undefined {
  const accepted = Number(/order_value (\S{1,30})$/.exec(reason.slice(-60))?.[1])
  const value = order['order_value']
  if (!Number.isFinite(accepted) || typeof value !== 'number') return undefined
  const advice = 'send order.amended to change an accepted order, or a new one under an order_id of its own'
  if (toMinor(value) !== toMinor(accepted)) return `This one has order_value ${value} instead of ${accepted}: ${advice}`
  return `The order_value is the same to the ${minorName}, so its items may differ from those accepted first: ${advice}`
}

/** A hint of 240 characters fits into a table next to its reason. */
const maxLength = 240

function sentence(text: string): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength - 1).toWellFormed()}…` : text
  return /[.…]$/.test(cut) ? cut : `${cut}.`
}
