import { quote } from '../../quote.ts'
import type { Found } from './found.ts'

/** Words of other languages: the language, and what JSON has instead. */
const words: Readonly<Record<string, readonly [from: string, instead: string]>> = {
  None: ['Python', 'null'],
  True: ['Python', 'true'],
  False: ['Python', 'false'],
  undefined: ['JavaScript', 'null, or leave the field out'],
  nil: ['Ruby or Go', 'null'],
}

/** Describes a word without quotes in the place of a value. */
export function wordText({ body, at, token, where, of }: Found): string {
  const shown = quote(token)
  const known = Object.hasOwn(words, token) ? words[token] : undefined
  if (known) {
    const more = token === 'undefined' || token === 'nil' ? [] : otherWords(body, at, token)
    const also = more.length > 0 ? ` (also ${more.join(' and ')})` : ''
    const advice = known[0] === 'Python' ? `write ${known[1]}, as json.dumps() does` : `write ${known[1]}`
    return `${token} ${where}${of} is ${known[0]}, not JSON${also}: ${advice}`
  }
  if (/^[+-]?(?:nan|inf|infinity)$/i.test(token)) {
    return `${shown} ${where}${of} is no number of JSON: send a finite number, or null`
  }
  const lower = token.toLowerCase()
  if (['true', 'false', 'null'].includes(lower))
    return `${token} ${where}${of} is not JSON: write ${lower} in lower case`
  if (body[at + token.length] === '(') {
    return `${quote(`${token}(`)} ${where}${of} is a call in a programming language, not JSON: send the value as a number or a text`
  }
  if (token === 'new')
    return `${quote(/^new \w{0,20}/.exec(body.slice(at, at + 24))?.[0] ?? token)} ${where}${of} is JavaScript, not JSON: send the value itself`
  if (/^\p{Sc}/u.test(token)) return `${shown} ${where}${of} begins with a currency sign: write the digits only`
  if (/^[bru]+$/i.test(token) && /["']/.test(body[at + token.length] ?? '')) {
    return `${shown} before a quote ${where}${of} is a Python prefix: use json.dumps() on text, not on bytes`
  }
  return `${shown} ${where}${of} is text without quotes: put it in double quotes`
}

/** Finds Python's other words in the next 10,000 characters, outside of strings and in the place of values. */
function otherWords(body: string, at: number, token: string): string[] {
  const rest = body.slice(at, at + 10_000).replace(/"(?:[^"\\]|\\[\s\S]?)*"?/g, '""')
  const found = [...rest.matchAll(/[:,[]\s?(None|True|False)(?=[\s,}\]])/g)].map(([, word]) => word ?? '')
  return [...new Set(found)].filter((word) => word !== token)
}
