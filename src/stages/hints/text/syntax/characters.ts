import { quote } from '../../quote.ts'
import type { Found } from './found.ts'

/** Describes a control character within a string. */
export const controlText = ({ body, at, where, of }: Found): string =>
  `${controlName(body, at)} stands unescaped in a text${of} ${where}: ${controlAdvice(body, at)}`

function controlName(body: string, at: number): string {
  const code = body.charCodeAt(at)
  const name = { 9: 'A tab', 10: 'A line break', 13: 'A line break', 0: 'A NUL character' }[code]
  return name ?? `A control character (U+${code.toString(16).toUpperCase().padStart(4, '0')})`
}

function controlAdvice(body: string, at: number): string {
  const short = { 9: '\\t', 10: '\\n', 13: '\\r' }[body.charCodeAt(at)]
  return `write it as ${short ?? `\\u${body.charCodeAt(at).toString(16).padStart(4, '0')}`}`
}

/** Describes a backslash with a character that JSON does not escape. */
export const escapeText = ({ token, where }: Found): string =>
  token.startsWith('\\u')
    ? `The escape ${quote(token)} ${where} needs four hexadecimal digits after \\u`
    : `The escape ${quote(token)} ${where} is unknown to JSON: write \\\\ for a backslash and ' as it is`

/** Describes a blank or an invisible character that is not one of JSON's four. */
export function spaceText({ body, at, where }: Found): string {
  const [name, kind] = spaceName(body, at)
  return `${name} stands ${where}: ${kind === 'blank' ? 'use a plain space (U+0020)' : 'remove it'}`
}

/** The usual names of blanks. */
const spaces: Readonly<Record<string, string>> = {
  '\u00a0': 'A no-break space',
  '\u202f': 'A narrow no-break space',
  '\u3000': 'An ideographic space',
  '\u200b': 'A zero-width space',
  '\u200c': 'A zero-width non-joiner',
  '\u200d': 'A zero-width joiner',
  '\u2060': 'A word joiner (zero width)',
  '\ufeff': 'A byte order mark',
  '\u00ad': 'A soft hyphen',
  '\u2028': 'A line separator',
  '\u2029': 'A paragraph separator',
  '\u0085': 'A next-line character',
  '\v': 'A vertical tab',
  '\f': 'A form feed',
}

function spaceName(body: string, at: number): readonly [name: string, kind: 'blank' | 'invisible'] {
  const character = String.fromCodePoint(body.codePointAt(at) ?? 0)
  const number = `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
  const isBlank = /^[\p{Zs}\p{Zl}\p{Zp}\v\f\u0085]$/u.test(character)
  const name = spaces[character] ?? (isBlank ? 'A Unicode space' : 'An invisible character')
  return [`${name} (${number})`, isBlank ? 'blank' : 'invisible']
}
