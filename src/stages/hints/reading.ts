import { isObject } from '../../order/json.ts'
import { type Scan, scanJson } from './text/scan.ts'

export type Json = unknown
export type JsonObject = Readonly<Record<string, unknown>>

/** JSON as the rules read it: a bare NaN or Infinity is a number that is not finite. */
export interface Reading {
  readonly value: Json
  /** Scans its text, for what a parsed value does not show. */
  readonly scan: () => Scan
}

/** Reads a body; undefined where it is not JSON, even with Python's tokens. Never throws. */
export function readBody(body: string): Reading | undefined {
  const strict = parse(body)
  if (strict !== undefined) return { value: strict, scan: () => scanJson(body) }
  const scan = scanJson(body)
  const value = scan.fault ? undefined : parse(withoutTokens(body))
  return value === undefined ? undefined : { value, scan: () => scan }
}

/** Parses JSON; undefined where the text is not JSON. */
export function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function withoutTokens(text: string): string {
  return text.replace(stringOrToken, (token) => (token.startsWith('"') ? token : notFinite))
}

/** JSON.parse reads this as infinity. */
const notFinite = '1e999'

/** Matches strings too, so that tokens in them are left alone. */
const stringOrToken = /"(?:[^"\\]|\\[\s\S]?)*"?|-?\b(?:NaN|Infinity)\b/g

/** Returns an own member; undefined where there is none. */
export function member(value: Json, name: string): Json {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

/** Returns whether a value is an object with all of these members. */
export const has = (value: Json, ...names: readonly string[]): value is JsonObject =>
  isObject(value) && names.every((name) => Object.hasOwn(value, name))

/** Lists names in backticks: `a`, `b` and `c`. */
export function namesText(names: readonly string[]): string {
  const shown = names.map((name) => `\`${name}\``)
  return listText(shown)
}

export function listText(shown: readonly string[]): string {
  return shown.length < 2 ? (shown[0] ?? '') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`
}
