import { quote, visible } from '../quote.ts'
import type { Fault, FaultKind } from './fault.ts'
import { placeIn } from './place.ts'
import type { Scan } from './scan.ts'
import { controlText, escapeText, spaceText } from './syntax/characters.ts'
import { endInStringText, endText } from './syntax/cut-off.ts'
import { type Found, ofKey } from './syntax/found.ts'
import { singleQuoteText, unquotedKeyText } from './syntax/names.ts'
import { decimalCommaText, isAfterNumber, numberText } from './syntax/numbers.ts'
import { wordText } from './syntax/words.ts'

/** Describes the first fault of a text that is nearly JSON: where it is, and what to write instead. */
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

/** A sentence for each kind of fault. */
const byKind: Readonly<Record<FaultKind, (found: Found) => string>> = {
  end: endText,
  'end-in-string': endInStringText,
  extra: ({ body, at, token, where }) =>
    token === '}' || token === ']'
      ? `One closing ${token} too many ${where}: remove it`
      : `After the JSON ends, more text follows ${where} (${quote(body.slice(at))}): send one JSON object and nothing else`,
  control: controlText,
  escape: escapeText,
  number: numberText,
  word: wordText,
  'single-quote': singleQuoteText,
  'smart-quote': ({ token, where }) =>
    `A typographic quote (${quote(token.slice(0, 1))}) stands ${where}: JSON needs the straight double quote "`,
  backtick: ({ where }) => `A backtick stands ${where}: JSON needs the straight double quote "`,
  comment: ({ body, at, where }) =>
    `A comment (${body[at] === '#' ? '#' : body.slice(at, at + 2)}) stands ${where}: JSON has no comments, so remove it`,
  space: spaceText,
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
  'number-key': decimalCommaText,
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

/** Advises on a sign that often follows a number. */
const strayAdvice = (body: string, at: number, token: string): string =>
  isAfterNumber(body, at) && /^[%\p{Sc}]/u.test(token) ? ': write the digits only' : ''

/** Names a quote, and shows any other token. */
const shownToken = (token: string): string => (token === '"' ? 'the double quote' : quote(token))
