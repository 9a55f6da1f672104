import { isBeginning, isNumber, literals, skipBlanks, tokenAt, wordAt } from './characters.ts'
import {
  endOfString,
  type Fault,
  type FaultKind,
  type Flaw,
  inPlaceOfComma,
  inPlaceOfName,
  inPlaceOfValue,
  oddity,
} from './fault.ts'

/** A bare NaN, Infinity or -Infinity in the place of a value: not JSON, but Python writes it. */
interface Token {
  readonly at: number
  readonly text: string
}

export interface Scan {
  /** The first fault that none of our readers accepts. JSON.parse fails if there is one, or a token. */
  readonly fault?: Fault
  /** The first such token. */
  readonly token?: Token
  /** The different texts of all tokens. */
  readonly tokens: ReadonlySet<string>
  /** The text of values of the outermost object by their names as written; the last one counts. */
  readonly members: ReadonlyMap<string, string>
  /** Index after the first value, if it has an end. */
  readonly end?: number
}

type State = 'value' | 'item' | 'name' | 'first-name' | 'colon' | 'after' | 'done'

const expectedIn: Readonly<Record<State, Fault['expected']>> = {
  value: 'value',
  item: 'value',
  name: 'name',
  'first-name': 'name',
  colon: 'colon',
  after: 'comma',
  done: 'comma',
}

/** Names whose values' texts are kept. */
const keptNames = ['user_id', 'order_id', 'order_value', 'event_id', 'amount']

/** A name is shown cut. The names that are compared are shorter. */
const maxKey = 64

const pythonTokens: ReadonlySet<string> = new Set(['NaN', 'Infinity', '-Infinity'])

/** A flaw, with the index of its opening quote where that is not the last open bracket. */
type Found = Flaw & { readonly opened?: number }

interface Scanner {
  readonly text: string
  at: number
  state: State
  /** Indexes of the open brackets. */
  readonly open: number[]
  /** Names of the members that the open brackets are the values of. */
  readonly keys: string[]
  key: string
  afterComma: boolean
  lastWasNumber: boolean
  /** Index of the last value of the outermost bracket. */
  valueStart: number
  token: Token | undefined
  readonly tokens: Set<string>
  readonly members: Map<string, string>
}

/** Reads JSON text up to its first fault, in one pass and without recursion. Never throws. */
export function scanJson(text: string, from = 0): Scan {
  const scanner = newScanner(text, from)
  for (;;) {
    const at = skipBlanks(text, scanner.at)
    scanner.at = at
    if (scanner.state === 'done') {
      if (at >= text.length) return { ...scanOf(scanner), end: at }
      return { ...scanOf(scanner, flawAt(scanner, oddity(text, at) ?? 'extra')), end: at }
    }
    if (at >= text.length) return scanOf(scanner, { kind: 'end', at, token: '' })
    const odd = oddity(text, at)
    const found = odd === undefined ? step(scanner, scanner.state) : flawAt(scanner, odd)
    if (found) return scanOf(scanner, found)
  }
}

const newScanner = (text: string, at: number): Scanner => ({
  text,
  at,
  state: 'value',
  open: [],
  keys: [],
  key: '',
  afterComma: false,
  lastWasNumber: false,
  valueStart: 0,
  token: undefined,
  tokens: new Set(),
  members: new Map(),
})

function scanOf({ state, open, key, token, tokens, members }: Scanner, found?: Found): Scan {
  const fault = found && { opened: open.at(-1) ?? 0, ...found, key, expected: expectedIn[state] }
  return { ...(fault && { fault }), ...(token && { token }), tokens, members }
}

const flawAt = ({ text, at }: Scanner, kind: FaultKind): Found => ({ kind, at, token: tokenAt(text, at) })

/** Reads one name, sign or value; returns the fault where that is not JSON. */
function step(scanner: Scanner, state: Exclude<State, 'done'>): Found | undefined {
  switch (state) {
    case 'first-name':
    case 'name':
      return readName(scanner)
    case 'colon':
      return readColon(scanner)
    case 'after':
      return readComma(scanner)
    case 'value':
    case 'item':
      return readValue(scanner)
  }
}

function readName(scanner: Scanner): Found | undefined {
  const { text, at } = scanner
  if (text[at] === '}' && scanner.state === 'first-name') return closeBracket(scanner)
  if (text[at] !== '"') return flawAt(scanner, inPlaceOfName(text, at, scanner))
  const end = endOfString(text, at)
  if (typeof end !== 'number') return { ...end, opened: at }
  scanner.key = text.slice(at + 1, Math.min(end - 1, at + 1 + maxKey))
  scanner.at = end
  scanner.state = 'colon'
  return undefined
}

function readColon(scanner: Scanner): Found | undefined {
  const found = scanner.text[scanner.at]
  if (found !== ':') return flawAt(scanner, found === '=' ? 'equals' : 'missing-colon')
  scanner.at++
  scanner.state = 'value'
  scanner.afterComma = false
  return undefined
}

function readComma(scanner: Scanner): Found | undefined {
  const { text, at } = scanner
  if (text[at] === (isInObject(scanner) ? '}' : ']')) return closeBracket(scanner)
  if (text[at] !== ',') return flawAt(scanner, inPlaceOfComma(text, at))
  scanner.at++
  scanner.afterComma = true
  scanner.state = isInObject(scanner) ? 'name' : 'item'
  return undefined
}

function readValue(scanner: Scanner): Found | undefined {
  const { text, at } = scanner
  const found = text[at]
  if (scanner.open.length === 1) scanner.valueStart = at
  if (found === ']' && scanner.state === 'item' && !scanner.afterComma) return closeBracket(scanner)
  scanner.lastWasNumber = false
  if (found === '{' || found === '[') return openBracket(scanner, found)
  if (found !== '"') return readWord(scanner)
  const end = endOfString(text, at)
  if (typeof end !== 'number') return { ...end, opened: at }
  return closeValue(scanner, end)
}

function readWord(scanner: Scanner): Found | undefined {
  const { text, at } = scanner
  const word = wordAt(text, at)
  const isToken = pythonTokens.has(word)
  const isLiteral = literals.has(word)
  if (at + word.length === text.length && isBeginning(word)) return { kind: 'end', at: text.length, token: word }
  if (!isToken && !isLiteral && !isNumber(word)) {
    const kind = inPlaceOfValue(text, at, word, scanner.afterComma)
    return word === '' ? flawAt(scanner, kind) : { kind, at, token: word }
  }
  if (isToken) {
    scanner.token ??= { at, text: word }
    scanner.tokens.add(word)
  }
  scanner.lastWasNumber = !isToken && !isLiteral
  return closeValue(scanner, at + word.length)
}

const isInObject = ({ text, open }: Scanner): boolean => text[open.at(-1) ?? text.length] === '{'

function openBracket(scanner: Scanner, bracket: '{' | '['): Found | undefined {
  if (bracket === '{' && scanner.text[scanner.at + 1] === '{') return flawAt(scanner, 'placeholder')
  scanner.open.push(scanner.at++)
  scanner.keys.push(scanner.key)
  scanner.key = ''
  scanner.state = bracket === '{' ? 'first-name' : 'item'
  scanner.afterComma = false
  return undefined
}

function closeBracket(scanner: Scanner): undefined {
  scanner.open.pop()
  scanner.key = scanner.keys.pop() ?? ''
  scanner.lastWasNumber = false
  closeValue(scanner, scanner.at + 1)
}

function closeValue(scanner: Scanner, end: number): undefined {
  const { text, open, key, valueStart, members } = scanner
  if (open.length === 1 && isInObject(scanner) && keptNames.includes(key)) members.set(key, text.slice(valueStart, end))
  scanner.at = end
  scanner.state = open.length === 0 ? 'done' : 'after'
  scanner.afterComma = false
}
