import { isObject } from '../../../order/json.ts'
import { quote } from '../quote.ts'
import { type Json, parse } from '../reading.ts'
import { eachAlone, orTakeApart, shapeHint, wrapperHint } from './envelope.ts'
import { looksLikeOrder } from './find.ts'

/** Describes JSON that is not an object: a list, a string that holds JSON, or a plain value. */
export function notAnObjectHint(value: Json): string | undefined {
  if (Array.isArray(value)) return listHint(value)
  if (typeof value === 'string') return textHint(value)
  if (value === null)
    return 'The body is the JSON value null: the producer may have encoded a variable that was not set'
  if (typeof value === 'number' || typeof value === 'boolean') {
    return `The body is the JSON ${typeof value} ${value}: send one order as a JSON object`
  }
  return undefined
}

function listHint(list: readonly Json[]): string | undefined {
  const [first] = list
  if (list.length === 0) return 'The body is an empty list: send one order as a JSON object'
  const known = shapeHint(list)
  if (known !== undefined) return known
  const orders = list.filter(looksLikeOrder).length
  if (orders === list.length) {
    return list.length === 1
      ? 'The body is a list with one order in it: send the order itself, without the brackets [ ]'
      : `The body is a list of ${list.length} orders: ${orTakeApart}`
  }
  if (orders > 0) {
    return `The body is a list of ${list.length} values, of which ${orders === 1 ? '1 is an order' : `${orders} are orders`}: ${orTakeApart}`
  }
  if (list.every((pair) => Array.isArray(pair) && pair.length === 2 && typeof pair[0] === 'string')) {
    return 'The body is a list of pairs of names and values: send them as a JSON object'
  }
  const isText = typeof first === 'string' && isObject(parse(first))
  if (isText) {
    return list.length === 1
      ? 'The body is a list with one JSON text in it: send that text itself as the body'
      : `The body is a list of ${list.length} JSON texts: send each as a message of its own`
  }
  return wrapperHint(list) ?? `The body is a list of ${countText(list)}, not an object: ${eachAlone}`
}

function countText(list: readonly Json[]): string {
  const kinds = new Set(list.slice(0, 1_000).map((value) => (isObject(value) ? 'object' : 'value')))
  const [kind] = kinds.size === 1 ? kinds : ['value']
  return `${list.length} ${kind}${list.length === 1 ? '' : 's'}`
}

/** JSON is hardly encoded more than five times by accident. */
const maxLevels = 5

function textHint(text: string): string {
  let inner: Json = text
  let levels = 0
  while (typeof inner === 'string' && levels < maxLevels) {
    const next: Json | undefined = parse(inner)
    if (next === undefined) break
    inner = next
    levels++
  }
  const often = ['', 'twice', 'three times', 'four times', 'five times', 'six times'][levels]
  if (levels > 0 && isObject(inner)) {
    return `The body is JSON within a JSON string (encoded ${often}): send the object itself, encoded once`
  }
  if (levels > 0 && Array.isArray(inner)) {
    return `The body is a list as JSON within a JSON string (encoded ${often}): send each order as a JSON object of its own`
  }
  if (text.trim() === '') return 'The body is an empty JSON string: send one order as a JSON object'
  if (/^\s*\{\s*'/.test(text)) {
    return 'The body is a JSON string that holds what looks like a Python dict: call json.dumps() on the dict, not on its str()'
  }
  if (/^(?:ey|ew|W3)[\w+/-]{14,}={0,2}$/.test(text.slice(0, 200))) {
    return 'The body is a JSON string that may hold base64 of JSON: send the JSON object itself'
  }
  return `The body is a JSON string (${quote(text)}), not an object: send one order as a JSON object`
}
