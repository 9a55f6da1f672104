/** What stands where JSON allows it not, and where (an index into the text). */
export interface Fault {
  readonly at: number
  readonly kind: FaultKind
  /** The characters in question. */
  readonly token: string
  /** The member's name it stands under or behind, as written between its quotes; empty where there is none. */
  readonly key: string
  /** What JSON has in its place. */
  readonly expected: 'name' | 'colon' | 'value' | 'comma'
  /** Where the string, object or list in question was opened, for what is not closed. */
  readonly opened: number
}

export type FaultKind =
  | 'end'
  | 'end-in-string'
  | 'extra'
  | 'control'
  | 'escape'
  | 'number'
  | 'word'
  | 'single-quote'
  | 'smart-quote'
  | 'backtick'
  | 'comment'
  | 'space'
  | 'trailing-comma'
  | 'no-value'
  | 'double-comma'
  | 'missing-comma'
  | 'missing-colon'
  | 'unquoted-key'
  | 'number-key'
  | 'equals'
  | 'closer'
  | 'inner-quote'
  | 'backslash'
  | 'placeholder'
  | 'character'

/** A bare NaN, Infinity or -Infinity where a value stands: no JSON, but Python writes it. */
interface Token {
  readonly at: number
  readonly text: string
}

export interface Scan {
  /** The first that no reader of ours takes. JSON.parse fails if there is one, or a token. */
  readonly fault?: Fault
  /** The first such token, and the different texts there are. */
  readonly token?: Token
  readonly tokens: ReadonlySet<string>
  /** The text of values of the outermost object by their names as written; the last one counts. */
  readonly members: ReadonlyMap<string, string>
  /** Where the first value ended, if it did. */
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
const keptNames = ['user_id', 'order_id', 'order_value']

/** Reads JSON text to its first fault, in one pass and without recursion. Never throws. */
export function scanJson(text: string, from = 0): Scan {
  /** Indexes of brackets that are open, and the names they stand under. */
  const open: number[] = []
  const keys: string[] = []
  const members = new Map<string, string>()
  const tokens = new Set<string>()
  let token: Token | undefined
  let state = 'value' as State
  let at = from
  let key = ''
  let afterComma = false
  let valueStart = 0
  let lastWasNumber = false

  const inObject = (): boolean => text[open.at(-1) ?? text.length] === '{'
  const fault = (kind: FaultKind, where: number, shown: string, opened = open.at(-1) ?? 0): Scan => {
    return {
      fault: { at: where, kind, token: shown, key, expected: expectedIn[state], opened },
      ...(token && { token }),
      tokens,
      members,
    }
  }
  const closeBracket = (): void => {
    open.pop()
    key = keys.pop() ?? ''
    lastWasNumber = false
    closeValue(++at)
  }
  const closeValue = (end: number): void => {
    if (open.length === 1 && inObject() && keptNames.includes(key)) members.set(key, text.slice(valueStart, end))
    state = open.length === 0 ? 'done' : 'after'
    afterComma = false
  }

  for (;;) {
    at = skipBlanks(text, at)
    if (at >= text.length) {
      if (state === 'done') return { ...(token && { token }), tokens, members, end: at }
      return fault('end', text.length, '')
    }
    const found = text[at] as string
    if (state === 'done') return { ...fault(oddity(text, at) ?? 'extra', at, tokenAt(text, at)), end: at }
    const odd = oddity(text, at)
    if (odd !== undefined) return fault(odd, at, tokenAt(text, at))
    switch (state) {
      case 'first-name':
      case 'name': {
        if (found === '}' && state === 'first-name') {
          closeBracket()
          break
        }
        if (found !== '"') return fault(inPlaceOfName(text, at, { afterComma, lastWasNumber }), at, tokenAt(text, at))
        const end = endOfString(text, at)
        if (typeof end !== 'number') return fault(end.kind, end.at, end.token, at)
        key = text.slice(at + 1, Math.min(end - 1, at + 1 + maxKey))
        at = end
        state = 'colon'
        break
      }
      case 'colon':
        if (found !== ':') return fault(found === '=' ? 'equals' : 'missing-colon', at, tokenAt(text, at))
        at++
        state = 'value'
        afterComma = false
        break
      case 'after':
        if (found === ',') {
          at++
          afterComma = true
          state = inObject() ? 'name' : 'item'
        } else if (found === (inObject() ? '}' : ']')) {
          closeBracket()
        } else return fault(inPlaceOfComma(text, at), at, tokenAt(text, at))
        break
      case 'value':
      case 'item': {
        if (open.length === 1) valueStart = at
        if (found === ']' && state === 'item' && !afterComma) {
          closeBracket()
          break
        }
        lastWasNumber = false
        if (found === '{' || found === '[') {
          if (found === '{' && text[at + 1] === '{') return fault('placeholder', at, tokenAt(text, at))
          open.push(at++)
          keys.push(key)
          key = ''
          state = found === '{' ? 'first-name' : 'item'
          afterComma = false
        } else if (found === '"') {
          const end = endOfString(text, at)
          if (typeof end !== 'number') return fault(end.kind, end.at, end.token, at)
          at = end
          closeValue(at)
        } else {
          const word = wordAt(text, at)
          const isToken = pythonTokens.has(word)
          if (at + word.length === text.length && isBeginning(word)) return fault('end', text.length, word)
          if (!isToken && !literals.has(word) && !isNumber(word)) {
            return fault(inPlaceOfValue(text, at, word, afterComma), at, word === '' ? tokenAt(text, at) : word)
          }
          if (isToken) {
            token ??= { at, text: word }
            tokens.add(word)
          }
          lastWasNumber = !isToken && !literals.has(word)
          at += word.length
          closeValue(at)
        }
        break
      }
      default:
        return fault('character', at, found)
    }
  }
}

const literals: ReadonlySet<string> = new Set(['true', 'false', 'null'])
const pythonTokens: ReadonlySet<string> = new Set(['NaN', 'Infinity', '-Infinity'])

/** A name is shown cut; the three that are compared are shorter. */
const maxKey = 64
/** Of the characters in question, so many are kept. */
const maxToken = 64

function skipBlanks(text: string, from: number): number {
  let at = from
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break
  }
  return at
}

/** What JSON allows nowhere outside of a string. */
function oddity(text: string, at: number): FaultKind | undefined {
  const found = text[at] as string
  if (isOddSpace(found)) return 'space'
  if (found === '\ufffd') return 'character'
  if (found === '#') return 'comment'
  if (found === '/') return text[at + 1] === '/' || text[at + 1] === '*' ? 'comment' : 'character'
  if (smartQuotes.includes(found)) return 'smart-quote'
  if (found === "'") return 'single-quote'
  if (found === '`') return 'backtick'
  return found === '\\' ? 'backslash' : undefined
}

export const smartQuotes = '“”„‟‘’‚‛«»′″＂＇'

/** A blank or an invisible character that is none of JSON's four. */
export function isOddSpace(character: string): boolean {
  if (character > ' ' && character < '\u007f') return false
  return /^[\p{Zs}\p{Zl}\p{Zp}\p{Cf}\v\f\u0085]$/u.test(character) && character !== ' '
}

/** The index after a string's last quote, or what is wrong in it. */
function endOfString(text: string, from: number): number | { kind: FaultKind; at: number; token: string } {
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) return at + 1
    if (code < 0x20) return { kind: 'control', at, token: text[at] as string }
    if (code !== 0x5c) continue
    const escaped = text[at + 1]
    if (escaped === undefined) break
    if (escaped === 'u') {
      const digits = text.slice(at + 2, at + 6)
      if (!/^[\da-f]{4}$/i.test(digits)) {
        const cut = at + 2 + digits.length === text.length && /^[\da-f]*$/i.test(digits)
        return cut ? unclosed(text, from) : { kind: 'escape', at, token: text.slice(at, at + 6) }
      }
      at += 5
    } else if ('"\\/bfnrt'.includes(escaped)) at++
    else return { kind: 'escape', at, token: `\\${String.fromCodePoint(text.codePointAt(at + 1) ?? 0)}` }
  }
  return unclosed(text, from)
}

const unclosed = (text: string, from: number): { kind: FaultKind; at: number; token: string } => ({
  kind: 'end-in-string',
  at: text.length,
  token: text.slice(from, from + maxToken),
})

/** Letters, digits and signs in a row; empty where there are none. */
function wordAt(text: string, at: number): string {
  let end = at
  // No number or word of JSON has other than ASCII: what is only to be shown need not be read to its end.
  const limit = at + maxToken
  while (end < text.length && isWordCode(text.charCodeAt(end)) && (end < limit || text.charCodeAt(end) < 0x80)) end++
  return text.slice(at, end)
}

/** [0-9A-Za-z_$+.-] and what lies beyond ASCII and is no blank. */
function isWordCode(code: number): boolean {
  if (code < 0x80) {
    if (code >= 0x30 && code <= 0x39) return true
    if ((code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)) return true
    return code === 0x5f || code === 0x24 || code === 0x2b || code === 0x2e || code === 0x2d
  }
  const character = String.fromCharCode(code)
  return !isOddSpace(character) && !smartQuotes.includes(character)
}

/** A JSON number. Each part is matched once, so a long one costs no more than its length. */
const isNumber = (word: string): boolean => /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(word)

/** Whether more of it would make a number or a word of JSON. */
function isBeginning(word: string): boolean {
  if (literals.has(word) || isNumber(word)) return false
  return word !== '' && ([...literals].some((literal) => literal.startsWith(word)) || isNumber(`${word}1`))
}

function tokenAt(text: string, at: number): string {
  const word = wordAt(text, at).slice(0, maxToken)
  return word === '' ? String.fromCodePoint(text.codePointAt(at) ?? 0) : word
}

function inPlaceOfName(
  text: string,
  at: number,
  { afterComma, lastWasNumber }: { afterComma: boolean; lastWasNumber: boolean },
): FaultKind {
  const found = text[at] as string
  if (found === '}' && afterComma) return 'trailing-comma'
  if (found === ',') return 'double-comma'
  if (found === ']') return 'closer'
  if (found === '{') return 'placeholder'
  if (/\d/.test(found)) return lastWasNumber ? 'number-key' : 'unquoted-key'
  return wordAt(text, at) === '' ? 'character' : 'unquoted-key'
}

function inPlaceOfComma(text: string, at: number): FaultKind {
  const found = text[at] as string
  if (found === ']' || found === '}') return 'closer'
  const before = text[at - 1]
  if (found === '"' || found === '{' || found === '[') return 'missing-comma'
  if (wordAt(text, at) === '') return 'character'
  return before === '"' ? 'inner-quote' : 'missing-comma'
}

function inPlaceOfValue(text: string, at: number, word: string, afterComma: boolean): FaultKind {
  const found = text[at] as string
  if (found === ']' || found === '}') return afterComma ? (found === ']' ? 'trailing-comma' : 'closer') : 'no-value'
  if (found === ',') return afterComma ? 'double-comma' : 'no-value'
  if (/^[+-]?[.\d]/.test(word)) return 'number'
  if (/^[$%<]/.test(found) && /^(?:\$\{|\$\(|%[sd(]|<[A-Za-z_])/.test(text.slice(at, at + 3))) return 'placeholder'
  return word === '' || word === '-' ? 'character' : 'word'
}
