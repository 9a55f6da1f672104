import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { redactUrl } from '../redact.ts'
import { decimalFields, type FieldMap, fieldMapOf, type MappedField, mappedFields, type Place } from './field-map.ts'

/**
 * Reads ORDER_FIELDS: a list such as `user_id:customer.id,order_value:total:decimal`, or the path of a JSON file. A list has
 * a colon. A backslash in front of a dot, comma, colon or backslash makes it part of a name.
 * @returns what is expected instead, if it is no such map
 */
export function readFieldMap(given: string): FieldMap | string {
  const places = given.includes(':') ? placesInList(given) : placesInFile(given)
  return typeof places === 'string' ? places : fieldMapOf(places)
}

type Places = Map<MappedField, Place>

function placesInList(list: string): Places | string {
  const places: Places = new Map()
  for (const entry of split(list, ',')) {
    const [name = '', path, kind, ...rest] = split(entry.trim(), ':')
    if (path === undefined || rest.length > 0 || (kind !== undefined && kind !== 'decimal')) {
      return `field:path or field:path:decimal, separated by commas, not ${shown(entry)}`
    }
    if (places.has(name as MappedField)) return `each field once: ${name} is there twice`
    const problem = add(places, name, namesIn(path), kind === 'decimal')
    if (problem !== undefined) return problem
  }
  return places
}

/** A path, or a path and that its value may be decimal text. A path is text with dots, or a list of names. */
const path = z.union([z.string(), z.array(z.string())])
const fileSchema = z.record(z.string(), z.union([path, z.strictObject({ path, decimal: z.boolean().optional() })]))

function placesInFile(file: string): Places | string {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return 'a list of field:path, or the path of a JSON file that can be read'
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return 'a file with JSON in it'
  }
  const parsed = fileSchema.safeParse(json)
  if (!parsed.success) return 'a file with a JSON object of paths by field, such as {"user_id": "customer.id"}'
  const places: Places = new Map()
  for (const [name, value] of Object.entries(parsed.data)) {
    const { path, decimal = false } = typeof value === 'string' || Array.isArray(value) ? { path: value } : value
    const problem = add(places, name, typeof path === 'string' ? namesIn(path) : path, decimal)
    if (problem !== undefined) return problem
  }
  return places.size === 0 ? 'a file with at least one field in it' : places
}

/** Adds a place, or says what is expected instead. */
function add(places: Places, name: string, path: readonly string[], isDecimal: boolean): string | undefined {
  const field = mappedFields.find((one) => one === name)
  if (field === undefined) return `fields from ${mappedFields.join(', ')}, not ${shown(name)}`
  if (path.length === 0 || path.includes('')) return `a path without empty names for ${field}`
  if (isDecimal && !decimalFields.includes(field))
    return `decimal for ${decimalFields.join(', ')} only, not for ${field}`
  places.set(field, { path, isDecimal })
  return undefined
}

/** A value that was meant for another variable may hold a password. */
function shown(text: string): string {
  const safe = redactUrl(text)
  return JSON.stringify(safe.length > 40 ? `${safe.slice(0, 40)}…` : safe)
}

const namesIn = (path: string): string[] => split(path, '.').map((name) => name.replace(/\\(.)/gsu, '$1'))

/** Splits at a mark that has no backslash in front. */
function split(text: string, mark: string): string[] {
  const found: string[] = ['']
  for (const [piece] of text.matchAll(/\\?./gsu)) {
    if (piece === mark) found.push('')
    else found[found.length - 1] += piece
  }
  return found
}
