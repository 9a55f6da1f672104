import { isObject } from '../../../order/json.ts'
import { type Money, maxOrderValue } from '../../../order/money.ts'
import { quote, visible } from '../quote.ts'
import { type JsonObject, member, namesText } from '../reading.ts'
import type { Scan } from '../text/scan.ts'

/** Describes a value in the place of a number, and what to send; undefined where it is a number. */
export function notNumberText(value: unknown, money: Money): { is: string; send: string } | undefined {
  if (value === undefined) return undefined
  if (value === null) return { is: 'null', send: 'send a number' }
  if (typeof value === 'boolean') return { is: `the boolean ${value}`, send: 'send a number' }
  if (typeof value === 'string') return textAmount(value)
  if (Array.isArray(value)) {
    return { is: `a list of ${value.length} value${value.length === 1 ? '' : 's'}`, send: 'send a single number' }
  }
  return isObject(value) ? moneyObject(value, money) : undefined
}

/** The field with the amount of an order, or of a refund. */
type AmountField = 'order_value' | 'amount'

/** Describes an amount that is not valid. */
export function valueHint(order: JsonObject, field: AmountField, scan: () => Scan, money: Money): string | undefined {
  const value = order[field]
  if (typeof value === 'number') return numberHint(value, field, order, scan(), money)
  const found = notNumberText(value, money)
  return found && `\`${field}\` is ${found.is}: ${found.send}`
}

const negative: Readonly<Record<AmountField, string>> = {
  order_value: 'an order has an amount from 0 on, and a refund is a message with the event order.refunded',
  amount: 'send what is taken back without a minus',
}

function numberHint(
  value: number,
  field: AmountField,
  order: JsonObject,
  { members, tokens }: Scan,
  money: Money,
): string | undefined {
  const source = members.get(field) ?? ''
  const shown = visible(source === '' ? String(value) : source)
  if (tokens.has(source)) return `\`${field}\` is ${source}, which is no finite number: send the amount as a number`
  if (!Number.isFinite(value))
    return `\`${field}\` is ${shown}, which is too large for a number: send an amount from 0 to ${maxOrderValue}`
  if (value < 0) return `\`${field}\` is negative (${shown}): ${negative[field]}`
  if (value <= maxOrderValue) return undefined
  const unit = smallUnit(money)
  const isSmall = totalOf(order) * unit.factor === value
  const why = isSmall
    ? `it is ${unit.factor} times the total of the items, so it may be in ${unit.name}`
    : `it may be in ${unit.name} or a smaller unit`
  return `\`${field}\` is ${shown}, above ${maxOrderValue}: ${why}, and must be in currency units`
}

/** The unit in which amounts are sent by mistake. The yen has no smaller one, but senders multiply by 100 all the same. */
function smallUnit({ decimals, minorName }: Money): { factor: number; name: string } {
  return decimals === 0 ? { factor: 100, name: 'hundredths' } : { factor: 10 ** decimals, name: `${minorName}s` }
}

function totalOf(order: JsonObject): number {
  const items = order['items']
  if (!Array.isArray(items)) return Number.NaN
  return items.reduce<number>(
    (sum, item) => sum + Number(member(item, 'quantity')) * Number(member(item, 'price_per_unit')),
    0,
  )
}

/** A longer text is not an amount. */
const maxText = 64

function textAmount(text: string): { is: string; send: string } {
  const shown = quote(text)
  const trimmed = text.slice(0, maxText + 1).trim()
  const is = `the text ${shown}`
  if (text.length > maxText) return { is, send: 'send a number without quotes' }
  if (trimmed === '')
    return { is: text === '' ? 'an empty text' : `a text of blanks (${shown})`, send: 'send a number' }
  if (/^\{|^\[/.test(trimmed)) return { is: `${is}, which may hold JSON`, send: 'send a number' }
  const plain = plainAmount(trimmed)
  if (plain) {
    const { number, how } = plain
    const what = how === '' ? is : `${is} with ${how}`
    return { is: what, send: `send ${number} as a number, without quotes` }
  }
  if (/^[+-]?(?:nan|inf|infinity)$/i.test(trimmed)) return { is, send: 'send a finite number' }
  if (/^(?:null|none|nil|undefined|n\/a|-|true|false)$/i.test(trimmed)) return { is, send: 'send a number' }
  if (/^\d{1,3}[.,]\d{3}$/.test(trimmed)) {
    return {
      is: `${is}, whose ${trimmed.includes(',') ? 'comma' : 'point'} may be a thousands separator`,
      send: 'send a number, with a point for decimals',
    }
  }
  return { is: `${is}, which is no amount`, send: 'send a number without quotes' }
}

/** Reads an amount in one of the usual forms, and returns it as JSON writes it; undefined where it is ambiguous. */
function plainAmount(text: string): { number: string; how: string } | undefined {
  const marks: string[] = []
  let rest = text
  const sign = /^[+-]/.exec(rest)?.[0] ?? ''
  rest = rest.slice(sign.length)
  const withoutCurrency = rest
    .replace(/^(?:\p{Sc}|[A-Z]{2,3}(?:\p{Sc})?|Rs\.?|kr\.?)\s*/u, '')
    .replace(/\s*(?:\p{Sc}|[A-Z]{3}|kr\.?|zł|Kč|Ft|lei|euros?|dollars?)$/iu, '')
  if (withoutCurrency !== rest) marks.push('a currency')
  rest = withoutCurrency
  const digits = readDigits(rest)
  if (digits === undefined) return undefined
  if (digits.how !== '') marks.unshift(digits.how)
  const minus = sign === '-' ? '-' : ''
  const number = `${minus}${digits.number}`
  return Number.isFinite(Number(number)) ? { number, how: marks.join(' and ') } : undefined
}

function readDigits(text: string): { number: string; how: string } | undefined {
  const clean = (digits: string): string => digits.replace(/^0+(?=\d)/, '')
  const blank = /[\s\u00a0\u202f'’_]/
  if (/^\d+(?:\.\d+)?$/.test(text)) {
    return /^0|\.\d{3}$/.test(text) && /^[1-9]\d{0,2}\.\d{3}$/.test(text) ? undefined : { number: clean(text), how: '' }
  }
  if (/^\d+(?:\.\d+)?e[+-]?\d{1,3}$/i.test(text)) return { number: text, how: '' }
  if (/^\.\d+$/.test(text)) return { number: `0${text}`, how: '' }
  if (/^\d+,\d{1,2}$/.test(text)) return { number: clean(text.replace(',', '.')), how: 'a decimal comma' }
  if (/^\d{1,3}(?:\.\d{3})+,\d{1,2}$/.test(text)) {
    return { number: text.replaceAll('.', '').replace(',', '.'), how: 'points between thousands and a decimal comma' }
  }
  if (/^\d{1,3}(?:,\d{3})+\.\d{1,2}$/.test(text))
    return { number: text.replaceAll(',', ''), how: 'commas between thousands' }
  if (/^\d{1,3}(?:,\d{3}){2,}$/.test(text)) return { number: text.replaceAll(',', ''), how: 'commas between thousands' }
  if (/^\d{1,3}(?:\.\d{3}){2,}$/.test(text))
    return { number: text.replaceAll('.', ''), how: 'points between thousands' }
  if (blank.test(text)) {
    const joined = text.replace(/[\s\u00a0\u202f'’_]+(?=\d{3}(?!\d))/g, '')
    const inner = blank.test(joined) ? undefined : readDigits(joined)
    if (!inner || !/^\d{1,3}[\s\u00a0\u202f'’_]/.test(text)) return undefined
    const how = inner.how === '' ? '' : ` and ${inner.how}`
    return { number: inner.number, how: `a separator between thousands${how}` }
  }
  return undefined
}

/** Names of the amount in money objects, the surest first. */
const amounts = [
  'amount',
  'value',
  'total',
  'price',
  'net',
  'gross',
  '$numberDecimal',
  '$numberDouble',
  '$numberInt',
  '$numberLong',
  'N',
  'S',
  'double',
  'string',
  'float',
  'long',
  'int',
  'decimal',
  'order_value',
]
const minorUnits = [
  'cents',
  'minor',
  'minor_units',
  'minorUnits',
  'centAmount',
  'amount_cents',
  'pence',
  'amount_minor',
  'unscaled',
]

function moneyObject(value: JsonObject, { decimals, minorName }: Money): { is: string; send: string } {
  const names = Object.keys(value).slice(0, 20)
  const shown = names.slice(0, 3).map((name) => visible(name, 16))
  const is = names.length === 0 ? 'an empty object' : `an object (with ${namesText(shown)})`
  if (Object.hasOwn(value, 'units') && (Object.hasOwn(value, 'nanos') || Object.hasOwn(value, 'currencyCode'))) {
    return { is, send: 'send units plus nanos / 1000000000 as one number' }
  }
  if (['scale', 'exponent', 'precision', 'decimals', 'fractionDigits'].some((name) => Object.hasOwn(value, name))) {
    return { is, send: 'send the amount in currency units as one number' }
  }
  const minor = names.find((name) => minorUnits.includes(name))
  if (minor !== undefined) {
    const cents = value[minor]
    const inUnits = Number.isSafeInteger(cents) && !Object.hasOwn(value, 'units') && !Object.hasOwn(value, 'dollars')
    return {
      is,
      send: `send the amount in currency units as a number${inUnits && decimals > 0 ? ` (\`${minor}\` / ${10 ** decimals})` : ''}`,
    }
  }
  const amount = amounts.find((name) => Object.hasOwn(value, name))
  const inner = amount === undefined ? undefined : value[amount]
  if (amount === undefined) {
    const [only] = names
    const nested = names.length === 1 && only !== undefined ? value[only] : undefined
    const within = isObject(nested) ? amounts.find((name) => Object.hasOwn(nested, name)) : undefined
    const path = within === undefined ? '' : ` (\`${visible(only ?? '', 16)}.${within}\`)`
    return { is, send: `send the amount${path} alone as a number` }
  }
  const inText = typeof inner === 'string' && inner.length <= maxText ? plainAmount(inner.trim())?.number : undefined
  const mayBeMinor = Number.isInteger(inner) && decimals > 0
  const example = inText !== undefined ? `, as ${inText}` : mayBeMinor ? ` in currency units, not in ${minorName}s` : ''
  return { is, send: `send the amount (\`${amount}\`) alone as a number${example}` }
}
