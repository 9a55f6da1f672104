import { quote } from '../quote.ts'
import { eachAlone, orTakeApart } from '../wrapper/envelope.ts'
import { placeIn } from './place.ts'
import { type Scan, scanJson } from './scan.ts'

/** Values are counted up to this number. */
const maxCounted = 1_000

/** Finds several JSON values in one body: one a line, one after the other, or with commas between. */
export function severalHint(body: string, { end, fault }: Scan): string | undefined {
  if (end === undefined || !fault || !/^[[{"]/.test(body.trimStart())) return undefined
  const second = skipComma(body, fault.at)
  if (!/[[{"]/.test(body[second] ?? '')) return undefined
  let count = 1
  let isLines = true
  let hasCommas = false
  let from: number | undefined = fault.at
  while (from !== undefined && count < maxCounted) {
    const start: number = skipComma(body, from)
    if (start > from) hasCommas = true
    if (!isAtLineStart(body, start)) isLines = false
    if (start >= body.length) break
    const next: Scan = scanJson(body, start)
    if (next.fault && next.end === undefined) {
      return `A second JSON value begins at ${placeIn(body, second)} and cannot be read to its end: send one order as the whole body`
    }
    count++
    from = next.fault?.at
  }
  const how = hasCommas ? 'with commas between' : isLines ? 'one a line (NDJSON)' : 'one behind the other'
  const many = count === maxCounted ? `${count} or more` : `${count}`
  return `The body holds ${many} JSON values, ${how}, the second at ${placeIn(body, second)}: ${hasCommas ? eachAlone : orTakeApart}`
}

/** Finds text before or around JSON, such as the prefix of a log line or a call. */
export function surroundedHint(body: string): string | undefined {
  const head = body.slice(0, maxPrefix)
  const at = head.search(/[[{]/)
  if (at < 1 || head.slice(0, at).trim() === '') return undefined
  const scan = scanJson(body, at)
  const rest = body.slice(scan.fault?.at ?? body.length)
  const isWhole = scan.fault === undefined || (scan.end !== undefined && rest.length <= maxPrefix)
  if (!isWhole || scan.end === undefined || body[at] === '[') return undefined
  const after = rest.trim() === '' ? '' : ` and ${quote(rest.trim())} after it`
  return `${quote(head.slice(0, at))} stands before the JSON object, which begins at ${placeIn(body, at)}${after}: send the object alone`
}

/** The prefix of a log line is shorter than 300 characters. */
const maxPrefix = 300

function skipComma(body: string, at: number): number {
  return body[at] === ',' || body[at] === '\u001e'
    ? at + 1 + (/^\s*/.exec(body.slice(at + 1, at + 100))?.[0].length ?? 0)
    : at
}

function isAtLineStart(body: string, at: number): boolean {
  let before = at - 1
  while (body[before] === ' ' || body[before] === '\t') before--
  return body[before] === '\n' || body[before] === '\r'
}
