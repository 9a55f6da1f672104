import { isObject } from '../../identity.ts'

type Members = Readonly<Record<string, unknown>>

/** Parses an object that has none of an order's required fields. Returns undefined for everything else. */
export function objectWithoutOrder(text: string): Members | undefined {
  const value = parse(text)
  return isObject(value) && !hasOrderField(value) ? value : undefined
}

const orderFields = ['user_id', 'order_id', 'order_value']

export const hasOrderField = (value: Members): boolean => orderFields.some((name) => Object.hasOwn(value, name))

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Returns an own member; undefined where there is none. */
export const own = (value: Members, name: string): unknown => (Object.hasOwn(value, name) ? value[name] : undefined)

/** Returns true if all of these own members are text that is not empty. */
export const hasTexts = (value: Members, ...names: readonly string[]): boolean =>
  names.every((name) => typeof own(value, name) === 'string' && own(value, name) !== '')

/**
 * Cuts the text of a member out of a JSON object, as it was sent: parsed and written again, a long integer would be rounded.
 * The last member of a name counts, as for JSON.parse.
 * @param text a JSON object
 */
export function memberText(text: string, name: string): string | undefined {
  let found: string | undefined
  let at = text.indexOf('{') + 1
  for (;;) {
    const from = text.indexOf('"', at)
    const brace = text.indexOf('}', at)
    if (from === -1 || (brace !== -1 && brace < from)) return found
    const nameEnd = stringEnd(text, from)
    const begin = text.indexOf(':', nameEnd) + 1
    const end = valueEnd(text, begin)
    if (JSON.parse(text.slice(from, nameEnd)) === name) found = text.slice(begin, end).trim()
    if (text[end] === '}') return found
    at = end + 1
  }
}

/** Returns the index after a string. @param from index of its opening quote */
function stringEnd(text: string, from: number): number {
  let at = from + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

/** Returns the index of the comma or brace that ends a value. */
function valueEnd(text: string, from: number): number {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const sign = text[at]
    if (sign === '"') at = stringEnd(text, at) - 1
    else if (sign === '{' || sign === '[') depth++
    else if (depth === 0 && (sign === ',' || sign === '}')) return at
    else if (sign === '}' || sign === ']') depth--
  }
  return text.length
}
