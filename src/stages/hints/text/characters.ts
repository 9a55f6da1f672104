/** The most characters of a fault that are kept to be shown. */
export const maxToken = 64

/** Returns the index of the next character that is not one of JSON's four blanks. */
export function skipBlanks(text: string, from: number): number {
  let at = from
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break
  }
  return at
}

export const smartQuotes = '“”„‟‘’‚‛«»′″＂＇'

/** Matches a blank or an invisible character that is not one of JSON's four. */
export function isOddSpace(character: string): boolean {
  if (character > ' ' && character < '\u007f') return false
  return /^[\p{Zs}\p{Zl}\p{Zp}\p{Cf}\v\f\u0085]$/u.test(character) && character !== ' '
}

/** Returns the word at an index, or the character there where no word begins. */
export function tokenAt(text: string, at: number): string {
  const word = wordAt(text, at).slice(0, maxToken)
  return word === '' ? String.fromCodePoint(text.codePointAt(at) ?? 0) : word
}

/** Returns the letters, digits and signs in a row from an index on; empty where there are none. */
export function wordAt(text: string, at: number): string {
  let end = at
  // A number or a word of JSON is ASCII only, so a word with other characters need not be read to its end.
  const limit = at + maxToken
  while (end < text.length && isWordCode(text.charCodeAt(end)) && (end < limit || text.charCodeAt(end) < 0x80)) end++
  return text.slice(at, end)
}

/** Matches [0-9A-Za-z_$+.-] and, beyond ASCII, every character that is neither a blank nor a quote. */
function isWordCode(code: number): boolean {
  if (code < 0x80) {
    if (code >= 0x30 && code <= 0x39) return true
    if ((code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)) return true
    return code === 0x5f || code === 0x24 || code === 0x2b || code === 0x2e || code === 0x2d
  }
  const character = String.fromCharCode(code)
  return !isOddSpace(character) && !smartQuotes.includes(character)
}

export const literals: ReadonlySet<string> = new Set(['true', 'false', 'null'])

/** Matches a JSON number. Each part is matched once, so a long one costs no more than its length. */
export const isNumber = (word: string): boolean => /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(word)

/** Matches a word that more characters would complete to a number or a literal of JSON. */
export function isBeginning(word: string): boolean {
  if (literals.has(word) || isNumber(word)) return false
  return word !== '' && ([...literals].some((literal) => literal.startsWith(word)) || isNumber(`${word}1`))
}
