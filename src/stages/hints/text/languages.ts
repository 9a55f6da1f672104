import { quote } from '../quote.ts'
import { placeIn } from './place.ts'
import { scanJson } from './scan.ts'

/** Recognizes text in another notation than JSON: markup, tables, settings, or the printed objects of a language. */
export function languageHint(body: string): string | undefined {
  const head = body.slice(0, maxHead).trimStart()
  return markup(head) ?? printed(head) ?? escaped(body, head) ?? message(head) ?? lines(head) ?? plain(head)
}

/** The beginning of a text shows its notation. */
const maxHead = 2_000

function markup(head: string): string | undefined {
  if (!head.startsWith('<')) return undefined
  const object = /^<[\w.$]{1,80} (?:object|instance) at 0x[\da-f]{1,20}>|^<__main__\.\w{1,80}/i.exec(head)
  if (object)
    return `The body is a Python object turned to text (${quote(object[0])}): send its fields with json.dumps()`
  if (/^<(?:!doctype html|html|head|body)\b/i.test(head)) {
    return 'The body is an HTML page, maybe an error page of a web server: send the order as a JSON object'
  }
  if (/^<(?:\w{1,40}:)?Envelope\b/i.test(head))
    return 'The body is a SOAP envelope in XML: send the order as a JSON object'
  const placeholder = /^<[A-Za-z][\w -]{0,40}>$/.exec(head.trim())
  if (placeholder)
    return `The body ${quote(placeholder[0])} looks like a placeholder that was not filled in: send a JSON object`
  const root = /^<(?:\?xml\b|!--|!\[CDATA\[|[A-Za-z_][\w:.-]{0,80}(?=[\s/>]))/i.exec(head)
  return root
    ? `The body is XML (it begins with ${quote(head.slice(0, 20))}): send the order as a JSON object`
    : undefined
}

/** The forms in which languages print objects. */
const prints: readonly (readonly [is: RegExp, says: string])[] = [
  [/^\[object \w+\]/, 'The body is a JavaScript object turned to text ("[object Object]"): send JSON.stringify(order)'],
  [/^b'/, "The body is a Python bytes literal (b'…'): send the bytes themselves, or text after .decode()"],
  [/^b"/, 'The body is a Python bytes literal (b"…"): send the bytes themselves, or text after .decode()'],
  [/^OrderedDict\(/, 'The body is a Python OrderedDict turned to text: use json.dumps() instead of str()'],
  [/^defaultdict\(/, 'The body is a Python defaultdict turned to text: use json.dumps() instead of str()'],
  [/^\(['"(]/, 'The body looks like a Python tuple: send a JSON object with json.dumps()'],
  [/^a:\d{1,9}:\{/, 'The body is a PHP array from serialize(): use json_encode()'],
  [/^O:\d{1,9}:"/, 'The body is a PHP object from serialize(): use json_encode()'],
  [
    /^(?:stdClass Object|[\w\\]{0,80}\s?Object|Array)\s*\(\s/,
    "The body is output of PHP's print_r(): use json_encode()",
  ],
  [/^(?:array\(\d{1,9}\)|object\([\w\\]{1,80}\))/, "The body is output of PHP's var_dump(): use json_encode()"],
  [/^array\s?\(/, 'The body is a PHP array as source code: use json_encode()'],
  [/^map\[/, 'The body is a Go map printed with fmt: use json.Marshal()'],
  [
    /^&\{|^\{[A-Za-z]\w{0,60}:[^\s"'{[,]{1,200} [A-Za-z]\w{0,60}:/,
    'The body looks like a Go struct printed with fmt: use json.Marshal()',
  ],
  [/^#<\w/, 'The body is a Ruby object printed with inspect: use to_json'],
  [/^\{\s*:\w{1,80}\s?=>/, 'The body is a Ruby hash printed with inspect (=> between name and value): use to_json'],
  [/^@\{/, 'The body is a PowerShell object turned to text: use ConvertTo-Json'],
  [/^System\.[\w.`[\],]{1,200}/, 'The body is the name of a .NET type: send JsonSerializer.Serialize(order)'],
  [
    /^[\w.$]{1,120}@[\da-f]{4,8}$/,
    'The body is a Java object turned to text without its fields: send JSON from a JSON library',
  ],
  [
    /^[A-Z]\w{0,80}\s?[[({]\s?\w{1,80}\s?[=:]/,
    'The body looks like an object turned to text (as from toString() or repr()): send JSON from a JSON library',
  ],
  [
    /^\{\{/,
    'The body begins with "{{", which looks like a placeholder of a template that was not filled in: send a JSON object',
  ],
  [
    /^\$\{?[A-Za-z_]\w{0,80}\}?$|^\$\(|^%\w{1,80}%$/,
    'The body is a variable of a shell that was not filled in: send the JSON it stands for',
  ],
  [/^\[\[?\w{1,80}\]?\]\s*\n\s*[\w.-]{1,80}\s*=/, 'The body looks like INI or TOML: send the order as a JSON object'],
]

const printed = (head: string): string | undefined => prints.find(([is]) => is.test(head.trimEnd()))?.[1]

function escaped(body: string, head: string): string | undefined {
  if (/^&lt;/i.test(head)) return 'The body is XML with its signs escaped (&lt;): send the order as a JSON object'
  if (body.startsWith('\u001e')) {
    return 'The body is a JSON text sequence (a U+001E before each value): send each order as a JSON object of its own'
  }
  if (/^[[{]?\s*(?:&quot;|&#34;|&#x22;)/i.test(head)) {
    const at = body.indexOf('&')
    return `The quotes are HTML entities (${quote(body.slice(at, at + 6))}), the first at ${placeIn(body, at)}: send the JSON without HTML escaping`
  }
  const outer = /^(["'])\s*[{[]/.exec(head)?.[1]
  const whole = body.trimEnd()
  if (outer !== undefined && whole.endsWith(outer)) {
    const at = body.indexOf(outer)
    if (scanJson(whole.slice(at + 1, -1)).fault === undefined) {
      const quotes = outer === '"' ? 'double' : 'single'
      return `The JSON stands within ${quotes} quotes of its own, the first at ${placeIn(body, at)}: send it without them`
    }
  }
  return undefined
}

/** Recognizes a message with headers, or an address of data. */
function message(head: string): string | undefined {
  if (/^--[\w'()+,./:=? -]{1,72}\r?\n(?:Content-)/i.test(head)) {
    return 'The body is a multipart form: send the order as a JSON object'
  }
  if (/^(?:GET|POST|PUT|PATCH|DELETE) \S{1,500} HTTP\//.test(head)) {
    return 'The body is a whole HTTP request: send only its body, the JSON object'
  }
  if (/^HTTP\/[\d.]{1,3} \d{3}/.test(head)) return 'The body is a whole HTTP response: send only the JSON object in it'
  if (/^(?:event|data|id): ?[^\n]*\n/.test(head) && /(?:^|\n)data:/.test(head)) {
    return 'The body is a server-sent event ("data:" before the JSON): send only the JSON object'
  }
  const address = /^(?:s3|file|fileb|gs|https?|arn):\S{1,1000}$/.exec(head.trim())
  if (address)
    return `The body is an address (${quote(address[0])}), not what is there: send the order itself as a JSON object`
  if (/^-----BEGIN /.test(head)) return 'The body is PEM data (encrypted or signed): send the order as a JSON object'
  return undefined
}

/** Recognizes notations of several lines or fields. */
function lines(head: string): string | undefined {
  if (/^[[{"']/.test(head)) return undefined
  const all = head.split(/\r?\n/, 20).filter((line) => line.trim() !== '')
  const [first = '', second] = all
  if (
    /^(?:---|%YAML)/.test(first) ||
    (all.length > 1 && all.every((line) => /^\s*(?:- |#|[\w"'-]{1,80}:(?:\s|$)|- *$)/.test(line)))
  ) {
    return 'The body looks like YAML: send the order as a JSON object'
  }
  if (
    all.length > 0 &&
    all.every((line) => /^\s*(?:[#;]|(?:export )?[\w.-]{1,80}\s?=)/.test(line)) &&
    first.includes('=') &&
    !first.includes('{')
  ) {
    return 'The body holds name=value lines: send the fields as a JSON object'
  }
  if (/^[A-Za-z_]\w{0,60}: ?[^\s{[]/.test(first) && first.includes(',')) {
    return 'The body holds names and values without braces and quotes: send the fields as a JSON object'
  }
  const separator = [',', ';', '\t', '|'].find((mark) => cells(first, mark) > 2)
  if (separator === undefined || /[{}]/.test(first)) return undefined
  if (second !== undefined && cells(second, separator) !== cells(first, separator)) return undefined
  const mark = { ',': 'comma', ';': 'semicolon', '\t': 'tab', '|': 'bar' }[separator]
  return `The body looks like CSV (${cells(first, separator)} fields with a ${mark} between): send each order as a JSON object`
}

const cells = (line: string, separator: string): number => line.split(separator, 1_000).length

function plain(head: string): string | undefined {
  if (!/^[\p{L}_][\p{L}\p{N}\s.,:!?'_-]{0,2000}$/u.test(head) || head.includes('{')) return undefined
  const word = head.trim()
  if (words.has(word)) return undefined
  return `The body is plain text (${quote(word)}), not JSON: send one order as a JSON object`
}

/** Words that the syntax hint explains better. */
const words: ReadonlySet<string> = new Set([
  'None',
  'True',
  'False',
  'undefined',
  'nil',
  'NaN',
  'Infinity',
  'NULL',
  'Null',
])
