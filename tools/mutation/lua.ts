import type { Edit } from './change.ts'

interface Token {
  readonly kind: 'comment' | 'text' | 'number' | 'name' | 'operator'
  readonly text: string
  readonly start: number
  readonly end: number
}

const pattern = new RegExp(
  [
    /(?<comment>--\[\[[\s\S]*?\]\]|--.*)/,
    /(?<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|\[\[[\s\S]*?\]\])/,
    /(?<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/,
    /(?<name>[A-Za-z_]\w*)/,
    /(?<operator>\.\.\.?|[<>=~]=|[-+*/%^#<>=(){}[\];:,.])/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
)

/** Maps a token to its replacement. */
const swaps: Readonly<Record<string, readonly [to: string, kind: string]>> = {
  '<': ['<=', 'comparison'],
  '<=': ['<', 'comparison'],
  '>': ['>=', 'comparison'],
  '>=': ['>', 'comparison'],
  '==': ['~=', 'comparison'],
  '~=': ['==', 'comparison'],
  '+': ['-', 'arithmetic'],
  '*': ['/', 'arithmetic'],
  '%': ['*', 'arithmetic'],
  and: ['or', 'and, or'],
  or: ['and', 'and, or'],
  not: ['', 'negation'],
  true: ['false', 'boolean'],
  false: ['true', 'boolean'],
  pairs: ['ipairs', 'method'],
  min: ['max', 'method'],
  max: ['min', 'method'],
  floor: ['ceil', 'method'],
}

/** Every change of a Lua script that stays on one line and still compiles. */
export function luaEdits(text: string): Edit[] {
  const tokens = tokensOf(text).filter(({ kind }) => kind !== 'comment')
  return [...tokens.flatMap((token, at) => tokenEdits(token, tokens[at - 1], tokens[at - 2])), ...lineEdits(text)]
}

function tokensOf(text: string): Token[] {
  return [...text.matchAll(pattern)].flatMap(({ groups = {}, index }) => {
    const [kind, found] = Object.entries(groups).find(([, value]) => value !== undefined) ?? []
    if (kind === undefined || found === undefined) return []
    return { kind: kind as Token['kind'], text: found, start: index, end: index + found.length }
  })
}

function tokenEdits(token: Token, previous: Token | undefined, beforeThat: Token | undefined): Edit[] {
  const { start, end, kind, text } = token
  const edit = (to: string, what: string): Edit => ({ start, end, to, kind: what })
  if (kind === 'number') {
    const value = Number(text)
    if (!Number.isInteger(value)) return []
    return [value + 1, ...(value >= 1 ? [value - 1] : [])].map((next) => edit(String(next), 'constant'))
  }
  // The first text of a call is the command: another one fails at once, and says nothing about the tests.
  if (kind === 'text') return isCommand(previous, beforeThat) ? [] : textEdit(token)
  const swap = Object.hasOwn(swaps, text) ? swaps[text] : undefined
  if (swap) return [edit(...swap)]
  const isBinary = previous !== undefined && (previous.kind !== 'operator' || /^[)\]}]$/.test(previous.text))
  return text === '-' && isBinary && !keywords.has(previous.text) ? [edit('+', 'arithmetic')] : []
}
const keywords = new Set(['return', 'and', 'or', 'not', 'then', 'else', 'if', 'while', 'in'])

const isCommand = (previous: Token | undefined, beforeThat: Token | undefined): boolean =>
  previous?.text === '(' && /^p?call$/.test(beforeThat?.text ?? '')

function textEdit({ start, end, text }: Token): Edit[] {
  if (!/^'[\w:.-]+'$/.test(text)) return []
  const value = text.slice(1, -1)
  const to = /^\d+$/.test(value) ? `'${Number(value) + 1}'` : `'${value}_'`
  return [{ start, end, to, kind: 'text' }]
}

/** Whole statements: a call of Redis, an assignment, an early return; and negated conditions. */
function lineEdits(text: string): Edit[] {
  return [...text.matchAll(/^([ \t]*)(\S.*)$/gm)].flatMap(({ 1: indent = '', 2: all = '', index }) => {
    const start = index + indent.length
    const code = all.replace(/\s*--.*$/, '')
    const whole = { start, end: start + code.length, to: '' }
    if (code.startsWith('--') || !isBalanced(code)) return []
    if (/^(redis\.)?p?call\(/.test(code)) return [{ ...whole, kind: 'dropped statement' }]
    if (/^[\w.]+(\[[^=]*\])?(, [\w.]+)* = \S/.test(code)) return [{ ...whole, kind: 'dropped statement' }]
    if (/^return\b/.test(code) && indent.length > 0) return [{ ...whole, kind: 'dropped early return' }]
    return conditionEdits(code, start)
  })
}

/** False for a statement that goes on in the next line. */
const isBalanced = (code: string): boolean => {
  const count = (what: RegExp): number => code.match(what)?.length ?? 0
  return count(/[({[]/g) === count(/[)}\]]/g) && !/(=|,|\band|\bor|\.\.|[-+*/])$/.test(code)
}

function conditionEdits(code: string, start: number): Edit[] {
  const found = /^(?:else)?if (.*?) then\b/.exec(code)
  const condition = found?.[1]
  if (condition === undefined) return []
  const from = start + code.indexOf(condition)
  const negated: Edit = {
    start: from,
    end: from + condition.length,
    to: `not (${condition})`,
    kind: 'negated condition',
  }
  const body = /^if .*? then (return\b.*|redis\.call\(.*\)|call\(.*\)|[\w.]+ = .*?) end$/.exec(code)?.[1]
  if (body === undefined || / else(if)? /.test(body)) return [negated]
  const at = start + code.lastIndexOf(body)
  return [negated, { start: at, end: at + body.length, to: '', kind: 'dropped statement' }]
}
