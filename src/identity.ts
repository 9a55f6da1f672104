/** Whose order a message is and which, as far as it says so. */
export interface Identified {
  readonly userId: string | undefined
  readonly orderId: string | undefined
}

/** What a body says, whether or not it keeps the rules. Never throws. */
export const identityIn = (body: string): Identified => identityIs(parseJson(body).sent)

/** The same of a body that has been parsed. */
export function identityIs(sent: unknown): Identified {
  if (!isObject(sent)) return { userId: undefined, orderId: undefined }
  return { userId: identityText(sent['user_id']), orderId: identityText(sent['order_id']) }
}

/** Longest identity, in characters (code points). */
const maxIdentityLength = 256

/** A string of 1 to 256 characters or a safe integer. Half a surrogate pair is no character: UTF-8 could not tell it from another. */
export function identityText(value: unknown): string | undefined {
  if (Number.isSafeInteger(value)) return String(value)
  if (typeof value !== 'string' || value === '' || !value.isWellFormed()) return undefined
  const tooLong = value.length > maxIdentityLength && [...value].length > maxIdentityLength
  return tooLong ? undefined : value
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * JSON.parse; `sent` is undefined where it fails. NaN, Infinity and -Infinity are no JSON, but Python's json module
 * writes them: as the value of a field that the rules name they are refused by that rule, so they are read as infinity.
 */
export function parseJson(text: string): { sent: unknown; strict: boolean } {
  try {
    return { sent: JSON.parse(text), strict: true }
  } catch {
    return { sent: /NaN|Infinity/.test(text) ? parsePython(text) : undefined, strict: false }
  }
}

function parsePython(text: string): unknown {
  try {
    return JSON.parse(text.replace(stringOrNotFinite, (token) => (token.startsWith('"') ? token : '1e999')))
  } catch {
    return undefined
  }
}

/** Strings are matched to be left alone; an unterminated one to the end, so that no text is scanned twice. */
const stringOrNotFinite = /"(?:[^"\\]|\\[\s\S]?)*"?|(?<![\w.+-])(?:NaN|-?Infinity)\b/g
