import type { OrderFormat } from '../../order/format.ts'
import { isObject, parseStandardJson } from '../../order/json.ts'
import { hasOrderField } from '../../order/mapped.ts'

type Members = Readonly<Record<string, unknown>>

/** Parses an object that has none of an order's required fields. Returns undefined for everything else. */
export function objectWithoutOrder(text: string, format: OrderFormat): Members | undefined {
  const value = parseStandardJson(text)
  return isObject(value) && !hasOrderField(value, format.fields) ? value : undefined
}

/** Returns an own member; undefined where there is none. */
export const own = (value: Members, name: string): unknown => (Object.hasOwn(value, name) ? value[name] : undefined)

/** Returns true if all of these own members are text that is not empty. */
export const hasTexts = (value: Members, ...names: readonly string[]): boolean =>
  names.every((name) => typeof own(value, name) === 'string' && own(value, name) !== '')
