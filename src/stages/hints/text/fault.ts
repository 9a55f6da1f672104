import { isOddSpace, maxToken, smartQuotes, wordAt } from './characters.ts'

/** The first place in a text that is not JSON. */
export interface Fault extends Flaw {
  /** The name of the member it is in or follows, as written between its quotes; empty where there is none. */
  readonly key: string
  /** The kind of text that JSON allows in its place. */
  readonly expected: 'name' | 'colon' | 'value' | 'comma'
  /** Index of the opening quote or bracket of the string, object or list that is not closed. */
  readonly opened: number
}

/** A fault without what surrounds it. */
export interface Flaw {
  /** Index into the text. */
  readonly at: number
  readonly kind: FaultKind
  /** The characters at fault, cut. */
  readonly token: string
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

/** Names a character that JSON allows only within strings. */
export function oddity(text: string, at: number): FaultKind | undefined {
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

/** Returns the index after the last quote of a string, or the fault in it. */
export function endOfString(text: string, from: number): number | Flaw {
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
        const isCut = at + 2 + digits.length === text.length && /^[\da-f]*$/i.test(digits)
        return isCut ? unclosed(text, from) : { kind: 'escape', at, token: text.slice(at, at + 6) }
      }
      at += 5
    } else if ('"\\/bfnrt'.includes(escaped)) at++
    else return { kind: 'escape', at, token: `\\${String.fromCodePoint(text.codePointAt(at + 1) ?? 0)}` }
  }
  return unclosed(text, from)
}

const unclosed = (text: string, from: number): Flaw => ({
  kind: 'end-in-string',
  at: text.length,
  token: text.slice(from, from + maxToken),
})

/** Names what is in the place of a member's name. */
export function inPlaceOfName(
  text: string,
  at: number,
  { afterComma, lastWasNumber }: { readonly afterComma: boolean; readonly lastWasNumber: boolean },
): FaultKind {
  const found = text[at] as string
  if (found === '}' && afterComma) return 'trailing-comma'
  if (found === ',') return 'double-comma'
  if (found === ']') return 'closer'
  if (found === '{') return 'placeholder'
  if (/\d/.test(found)) return lastWasNumber ? 'number-key' : 'unquoted-key'
  return wordAt(text, at) === '' ? 'character' : 'unquoted-key'
}

/** Names what is in the place of a comma or a closing bracket. */
export function inPlaceOfComma(text: string, at: number): FaultKind {
  const found = text[at] as string
  if (found === ']' || found === '}') return 'closer'
  const before = text[at - 1]
  if (found === '"' || found === '{' || found === '[') return 'missing-comma'
  if (wordAt(text, at) === '') return 'character'
  return before === '"' ? 'inner-quote' : 'missing-comma'
}

/** Names what is in the place of a value. */
export function inPlaceOfValue(text: string, at: number, word: string, afterComma: boolean): FaultKind {
  const found = text[at] as string
  if (found === ']' || found === '}') return afterComma ? (found === ']' ? 'trailing-comma' : 'closer') : 'no-value'
  if (found === ',') return afterComma ? 'double-comma' : 'no-value'
  if (/^[+-]?[.\d]/.test(word)) return 'number'
  if (/^[$%<]/.test(found) && /^(?:\$\{|\$\(|%[sd(]|<[A-Za-z_])/.test(text.slice(at, at + 3))) return 'placeholder'
  return word === '' || word === '-' ? 'character' : 'word'
}
