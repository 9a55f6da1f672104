import { parseAst } from 'vitest/node'
import type { Edit } from './change.ts'

/** A node of the syntax tree, as ESTree has it. */
export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && 'type' in value
const nodesIn = (value: unknown): Node[] => (Array.isArray(value) ? value : [value]).filter(isNode)

/** Every change of a TypeScript file that stays on one line. */
export function typescriptEdits(text: string): Edit[] {
  const edits: Edit[] = []
  walk(parse(text), undefined, (node, parent) => {
    const make = mutators[node.type]
    if (make) edits.push(...make(node, text, parent))
  })
  return edits.filter(({ start, end, to }) => !text.slice(start, end).includes('\n') && text.slice(start, end) !== to)
}

export const parse = (text: string): Node => parseAst(text, { lang: 'ts' }) as unknown as Node

/** Walks what runs: types and imports are skipped. */
export function walk(node: Node, parent: Node | undefined, see: (node: Node, parent: Node | undefined) => void): void {
  if (node.type.startsWith('TS') && !transparent.has(node.type)) return
  if (/^(Import|ExportAll)/.test(node.type) && node.type !== 'ImportExpression') return
  see(node, parent)
  for (const [field, value] of Object.entries(node)) {
    if (field !== 'typeAnnotation' && field !== 'returnType') for (const child of nodesIn(value)) walk(child, node, see)
  }
}
const transparent = new Set(['TSAsExpression', 'TSSatisfiesExpression', 'TSNonNullExpression'])

type Mutator = (node: Node, text: string, parent: Node | undefined) => Edit[]

/** Maps an operator to its replacement. `+` of texts is left alone. */
const operators: Readonly<Record<string, string>> = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
  '<<': '>>',
  '>>': '<<',
  '&': '|',
  '&&': '||',
  '||': '&&',
}

const methods = new Map([
  ['some', 'every'],
  ['every', 'some'],
  ['min', 'max'],
  ['max', 'min'],
  ['floor', 'ceil'],
  ['ceil', 'floor'],
  ['startsWith', 'endsWith'],
  ['endsWith', 'startsWith'],
  ['shift', 'pop'],
  ['push', 'unshift'],
  ['find', 'findLast'],
  ['all', 'race'],
  ['reverse', 'slice'],
  ['toReversed', 'slice'],
  ['toSorted', 'slice'],
  ['indexOf', 'lastIndexOf'],
])

const mutators: Readonly<Record<string, Mutator>> = {
  BinaryExpression: (node, text) => (isText(node.left) || isText(node.right) ? [] : swapOperator(node, text)),
  LogicalExpression: (node, text) => (node['operator'] === '??' ? dropDefault(node, text) : swapOperator(node, text)),
  AssignmentExpression: (node, text) => (/^[+-]=$/.test(String(node['operator'])) ? swapOperator(node, text) : []),
  UnaryExpression: (node, text) =>
    node['operator'] === '!' && isNode(node['argument'])
      ? [edit(node, text.slice(node['argument'].start, node['argument'].end), 'negation')]
      : [],
  UpdateExpression: ({ start, end, operator, prefix }) => {
    const at = prefix ? start : end - 2
    return [{ start: at, end: at + 2, to: operator === '++' ? '--' : '++', kind: 'arithmetic' }]
  },
  IfStatement: (node, text) => [...negated(node, text), ...withoutReturn(node)],
  ConditionalExpression: (node, text) => negated(node, text),
  WhileStatement: (node, text) => negated(node, text),
  Literal: literal,
  ExpressionStatement: (node, _, parent) =>
    nodesIn(node['expression']).some(({ type }) => dropped.has(type)) && parent?.type !== 'Program'
      ? [edit(node, '{}', 'dropped statement')]
      : [],
  CallExpression: (node, text) => [...swappedArguments(node, text), ...otherMethod(node)],
  ArrayExpression: (node) => (nodesIn(node['elements']).length > 0 ? [edit(node, '[]', 'emptied array')] : []),
  SpreadElement: (node, _, parent) => [
    edit(node, parent?.type === 'ObjectExpression' ? '...{}' : '...[]', 'dropped spread'),
  ],
}
const dropped = new Set(['CallExpression', 'AwaitExpression', 'AssignmentExpression'])

const edit = ({ start, end }: Node, to: string, kind: string): Edit => ({ start, end, to, kind })

const isText = (value: unknown): boolean =>
  isNode(value) &&
  (value.type === 'TemplateLiteral' || (value.type === 'Literal' && typeof value['value'] === 'string'))

function swapOperator(node: Node, text: string): Edit[] {
  const { left, right } = node
  const operator = String(node['operator'])
  const to = operator === '+=' ? '-=' : operator === '-=' ? '+=' : operators[operator]
  if (!isNode(left) || !isNode(right) || to === undefined) return []
  const start = text.indexOf(operator, left.end)
  if (start === -1 || start >= right.start) return []
  const kind = /^[<>=!]=*$/.test(operator) ? 'comparison' : /^[&|]{2}$/.test(operator) ? 'and, or' : 'arithmetic'
  return [{ start, end: start + operator.length, to, kind }]
}

function dropDefault({ left, right, end }: Node, text: string): Edit[] {
  if (!isNode(left) || !isNode(right)) return []
  // A parenthesis of the left side stands behind its end.
  const start = left.end + text.slice(left.end, right.start).replace(/\s*\?\?[\s(]*$/, '').length
  return [{ start, end, to: '', kind: 'dropped default' }]
}

function negated({ test }: Node, text: string): Edit[] {
  if (!isNode(test)) return []
  return [edit(test, `!(${text.slice(test.start, test.end)})`, 'negated condition')]
}

/** `if (…) return` and `continue`, which leave early. */
function withoutReturn({ consequent }: Node): Edit[] {
  if (!isNode(consequent) || !/^(Return|Continue|Break|Throw)Statement$/.test(consequent.type)) return []
  return [edit(consequent, '{}', 'dropped early return')]
}

function literal(node: Node, text: string, parent: Node | undefined): Edit[] {
  const value = node['value']
  if (typeof value === 'boolean') return [edit(node, String(!value), 'boolean')]
  const raw = text.slice(node.start, node.end)
  if (typeof value === 'bigint') return [edit(node, `${value + 1n}n`, 'constant')]
  if (typeof value === 'number') {
    if (value >= 100 && duration.test(lineAround(text, node.start))) return []
    const next = [value + 1, ...(value >= 1 ? [value - 1] : [])]
    return next.map((number) => edit(node, String(number), 'constant'))
  }
  const isName = typeof value === 'string' && /^[\w:.-]+$/.test(value)
  const isKey = parent?.type === 'Property' && parent['key'] === node
  return isName && !isKey && raw.endsWith("'") ? [edit(node, `${raw.slice(0, -1)}_'`, 'text')] : []
}

/** A millisecond more or less is no other behavior: tests do not measure time. */
const duration = /(?:Ms|Seconds|Minutes)\b/

const lineAround = (text: string, at: number): string =>
  text.slice(text.lastIndexOf('\n', at) + 1, `${text}\n`.indexOf('\n', at))

function swappedArguments({ arguments: given }: Node, text: string): Edit[] {
  const [first, second] = nodesIn(given)
  if (!first || !second || [first, second].some(({ type }) => !swappable.has(type))) return []
  const [one, between, other] = [
    text.slice(first.start, first.end),
    text.slice(first.end, second.start),
    text.slice(second.start, second.end),
  ]
  return [{ start: first.start, end: second.end, to: `${other}${between}${one}`, kind: 'swapped arguments' }]
}
const swappable = new Set(['Identifier', 'MemberExpression', 'Literal', 'CallExpression'])

function otherMethod({ callee }: Node): Edit[] {
  if (!isNode(callee) || callee.type !== 'MemberExpression' || !isNode(callee['property'])) return []
  const { property } = callee
  const to = methods.get(String((property as Node)['name']))
  return to === undefined ? [] : [edit(property as Node, to, 'method')]
}
