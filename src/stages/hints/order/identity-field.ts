import { isObject } from '../../../order/json.ts'
import { visible } from '../quote.ts'
import { type JsonObject, namesText } from '../reading.ts'
import type { Scan } from '../text/scan.ts'
import { isAttribute } from '../wrapper/dynamo.ts'

/** Longest identity, in characters and in digits. */
const maxLength = 256

const advice = `send a text of 1 to ${maxLength} characters, or a whole number`

/** Describes a user_id or order_id that is not a valid identity. */
export function identityHint(field: string, order: JsonObject, scan: () => Scan): string | undefined {
  const value = order[field]
  const is = (what: string, then = advice): string => `\`${field}\` is ${what}: ${then}`
  if (value === null || value === undefined) return value === null ? is('null') : undefined
  if (typeof value === 'boolean') return is(`the boolean ${value}`)
  if (value === '') return is('an empty text')
  if (typeof value === 'string') return textHint(field, value)
  if (typeof value === 'number') return numberHint(is, field, scan())
  if (Array.isArray(value)) return is(`a list of ${value.length} value${value.length === 1 ? '' : 's'}`)
  if (!isObject(value)) return undefined
  const names = Object.keys(value)
  if (names.length === 0) return is('an empty object')
  if (isAttribute(value)) {
    return is(
      `an object (with \`${names[0]}\` in it), as DynamoDB writes values`,
      'send plain values, as unmarshall() gives them',
    )
  }
  const inner = names.find((name) => ['id', '$oid', 'S', 'N', 'string', 'value', field].includes(name))
  if (inner !== undefined && (typeof value[inner] === 'string' || typeof value[inner] === 'number')) {
    return is(`an object (with \`${inner}\` in it)`, `send the value of \`${inner}\` itself`)
  }
  return is(`an object (with ${namesText(names.slice(0, 3).map((name) => visible(name, 24)))})`)
}

function textHint(field: string, text: string): string | undefined {
  const length = [...text].length
  if (length > maxLength) return `\`${field}\` is ${length} characters long: at most ${maxLength} are taken`
  if (text.isWellFormed()) return undefined
  const at = [...text].findIndex((character) => !character.isWellFormed())
  const half = ([...text][at] ?? '').charCodeAt(0).toString(16).toUpperCase()
  return `\`${field}\` holds half of a surrogate pair (U+${half}) at character ${at + 1} of its text: an emoji or another character was cut in two`
}

function numberHint(
  is: (what: string, then?: string) => string,
  field: string,
  { members, tokens }: Scan,
): string | undefined {
  const source = members.get(field) ?? ''
  if (tokens.has(source)) return is(`${source}, no number`)
  const shown = visible(source)
  if (/^-?\d+$/.test(source)) {
    const digits = source.replace('-', '').length
    if (digits > maxLength) return is(`a number of ${digits} digits`, `at most ${maxLength} digits are taken`)
    return is(
      `the whole number ${visible(source)}`,
      'such numbers are taken by their digits now, so a replay may accept the order',
    )
  }
  if (/[eE]/.test(source)) return is(`the number ${shown}, with an exponent`, `send its digits alone, or a text`)
  return /\.0*$/.test(source)
    ? is(`the number ${shown}, with a decimal point`, 'send its digits alone, without the point, or a text')
    : is(`the number ${shown}, which has a fraction`)
}
