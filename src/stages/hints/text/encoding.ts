import { constants, gunzipSync } from 'node:zlib'
import { quote } from '../quote.ts'
import { nameOfShape } from '../wrapper/envelope.ts'
import { scanJson } from './scan.ts'

/** Finds a body that is not JSON text at all: empty, in another encoding, compressed, encoded once more, or binary. */
export function encodingHint(body: string): string | undefined {
  return blankHint(body) ?? unicodeHint(body) ?? binaryHint(body) ?? encodedHint(body)
}

function blankHint(body: string): string | undefined {
  if (body === '') return 'The body is empty: send one order as a JSON object'
  if (/\S/.test(body)) return undefined
  const what = body === bom ? 'only a byte order mark (U+FEFF)' : `only white space (${lengthText(body)})`
  return `The body holds ${what}: send one order as a JSON object`
}

const lengthText = ({ length }: string): string => (length === 1 ? '1 character' : `${length} characters`)

const bom = '\ufeff'

function unicodeHint(body: string): string | undefined {
  const head = pictured(body.slice(0, 64))
  const advice = 'encode the body as UTF-8'
  if (/^[\ufeff\ufffd␀]{0,4}(?:[^␀]␀{3}[^␀]␀{3}|␀{3}[^␀]␀{3}[^␀])/.test(head)) {
    return `The body looks like UTF-32, with three NULs for each character: ${advice}`
  }
  if (/^[\ufeff\ufffd]{0,2}(?:␀[^␀]){2}/.test(head)) {
    return `The body looks like UTF-16 (big endian), with a NUL before each character: ${advice}`
  }
  if (/^[\ufeff\ufffd]{0,2}(?:[^␀]␀){2}/.test(head)) {
    return `The body looks like UTF-16 (little endian), with a NUL after each character: ${advice}`
  }
  if (wronglyPaired.test(head)) {
    return `The body looks like JSON whose bytes were paired the wrong way as UTF-16: ${advice}`
  }
  if (head.startsWith('ï»¿')) {
    return 'A byte order mark (BOM), read as Latin-1, stands before the JSON at character 1: send UTF-8 without a BOM'
  }
  if (!head.startsWith(bom)) return undefined
  return scanJson(body, 1).fault
    ? 'A byte order mark (BOM, U+FEFF) stands at character 1, and what follows has other faults: send JSON in UTF-8 without a BOM'
    : 'A byte order mark (BOM, U+FEFF) stands before the JSON, at character 1: send UTF-8 without a BOM'
}

/** A bracket and what follows it, as one character of UTF-16 or as two with their bytes swapped. */
const wronglyPaired =
  /^[\ufeff\ufffe]?(?:[\u7b00\u5b00][\u2200\u7b00\u0a00\u2000\u0d00]|[\u7b22\u227b\u5b7b\u7b5b\u7b0a\u0a7b])/

/** Replaces control characters by their pictures (from U+2400), so that patterns can be read. */
const pictured = (text: string): string =>
  text.replace(/[^\P{Cc}\u0080-\u009f\u007f]/gu, (control) => String.fromCharCode(0x2400 + control.charCodeAt(0)))

/** First characters of binary formats, as UTF-8 or Latin-1 decoders leave them: U+FFFD for bytes that are not UTF-8. */
const magics: readonly (readonly [what: string, begins: RegExp])[] = [
  ['gzip data', /^␟[\u008b\ufffd]/],
  ['zlib (deflate) data', /^x(?:[\u009c\u00da\ufffd]|[␁^][^ -~])/],
  ['Zstandard data', /^\([\u00b5\ufffd]\/[\u00fd\ufffd]/],
  ['a ZIP archive', /^PK␃␄/],
  ['bzip2 data', /^BZh[1-9]1AY/],
  ['LZ4 data', /^␄"M␘/],
  ['an Avro data file', /^Obj␁/],
  ['a Parquet file', /^PAR1/],
  ['an Avro message', /^[\u00c3\ufffd]␁[^ -~]/],
  ['a serialized Java object', /^[\u00ac\ufffd][\u00ed\ufffd]␀␅/],
  ['a Python pickle', /^[\u0080\ufffd][␂-␅](?:[\u0095\ufffd]|[}\]c(X])/],
  ['a Ruby Marshal dump', /^␄␈[{[oI]/],
  ['an Avro or Protobuf message with a schema id before it (Confluent wire format)', /^␀␀[\s\S]{3}/],
  ['BSON', /^[\s\S]{2,3}␀␀[␁-␓][A-Za-z_]{1,64}␀/],
  [
    'MessagePack',
    /^[\u0080-\u008f\ufffd](?:[\u00a0-\u00bf\ufffd]|[\u00d9\ufffd].)[A-Za-z_]{2,32}[\u00a0-\u00bf\ufffd]/,
  ],
  ['CBOR', /^[\u00a0-\u00bf\ufffd][a-w](?:user|order|item)/i],
  ['a Protobuf message', /^␊[␁-␟][ -~]{1,31}[␒␚␙␑␘]/],
]

function binaryHint(body: string): string | undefined {
  const head = pictured(body.slice(0, 256))
  const known = magics.find(([, begins]) => begins.test(head))
  if (known) {
    const [what] = known
    const isSure = /gzip|ZIP|bzip2|file|Java/.test(what)
    return `The body ${isSure ? 'is' : 'looks like'} ${what}, not text: send the order as JSON text in UTF-8`
  }
  if (/^[\s␉␊␍]*[[{"]/.test(head)) return undefined
  const odd = [...body.slice(0, 256)].filter((character) => /[^\P{Cc}\t\n\r]|\ufffd/u.test(character)).length
  if (odd === 0 || odd * 5 < head.length) return undefined
  return `The body looks like binary data (it begins with ${quote(body.slice(0, 8))}): send the order as JSON text in UTF-8`
}

/** Characters of a body that are decoded to recognize it. */
const maxHead = 4_096

function encodedHint(body: string): string | undefined {
  const head = body.slice(0, maxHead)
  return webToken(head) ?? dataUrl(head) ?? percentEncoded(head) ?? form(head) ?? hex(body) ?? base64(body)
}

function webToken(head: string): string | undefined {
  if (!/^\s*eyJ[\w-]*\.[\w-]*\.[\w-]*/.test(head)) return undefined
  return 'The body is a JSON Web Token (JWT): send the order itself as a JSON object, not signed or encrypted'
}

function dataUrl(head: string): string | undefined {
  if (!/^data:[\w.+/-]{0,100}[;,]/.test(head)) return undefined
  return `The body is a data: URL (${quote(head, 24)}): send the JSON itself`
}

function percentEncoded(head: string): string | undefined {
  const encoded = /^\s*(?:%7B|%5B|%22|%257B|\{%22|\{%0A|\{\+?%22)/i.exec(head)?.[0].trim()
  if (encoded === undefined) return undefined
  const twice = /^%257B/i.test(encoded) ? ' twice' : ''
  return `The body is percent-encoded${twice} (it begins with ${quote(encoded)}): send the JSON itself, without URL encoding`
}

function form(head: string): string | undefined {
  if (!/^[\w.[\]%+-]{1,100}=[^\s"'{}<>=]/.test(head) && !/^[\w.[\]%+-]{1,100}=(?:%7B|\{)/i.test(head)) return undefined
  if (/\s/.test(head.trim())) return undefined
  const pairs = head.trim().split('&', 20)
  if (!pairs.every((pair) => /^[\w.[\]%+-]{1,100}(?:=|$)/.test(pair))) return undefined
  const names = pairs.map((pair) => pair.split('=', 1)[0] ?? '')
  const within = pairs.find((pair) => /^[^=]{1,100}=(?:%7B|\{|%5B)/i.test(pair))
  if (within !== undefined) {
    const name = within.split('=', 1)[0] ?? ''
    return `The body is a URL-encoded form whose field ${quote(name)} holds JSON: send that JSON alone, without URL encoding`
  }
  if (pairs.length < 2 && !/^(?:user|order)/i.test(head)) return undefined
  return `The body is a URL-encoded form (fields ${quote(names.slice(0, 3).join(', '))}): send the fields as a JSON object`
}

function hex(body: string): string | undefined {
  const head = body.slice(0, 512).trim()
  const digits = head.replace(/^(?:0x|\\x)/i, '').replace(/[\s:]/g, '')
  if (!/^[\da-f]{16,}$/i.test(digits)) return undefined
  const what = contentOf(Buffer.from(digits.slice(0, digits.length & ~1), 'hex'))
  return what && `The body is ${what} in hexadecimal digits: send the JSON text itself`
}

function base64(body: string): string | undefined {
  const head = body.slice(0, maxHead).replace(/[\s"]+/g, '')
  if (!/^[\w+/-]{8,}={0,2}$/.test(head)) return undefined
  const isWhole = body.length <= maxWhole
  const text = isWhole ? body : head.slice(0, head.length & ~3)
  const bytes = Buffer.from(text, 'base64')
  const what = contentOf(bytes, isWhole)
  const itself = what && / (?:JSON|gzip)/.test(` ${what}`) ? 'JSON text itself' : 'order itself as JSON text'
  return what && `The body is base64 of ${what}: send the ${itself}, without base64`
}

/** Only the beginning of a longer body is decoded: it may have a megabyte. */
const maxWhole = 65_536

/** Names the content of bytes that were encoded as text; undefined where it is not recognized. */
function contentOf(bytes: Buffer, isWhole = false): string | undefined {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    const inner = inflated(bytes)
    return `gzip data${inner && ` (${inner})`}`
  }
  const text = bytes.toString('utf8')
  const first = text.replace(/^\ufeff/, '').trimStart()
  if (/^\{\s*(?:"|\}|')/.test(first)) {
    const name = isWhole ? nameOfShape(text) : undefined
    return name ?? 'a JSON object'
  }
  if (/^\[\s*[[{"]/.test(first)) return 'a JSON list'
  if (/^"\s*[{[\\]/.test(first)) return 'JSON in a JSON string'
  if (/^<(?:\?xml|!doctype|[A-Za-z])/i.test(first)) return 'XML or HTML'
  if (/^(?:[^␀]␀){4}|^(?:␀[^␀]){4}/.test(pictured(text.slice(0, 16)))) return 'UTF-16 text'
  const binary = magics.find(([, begins]) => begins.test(pictured(bytes.toString('latin1', 0, 256))))
  if (binary && /Java|pickle|Avro data|ZIP|Marshal/.test(binary[0])) return binary[0]
  return /^eyJ[\w+/-]{12,}={0,2}\s*$/.test(text.slice(0, maxHead)) ? 'base64 of JSON' : undefined
}

/** Names the content of gzip data; empty where its beginning does not show it. */
function inflated(bytes: Buffer): string {
  try {
    const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: maxWhole }
    const first = gunzipSync(bytes.subarray(0, maxHead), options).toString('utf8').trimStart()
    if (first.startsWith('{')) return 'of a JSON object'
    return first.startsWith('[') ? 'of a JSON list' : ''
  } catch {
    return ''
  }
}
