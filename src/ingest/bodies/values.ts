/** Numbers are compared: this loop sees each character of a body outside of strings. */
const unitOf = (character: string): number => character.charCodeAt(0)
const quote = unitOf('"')
const backslash = unitOf('\\')
const comma = unitOf(',')
const [openList, closeList] = [unitOf('['), unitOf(']')]
const [openObject, closeObject] = [unitOf('{'), unitOf('}')]
const blanks: ReadonlySet<number> = new Set([' ', '\t', '\n', '\r'].map(unitOf))

/**
 * Returns the index behind the object or list that begins at `from`, by its brackets alone; undefined if it has no end.
 * @param onComma called with the index of each comma right in it
 */
export function endOfBrackets(text: string, from: number, onComma?: (at: number) => void): number | undefined {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === quote) at = endOfString(text, at)
    else if (unit === openObject || unit === openList) depth++
    else if (unit === closeObject || unit === closeList) {
      if (--depth === 0) return at + 1
    } else if (unit === comma && depth === 1) onComma?.(at)
  }
  return undefined
}

/** Returns the index of the quote that ends a string; the length of the text if there is none. */
function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes++
    if (slashes % 2 === 0) return end
  }
  return text.length
}

/**
 * Returns the texts of the values in a list, byte for byte, and at most one more than `max`.
 * @param json a list as JSON, maybe with blanks around it
 */
export function valuesIn(json: string, max: number): string[] {
  const from = skipBlanks(json, 0)
  const commas: number[] = []
  const end = endOfBrackets(json, from, (at) => commas.push(at)) ?? json.length
  const ends = [...commas.slice(0, max), commas[max] ?? end - 1]
  const values = ends.map((to, at) => trimBlanks(json.slice((ends[at - 1] ?? from) + 1, to)))
  return values.length === 1 && values[0] === '' ? [] : values
}

/** Returns the index of the first character from there on that is no blank of JSON. */
export function skipBlanks(text: string, from: number): number {
  let at = from
  while (blanks.has(text.charCodeAt(at))) at++
  return at
}

/** Removes the blanks of JSON at both ends. `trim` removes more, such as a byte order mark. */
export function trimBlanks(text: string): string {
  let end = text.length
  while (end > 0 && blanks.has(text.charCodeAt(end - 1))) end--
  return text.slice(Math.min(skipBlanks(text, 0), end), end)
}
