import { isObject } from '../../../../order/json.ts'
import { type Json, member } from '../../reading.ts'

/** A known wrapper. */
export interface Shape {
  /** Its name, after "The body is". */
  readonly what: string
  /** Recognizes it. */
  readonly is: (value: Json) => boolean
  /** The advice, where it is not to send what is inside. */
  readonly advice?: string
  /** Set where it never holds an order. */
  readonly isEmpty?: true
}

/** Returns the text of a member; empty where there is none. */
export function textOf(value: Json, name: string): string {
  const found = member(value, name)
  return typeof found === 'string' ? found : ''
}

/** Returns the first element of the list in a member. */
export function firstOf(value: Json, name: string): Json {
  const list = member(value, name)
  return Array.isArray(list) ? list[0] : undefined
}

/** Returns the first record of an event, or of a request in the same form. */
export const firstRecord = (value: Json): Json => firstOf(value, 'Records') ?? firstOf(value, 'records')

/** Returns the names of the first members, with commas between. */
export const namesOf = (value: Json): string =>
  isObject(value) ? Object.keys(value).slice(0, 50).join(',').slice(0, 5_000) : ''
