import type { OrderFormat } from '../../order/format.ts'
import { isObject } from '../../order/identity.ts'

type Members = Readonly<Record<string, unknown>>

/** Parses an object that has none of an order's required fields. Returns undefined for everything else. */
export function objectWithoutOrder(text: string, format: OrderFormat): Members | undefined {
  const value = parse(text)
  return isObject(value) && !hasOrderField(value, format) ? value : undefined
}

const orderFields = ['user_id', 'order_id', 'order_value']

export const hasOrderField = (value: Members, _format: OrderFormat): boolean =>
  orderFields.some((name) => Object.hasOwn(value, name))

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
