import { isObject } from '../../order/json.ts'

/*
 * Finds a user's id in texts. A text of the user's own is found by the identity in it. Elsewhere an id is found as a word. Short
 * ids and numbers are common words, so they count only as a string of JSON, or behind `user_id`.
 */

const isCommon = (userId: string): boolean => /^-?\d+$/.test(userId) || userId.length < 4

/** Returns the forms that an id has in texts: its own, and as JSON escapes it. */
const formsOf = (userId: string): string[] => [...new Set([userId, JSON.stringify(userId).slice(1, -1)])]

function patternOf(userId: string): RegExp {
  const forms = formsOf(userId).map((form) => RegExp.escape(form))
  const one = `(?:${forms.join('|')})`
  const asWord = `(?<![\\p{L}\\p{N}_])${one}(?![\\p{L}\\p{N}_])`
  const asString = `(?<=\\\\?")${one}(?=\\\\?")|(?<=user_id\\\\?": ?)${one}(?![\\p{L}\\p{N}_])`
  return new RegExp(isCommon(userId) ? asString : asWord, 'gu')
}

/** Returns a check whether a text mentions the user. */
export function mentioning(userId: string): (text: string) => boolean {
  const pattern = patternOf(userId)
  const forms = formsOf(userId)
  return (text) => forms.some((form) => text.includes(form)) && text.search(pattern) !== -1
}

/** The word in place of an id. */
export const redacted = 'erased'

/** Returns a text with the id replaced. */
export const redactor = (userId: string): ((text: string) => string) => {
  const pattern = patternOf(userId)
  return (text) => text.replaceAll(pattern, redacted)
}

/** Returns whether any text within a JSON value passes a check. */
export function someText(value: unknown, check: (text: string) => boolean): boolean {
  if (typeof value === 'string') return check(value)
  if (Array.isArray(value)) return value.some((one) => someText(one, check))
  return isObject(value) && Object.entries(value).some(([name, one]) => check(name) || someText(one, check))
}
