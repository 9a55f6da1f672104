import { quote } from '../../quote.ts'
import type { Found } from './found.ts'

/** Describes single quotes: those of Python or Ruby, or of a single string. */
export function singleQuoteText({ body, at, where, of, expected }: Found): string {
  if (expected === 'name' && /^'[^'\n]{0,200}'\s?=>/.test(body.slice(at, at + 220))) {
    return `=> and single quotes stand after ${where.slice(3)}, as in a Ruby hash or PHP array: send JSON, with to_json or json_encode`
  }
  if (expected === 'name' && /^'[^'\n]{0,200}': /.test(body.slice(at, at + 220))) {
    return `The body looks like a Python dict written with str() (single quotes, the first ${where}): use json.dumps(), which writes double quotes, null, true and false`
  }
  return `A single quote stands ${where}${of}: JSON needs double quotes around names and texts`
}

/** Describes a name without quotes. */
export function unquotedKeyText({ body, at, token, where }: Found): string {
  const after = body.slice(at + token.length, at + token.length + 3).trimStart()
  if (after.startsWith('=>'))
    return `=> stands after ${quote(token)} ${where}, as in a Ruby hash: send JSON, with to_json`
  if (after.startsWith('=')) {
    return `${quote(`${token}=`)} ${where} looks like a map turned to text, as Java's toString() writes it: send JSON from a JSON library`
  }
  return `The name ${quote(token)} ${where} stands without quotes: put it in double quotes, as JSON.stringify() does`
}
