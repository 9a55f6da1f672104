import { isObject } from '../../../order/json.ts'
import { visible } from '../quote.ts'
import { type Json, parse } from '../reading.ts'

/** An order deeper in a body than its top level. */
export interface FoundOrder {
  /** Its path, as `detail.order` or `Records[].body`; empty where it is the value itself. */
  readonly path: string
  /** Its form: an object, JSON text, or base64 of it. */
  readonly as: 'object' | 'text' | 'base64'
  /** The number of orders in the list on its path; 1 where there is no list, undefined where lists are in lists. */
  readonly count: number | undefined
}

interface Node {
  readonly value: Json
  readonly path: string
  readonly as: FoundOrder['as']
  readonly count: number | undefined
  readonly depth: number
}

/** The search is bounded, because a body may be one megabyte of brackets. */
const maxNodes = 2_000
const maxMembers = 200
const maxDepth = 8
const maxParsed = 20

/** Finds the order, or the orders, that a wrapper holds; the one closest to the top. Never throws. */
export function findOrder(root: Json): FoundOrder | undefined {
  const queue: Node[] = [{ value: root, path: '', as: 'object', count: 1, depth: 0 }]
  let parsed = 0
  for (let at = 0; at < queue.length && at < maxNodes; at++) {
    const node = queue[at] as Node
    const { value, path, as, count, depth } = node
    if (depth > 0 && looksLikeOrder(value)) return { path, as, count }
    if (depth >= maxDepth) continue
    if (typeof value === 'string') {
      const inner = parsed < maxParsed ? innerOf(value) : undefined
      if (inner) {
        parsed++
        queue.push({ ...node, ...inner, depth: depth + 1 })
      }
    } else if (Array.isArray(value)) {
      for (const item of value.slice(0, 3)) {
        const many = count === 1 ? countLike(item, value) : value.length === 1 ? count : undefined
        queue.push({ value: item, path: `${path}[]`, as, count: many, depth: depth + 1 })
      }
    } else if (isObject(value)) {
      for (const [name, inner] of membersOf(value)) {
        if (typeof inner !== 'object' && typeof inner !== 'string') continue
        queue.push({ value: inner, path: joined(path, name), as, count, depth: depth + 1 })
      }
    }
  }
  return undefined
}

/** Counts the elements of a list that are like one of them: orders, or wrappers of one kind. */
function countLike(item: Json, list: readonly Json[]): number {
  if (looksLikeOrder(item)) return list.filter(looksLikeOrder).length
  if (typeof item === 'string') return list.filter((one) => typeof one === 'string').length
  const [name] = isObject(item) ? Object.keys(item) : []
  return name === undefined ? 1 : list.filter((one) => isObject(one) && Object.hasOwn(one, name)).length
}

function* membersOf(value: Readonly<Record<string, Json>>): Generator<[string, Json]> {
  let left = maxMembers
  for (const name in value) {
    if (left-- === 0) return
    yield [name, value[name]]
  }
}

const joined = (path: string, name: string): string => {
  const shown = visible(name, 24)
  return path === '' ? shown : `${path}.${shown}`
}

/** Returns whether a value has two of the three required fields, in any spelling. */
export function looksLikeOrder(value: Json): boolean {
  if (!isObject(value)) return false
  const found = new Set<string>()
  for (const [name] of membersOf(value)) {
    if (name.length > maxName) continue
    const plain = plainName(name)
    if (plain === 'userid' || plain === 'orderid' || plain === 'ordervalue') found.add(plain)
  }
  return found.size >= 2
}

const maxName = 64

/** Removes case, blanks and signs from a name, so that all its spellings are equal. */
export const plainName = (name: string): string => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')

/** Parses JSON in a text, or in base64. */
function innerOf(text: string): Pick<Node, 'value' | 'as'> | undefined {
  const first = text.slice(0, 100).trimStart()[0]
  if (first === '{' || first === '[' || first === '"') {
    const value = parse(text)
    return value === undefined ? undefined : { value, as: 'text' }
  }
  if (text.length > maxEncoded || !/^(?:ey|ew|W3|Wy|Ww|W1)[\w+/-]{14,}={0,2}$/.test(text)) return undefined
  const value = parse(Buffer.from(text, 'base64').toString('utf8'))
  return value === undefined ? undefined : { value, as: 'base64' }
}

/** Longer base64 is not decoded. */
const maxEncoded = 65_536
