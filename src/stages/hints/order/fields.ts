import { isObject } from '../../../order/json.ts'
import { visible } from '../quote.ts'
import { type JsonObject, listText, namesText } from '../reading.ts'
import { shapeHint, wrapperHint } from '../wrapper/envelope.ts'
import { plainName } from '../wrapper/find.ts'

const orderFields = ['user_id', 'order_id', 'order_value'] as const
type AmountField = 'order_value' | 'amount'
type Required = (typeof orderFields)[number] | AmountField

/** Explains a missing field, of an order or a correction with its amount in that field: a wrapper around the order, another name of the field, or the fields that are there. */
export function missingFieldHint(order: JsonObject, amountField?: AmountField): string | undefined {
  const names = Object.keys(order)
  const required: Required[] = ['user_id', 'order_id', ...(amountField ? [amountField] : [])]
  if (names.length === 0) return 'The body is an empty object: send an order with user_id, order_id and order_value'
  const missing = required.filter((name) => !Object.hasOwn(order, name))
  const [first] = missing
  if (first === undefined) return undefined
  const spelled = respelled(names.slice(0, maxNames), missing)
  const known = shapeHint(order)
  if (known !== undefined && spelled.length < missing.length) return known
  if (spelled.length > 0) return renamingText(order, names, spelled, missing)
  const isPart = missing.length < required.length
  const inside = isPart ? deeper(order, missing) : undefined
  return (
    inside ??
    wrapperHint(order) ??
    deeper(order, missing) ??
    meantHint(order, names, missing) ??
    presentText(names, first)
  )
}

interface Renaming {
  readonly found: string
  readonly meant: Required
}

/** Finds fields whose names differ from the required ones only in case, blanks and signs. */
function respelled(names: readonly string[], missing: readonly Required[]): Renaming[] {
  return missing.flatMap((meant) => {
    const found = names.find((name) => name.length <= maxName && plainName(name) === plainName(meant))
    return found === undefined ? [] : [{ found, meant }]
  })
}

function renamingText(
  order: JsonObject,
  names: readonly string[],
  spelled: readonly Renaming[],
  missing: readonly Required[],
): string {
  const found = namesText(spelled.map((one) => visible(one.found)))
  const meant = namesText(spelled.map((one) => one.meant))
  const were = spelled.length === 1 ? 'was' : 'were'
  const odd = spelled.find((one) => /^[^\p{L}\p{N}]|[^\p{L}\p{N}]$/u.test(one.found))
  const rename = odd
    ? 'send the name without blanks or signs around it'
    : `rename ${spelled.length === 1 ? 'it' : 'them'}`
  const rest = missing.filter((name) => !spelled.some((one) => one.meant === name))
  const [others, meantOthers] = meantNames(order, names, rest)
  const also =
    rest.length === 0
      ? ''
      : others === ''
        ? `, and add ${namesText(rest)}`
        : `; ${others} may be meant as ${meantOthers}`
  return `${found} ${were} found where ${meant} ${spelled.length === 1 ? 'is' : 'are'} read: ${rename}${also}`
}

/** Only the first names are compared. */
const maxNames = 1_000

/** A longer name is not a misspelling of a required one. */
const maxName = 64

/** Finds the missing fields one level down. */
function deeper(order: JsonObject, missing: readonly Required[]): string | undefined {
  for (const [outer, inner] of Object.entries(order).slice(0, 200)) {
    const found = isObject(inner) ? missing.filter((name) => Object.hasOwn(inner, name)) : []
    if (found.length === 0 || found[0] !== missing[0]) continue
    const [were, they] = found.length === 1 ? ['was', 'it'] : ['were', 'they']
    return `${namesText(found)} ${were} found within \`${visible(outer)}\`: ${they} must stand at the top of the JSON object`
  }
  return undefined
}

/** Names that other systems use for the same fields. */
const aliases: Readonly<Record<Required, readonly string[]>> = {
  amount:
    'refundamount refundedamount amountrefunded refundvalue refundtotal totalrefund totalrefunded refund refunded returnamount creditamount totalamount total value price sum ordervalue'.split(
      ' ',
    ),
  user_id:
    'customerid userid customer user clientid client accountid account buyerid buyer memberid uid usr userno usernumber userref userkey useruuid customeruuid customernumber customerno customerref username email customeremail shopperid consumerid personid owner ownerid userguid customerguid'.split(
      ' ',
    ),
  order_id:
    'orderid ordernumber orderno ordernum ordernr orderref orderreference orderuuid orderguid orderkey ordercode oid id _id uuid guid number reference ref order purchaseid transactionid txid invoiceid saleid checkoutid cartid bookingid externalid key'.split(
      ' ',
    ),
  order_value:
    'ordertotal orderamount orderprice ordersum totalvalue totalamount totalprice totalcost grandtotal amounttotal total amount value price sum cost subtotal net gross nettotal grosstotal amountdue amountpaid charge paid totalcents amountcents valuecents totalminor amountminor'.split(
      ' ',
    ),
}

/** All fields of an order: none of them is a misspelling of another. */
const known: ReadonlySet<string> = new Set(
  [...orderFields, 'items', 'order_timestamp', 'shipping_address', 'payment_method'].map(plainName),
)

/** Finds fields that may be meant: misspelled by one or two letters, or named as in another system. */
function meantHint(order: JsonObject, names: readonly string[], missing: readonly Required[]): string | undefined {
  const [found, meant, count] = meantNames(order, names, missing)
  if (count === 0) return undefined
  return `${found} may be meant as ${meant}: fields are read by ${count === 1 ? 'that exact name' : 'these exact names'}`
}

/** Lists the found and the meant names; empty where the first missing field has no such match. */
function meantNames(
  order: JsonObject,
  names: readonly string[],
  missing: readonly Required[],
): readonly [found: string, meant: string, count: number] {
  const shown = names.slice(0, 500).filter((name) => name.length <= maxName)
  const taken = new Set<string>()
  const pairs = missing.flatMap((meant) => {
    const found = slip(shown, meant, taken) ?? alias(order, shown, meant, taken)
    if (found === undefined) return []
    taken.add(found)
    return [{ found, meant }]
  })
  if (pairs[0]?.meant !== missing[0]) return ['', '', 0]
  const odd = pairs.map((pair) => oddLetter(pair.found)).find((letter) => letter !== undefined)
  const found = namesText(pairs.map((pair) => visible(nestedName(order, pair.found))))
  return [`${found}${odd ? ` (with the letter ${odd})` : ''}`, namesText(pairs.map((pair) => pair.meant)), pairs.length]
}

function slip(names: readonly string[], meant: Required, taken: ReadonlySet<string>): string | undefined {
  const near = names
    .filter((name) => !taken.has(name) && !known.has(plainName(name)) && plainName(name).length > 3)
    .map((name) => ({ name, away: distance(plainName(name), plainName(meant)) }))
    .filter(({ away }) => away <= 2)
  return near.sort((one, other) => one.away - other.away)[0]?.name
}

function alias(
  order: JsonObject,
  names: readonly string[],
  meant: Required,
  taken: ReadonlySet<string>,
): string | undefined {
  const plain = new Map(names.filter((name) => !taken.has(name)).map((name) => [plainName(name), name]))
  for (const other of aliases[meant]) {
    const name = plain.get(plainName(other))
    if (name === undefined) continue
    const value = order[name]
    if (typeof value === 'string' || typeof value === 'number') return name
    if (isObject(value) && (meant !== 'order_id' || Object.hasOwn(value, 'id'))) return name
  }
  return undefined
}

/** Returns `user.id` where the user is an object with its own id. */
function nestedName(order: JsonObject, name: string): string {
  const value = order[name]
  return isObject(value) && Object.hasOwn(value, 'id') ? `${name}.id` : name
}

/** Finds a letter that only looks like a Latin one. */
function oddLetter(name: string): string | undefined {
  const letter = /[^ -~]/u.exec(name)?.[0]
  return letter && `U+${(letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
}

/** Counts the letters that must be changed, added, removed or swapped; 3 stands for more than two. */
export function distance(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > 2) return 3
  let before: number[] = []
  let last = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (let row = 1; row <= one.length; row++) {
    const next = [row]
    for (let column = 1; column <= other.length; column++) {
      const same = one[row - 1] === other[column - 1] ? 0 : 1
      let best = Math.min((last[column] ?? 9) + 1, (next[column - 1] ?? 9) + 1, (last[column - 1] ?? 9) + same)
      const swapped = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1]
      if (swapped) best = Math.min(best, (before[column - 2] ?? 9) + 1)
      next.push(best)
    }
    ;[before, last] = [last, next]
  }
  return Math.min(3, last[other.length] ?? 3)
}

/** Only the first of many fields are named. */
const maxShown = 4

function presentText(names: readonly string[], missing: Required): string {
  const shown = names.slice(0, maxShown).map((name) => `\`${visible(name, 24)}\``)
  const more = names.length - shown.length
  const all = more > 0 ? listText([...shown, `${more} more`]) : listText(shown)
  return `The body has the field${names.length === 1 ? '' : 's'} ${all}, but none named \`${missing}\`: fields are read by their exact names`
}
