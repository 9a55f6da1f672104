export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Parses JSON, and what Python writes beyond it (see `parseWithText`). Returns undefined if it is neither. */
export const parseJson = (text: string): unknown => parseWithText(text)?.value

/**
 * Parses JSON, and returns it with the text of it that is standard JSON.
 *
 * Python's json module writes NaN, Infinity and -Infinity, which JSON does not have. They are parsed as infinity: a rule that
 * reads the field finds no finite number, and JSON.stringify writes null.
 */
export function parseWithText(text: string): { value: unknown; json: string } | undefined {
  const value = parseStandardJson(text)
  if (value !== undefined) return { value, json: text }
  if (!/NaN|Infinity/.test(text)) return undefined
  const json = text.replace(stringOrNotFinite, (token) => (token.startsWith('"') ? token : '1e999'))
  const lenient = parseStandardJson(json)
  return lenient === undefined ? undefined : { value: lenient, json }
}

/** The same, without NaN and Infinity. */
export function parseStandardJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Strings are matched to be skipped. An unterminated one matches to the end, so that no text is scanned twice. */
const stringOrNotFinite = /"[^"\\]*(?:\\[\s\S]?[^"\\]*)*"?|(?<![\w.+-])(?:NaN|-?Infinity)\b/g
