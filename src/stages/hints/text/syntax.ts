import { quote, visible } from '../../../quote.ts'
import { placeIn } from './place.ts'
import type { Fault, FaultKind, Scan } from './scan.ts'

/** What is wrong with a text that is JSON but for a slip: the first fault, where it is, and what is meant. */
export function syntaxHint(body: string, scan: Scan): string | undefined {
  const { fault, token } = scan
  if (fault) {
    const odd = fault.token.indexOf('\ufffd')
    const where = `at ${placeIn(body, fault.at + Math.max(0, odd))}`
    if (odd !== -1) return `Bytes that are not UTF-8 (U+FFFD) stand ${where}: encode the body as UTF-8`
    return byKind[fault.kind]({ ...fault, body, where, of: ofKey(fault) })
  }
  if (!token) return undefined
  const where = placeIn(body, token.at)
  return `The only fault is ${token.text} at ${where}, which is no JSON: the rules now read it as null, so a replay may accept the order`
}

const expectedText: Readonly<Record<Fault['expected'], string>> = {
  name: 'a name in double quotes',
  colon: 'a colon',
  value: 'a value',
  comma: 'a comma or a closing bracket',
}

interface Found extends Fault {
  readonly body: string
  /** "at character 12" */
  readonly where: string
  /** " in `discount`", or nothing. */
  readonly of: string
}

const ofKey = ({ key, expected }: Fault): string => (key === '' || expected === 'name' ? '' : ` in \`${visible(key)}\``)

const byKind: Readonly<Record<FaultKind, (found: Found) => string>> = {
  end: endText,
  'end-in-string': (found) =>
    `The JSON ends ${inside(found)} before its closing quote, ${endPlace(found.body)}: ${cutText(found.body)}, or a quote is missing`,
  extra: ({ body, at, token, where }) =>
    token === '}' || token === ']'
      ? `One closing ${token} too many ${where}: remove it`
      : `After the JSON ends, more text follows ${where} (${quote(body.slice(at))}): send one JSON object and nothing else`,
  control: ({ body, at, where, of }) =>
    `${controlName(body, at)} stands unescaped in a text${of} ${where}: ${controlAdvice(body, at)}`,
  escape: ({ token, where }) =>
    token.startsWith('\\u')
      ? `The escape ${quote(token)} ${where} needs four hexadecimal digits after \\u`
      : `The escape ${quote(token)} ${where} is unknown to JSON: write \\\\ for a backslash and ' as it is`,
  number: ({ token, where, of }) => numberText(token, `${where}${of}`),
  word: wordText,
  'single-quote': singleQuoteText,
  'smart-quote': ({ token, where }) =>
    `A typographic quote (${quote(token.slice(0, 1))}) stands ${where}: JSON needs the straight double quote "`,
  backtick: ({ where }) => `A backtick stands ${where}: JSON needs the straight double quote "`,
  comment: ({ body, at, where }) =>
    `A comment (${body[at] === '#' ? '#' : body.slice(at, at + 2)}) stands ${where}: JSON has no comments, so remove it`,
  space: ({ body, at, where }) => {
    const [name, kind] = spaceName(body, at)
    return `${name} stands ${where}: ${kind === 'blank' ? 'use a plain space (U+0020)' : 'remove it'}`
  },
  'trailing-comma': ({ body, at }) => {
    const comma = body.lastIndexOf(',', at)
    return `A trailing comma stands at ${placeIn(body, comma)} before the closing ${body[at]}: remove it`
  },
  'no-value': ({ body, at, key, where }) =>
    key === ''
      ? `A value is missing before the ${body[at]} ${where}`
      : `\`${visible(key)}\` has no value before the ${body[at]} ${where}: send a value, or null`,
  'double-comma': ({ where }) => `A comma stands ${where} where a name or value must follow: remove one comma`,
  'missing-comma': ({ body, at, token, where, of, key }) =>
    isAfterNumber(body, at) && /^[A-Za-z\p{Sc}]/u.test(token)
      ? `${quote(token)} follows a number ${where}${of}: write the digits only`
      : `A comma is missing${key === '' ? '' : ` after the value of \`${visible(key)}\``} before ${shownToken(token)} ${where}`,
  'missing-colon': ({ token, where, key }) =>
    `A colon is missing after the name \`${visible(key)}\`, before ${shownToken(token)} ${where}`,
  'unquoted-key': unquotedKeyText,
  'number-key': ({ body, at, where, key }) => {
    const found = /[\d.]{1,12},$/.exec(body.slice(Math.max(0, at - 13), at))?.[0]
    const decimals = /^\d{1,6}(?![\d.])/.exec(body.slice(at, at + 7))?.[0]
    const isDecimal = found !== undefined && decimals !== undefined
    const example = isDecimal
      ? ` (${found}${decimals}): write ${found.slice(0, -1)}.${decimals}`
      : ': write a decimal point'
    return `A number stands ${where} where a name must follow, so \`${visible(key)}\` may have a decimal comma${example}`
  },
  equals: ({ body, at, where, key }) =>
    body[at + 1] === '>'
      ? `=> stands ${where} after the name \`${visible(key)}\`, as in a Ruby hash or PHP array: write a colon, with to_json or json_encode`
      : `= stands ${where} after the name \`${visible(key)}\`: write a colon`,
  closer: ({ body, at, where, opened }) =>
    `A ${body[at]} stands ${where}, but the ${body[opened]} opened at ${placeIn(body, opened)} is not closed yet`,
  'inner-quote': ({ token, where, of }) =>
    `${quote(token)} follows a closing quote ${where}${of}: a quote within a text may lack its backslash (\\")`,
  backslash: ({ body, at, where }) =>
    body[at + 1] === '"'
      ? `The quotes are escaped with backslashes, first ${where}: the JSON was quoted once too often, so send it without them`
      : `A backslash stands ${where} outside of a text: remove it`,
  placeholder: ({ body, at, where, of }) =>
    `${quote(placeholder.exec(body.slice(at, at + 40))?.[0] ?? '')} ${where}${of} looks like a placeholder of a template that was not filled in`,
  character: ({ body, at, token, where, of, expected }) =>
    `${quote(token)} stands ${where}${of}, where ${expectedText[expected]} must stand${strayAdvice(body, at, token)}`,
}

const placeholder = /^(?:\{\{[^}]{0,24}\}\}|.[^}>)]{0,24}[}>)]?)/s

/** What often follows a number. */
const strayAdvice = (body: string, at: number, token: string): string =>
  isAfterNumber(body, at) && /^[%\p{Sc}]/u.test(token) ? ': write the digits only' : ''

const isAfterNumber = (body: string, at: number): boolean => /\d\s*$/.test(body.slice(Math.max(0, at - 8), at))

/** A quote is named, anything else is shown. */
const shownToken = (token: string): string => (token === '"' ? 'the double quote' : quote(token))

/** Of what is not closed only the last bracket is named. */
function endText(found: Found): string {
  const { body, opened, token, of } = found
  if (token !== '') return `The JSON ends in the middle of ${quote(token)}${of}, ${endPlace(body)}: ${cutText(body)}`
  const bracket = body[opened]
  if (bracket !== '{' && bracket !== '[')
    return `The JSON ends before it is complete, ${endPlace(body)}: ${cutText(body)}`
  return `The JSON ends before it is complete, ${endPlace(body)}, and the ${bracket} opened at ${placeIn(body, opened)} is not closed: ${cutText(body)}`
}

const endPlace = (body: string): string => `after ${placeIn(body, Math.max(0, body.trimEnd().length - 1))}`

/** Lengths that queues, topics, columns and buffers end at. */
const limits: ReadonlySet<number> = new Set([
  255, 256, 512, 1_000, 1_024, 2_048, 4_000, 4_096, 8_192, 10_000, 16_384, 32_768, 65_535, 65_536, 131_072, 262_144,
  1_048_576,
])

function cutText(body: string): string {
  const bytes = Buffer.byteLength(body)
  const size = limits.has(bytes) ? `, as it has exactly ${bytes} bytes` : ''
  return `the message may have been cut off${size}`
}

const inside = ({ key, expected }: Found): string =>
  expected === 'name' ? 'in the name of a field' : key === '' ? 'within a text' : `in the text of \`${visible(key)}\``

function controlName(body: string, at: number): string {
  const code = body.charCodeAt(at)
  const name = { 9: 'A tab', 10: 'A line break', 13: 'A line break', 0: 'A NUL character' }[code]
  return name ?? `A control character (U+${code.toString(16).toUpperCase().padStart(4, '0')})`
}

function controlAdvice(body: string, at: number): string {
  const short = { 9: '\\t', 10: '\\n', 13: '\\r' }[body.charCodeAt(at)]
  return `write it as ${short ?? `\\u${body.charCodeAt(at).toString(16).padStart(4, '0')}`}`
}

function numberText(token: string, where: string): string {
  const shown = quote(token)
  const [sign, digits] = /^[+-]/.test(token) ? [token[0], token.slice(1)] : ['', token]
  const is = (what: string, advice: string): string => `${shown} ${where} ${what}: ${advice}`
  if (/^0x[\da-f]+$/i.test(digits)) return is('is a hexadecimal number', 'write it in decimal digits')
  if (/^[1-9]\d{3}-\d\d-\d\d/.test(token)) return is('looks like a date without quotes', 'put it in double quotes')
  if (/^\d+(?:_\d+)+/.test(digits)) return is('has underscores between its digits', 'write digits only')
  if (/^0\d+(?:\.\d*)?$/.test(digits))
    return is('is a number with a leading zero', 'remove the zero, or send a text in double quotes')
  if (sign === '+') return is('is a number with a plus sign', 'remove the sign')
  if (/^\.\d+$/.test(digits))
    return is('is a number without a digit before its point', `write ${visible(`${sign}0${digits}`)}`)
  if (/^\d+\.$/.test(digits))
    return is('is a number without a digit after its point', 'remove the point or add a digit')
  if (/^\d+(?:\.\d+)?[dfLmnM]$/.test(digits)) return is('is a number with a suffix', 'write the digits only')
  if (/^[\d.]+\p{Sc}$|^[\d.]+[A-Z]{3}$/u.test(digits)) return is('is a number with a currency', 'write the digits only')
  if (/^\d+(?:\.\d+){2,}$/.test(digits))
    return is('has more than one point', 'write one decimal point and no thousands separators')
  return is('is no number of JSON', 'write digits with at most one decimal point, or a text in double quotes')
}

const words: Readonly<Record<string, readonly [from: string, instead: string]>> = {
  None: ['Python', 'null'],
  True: ['Python', 'true'],
  False: ['Python', 'false'],
  undefined: ['JavaScript', 'null, or leave the field out'],
  nil: ['Ruby or Go', 'null'],
}

function wordText({ body, at, token, where, of }: Found): string {
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

/** Which of Python's other words stand behind it outside of strings, each where a value would; looks a little way only. */
function otherWords(body: string, at: number, token: string): string[] {
  const rest = body.slice(at, at + 10_000).replace(/"(?:[^"\\]|\\[\s\S]?)*"?/g, '""')
  const found = [...rest.matchAll(/[:,[]\s?(None|True|False)(?=[\s,}\]])/g)].map(([, word]) => word ?? '')
  return [...new Set(found)].filter((word) => word !== token)
}

function singleQuoteText({ body, at, where, of, expected }: Found): string {
  if (expected === 'name' && /^'[^'\n]{0,200}'\s?=>/.test(body.slice(at, at + 220))) {
    return `=> and single quotes stand after ${where.slice(3)}, as in a Ruby hash or PHP array: send JSON, with to_json or json_encode`
  }
  if (expected === 'name' && /^'[^'\n]{0,200}': /.test(body.slice(at, at + 220))) {
    return `The body looks like a Python dict written with str() (single quotes, the first ${where}): use json.dumps(), which writes double quotes, null, true and false`
  }
  return `A single quote stands ${where}${of}: JSON needs double quotes around names and texts`
}

function unquotedKeyText({ body, at, token, where }: Found): string {
  const after = body.slice(at + token.length, at + token.length + 3).trimStart()
  if (after.startsWith('=>'))
    return `=> stands after ${quote(token)} ${where}, as in a Ruby hash: send JSON, with to_json`
  if (after.startsWith('=')) {
    return `${quote(`${token}=`)} ${where} looks like a map turned to text, as Java's toString() writes it: send JSON from a JSON library`
  }
  return `The name ${quote(token)} ${where} stands without quotes: put it in double quotes, as JSON.stringify() does`
}

/** Named as people know them. */
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
