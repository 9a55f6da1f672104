import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { describe, expect, test } from 'vitest'

/** Path from the root of the repository → text. */
type Sources = Readonly<Record<string, string>>

const root = new URL('../../', import.meta.url)

function readSources(): Sources {
  const paths = readdirSync(new URL('src', root), { recursive: true, encoding: 'utf8' })
  const sources = paths.map((path) => `src/${path.replaceAll('\\', '/')}`).filter((path) => /\.(ts|lua)$/.test(path))
  return Object.fromEntries(sources.map((path) => [path, readFileSync(new URL(path, root), 'utf8')]))
}

function dependencies(): string[] {
  return Object.keys(JSON.parse(readFileSync(new URL('package.json', root), 'utf8')).dependencies)
}

test('src keeps the house rules', () => {
  const sources = readSources()
  expect(Object.keys(sources)).toEqual(
    expect.arrayContaining(['src/keys.ts', 'src/stages/commit.lua', 'src/ops/cli.ts']),
  )
  expect(violations(sources, dependencies())).toEqual([])
})

/** Every breach of the house rules, one line each. */
function violations(sources: Sources, packages: readonly string[]): string[] {
  const prefixes = keyPrefixes(sources['src/keys.ts'] ?? '')
  const files = Object.entries(sources).filter(([path]) => path.endsWith('.ts'))
  return [
    ...files.flatMap(([path, text]) => wording(path, text).map((told) => `${path}: ${told}`)),
    ...files.flatMap(([path, text]) => badImports(path, text, packages).map((told) => `${path}: ${told}`)),
    ...files.flatMap(([path, text]) =>
      strayKeys(path, text, prefixes).map((told) => `${path}: spells the key ${told}`),
    ),
    ...cycles(files),
    ...scripts(sources),
  ]
}

type Place = 'text' | 'code' | 'bare'

/** What a file must not say: where (its text, its code, its code without strings), what, and which file may. */
const forbidden: readonly (readonly [told: string, where: Place, what: RegExp, allowed?: string])[] = [
  ['reads process.env', 'bare', /\bprocess\s*(\?\.)?\s*(\.\s*env\b|\[)/, 'src/config.ts'],
  ['imports process.env', 'code', /\{[^}]*\benv\b[^}]*\}\s*from\s*['"](node:)?process/],
  ['has a class', 'bare', /\bclass\b(?!\s+OrdersError\b)\s*[\w{]/],
  ['has the class OrdersError', 'bare', /\bclass\s+OrdersError\b/, 'src/errors.ts'],
  ['has a default export', 'bare', /\bexport\s+default\b|\bas\s+default\b/],
  ['writes to the console', 'bare', /\bconsole\s*(\?\.|\.|\[)/],
  ['says any', 'bare', /(?<![.\w])any\b(?!\s*[(:])/],
  ['silences a checker', 'text', /@ts-(ignore|expect-error|nocheck)|biome-ignore/],
  ['has a TODO', 'text', /\b(TODO|FIXME)\b/],
  ['is a barrel', 'bare', /\bexport\s+(type\s+)?(\*|\{[^}]*\}\s*from\b)/],
]

function wording(path: string, text: string): string[] {
  const places = { text, code: strip(text, 'comments'), bare: strip(text, 'comments and strings') }
  const breaches = forbidden.filter(([, where, what, allowed]) => path !== allowed && what.test(places[where]))
  const place = [
    ...(posix.basename(path) === 'index.ts' ? ['is an index'] : []),
    ...(layerOf(path) in below ? [] : ['is in no layer']),
  ]
  return [...breaches.map(([told]) => told), ...place]
}

/** What is not plain code, whichever comes first; a template holds expressions, and in these at most one template more. */
const expression = /\$\{(?:[^`{}]|\{[^{}]*\}|`(?:[^`\\]|\\[\s\S])*`)*\}/
const token = new RegExp(
  [
    /(?<comment>\/\*[\s\S]*?\*\/|\/\/.*)/,
    /(?<quoted>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")/,
    new RegExp(`(?<template>\`(?:[^\`\\\\$]|\\\\[\\s\\S]|\\$(?!\\{)|${expression.source})*\`)`),
    /(?<regexp>(?<=(?:[(,=:[!&|?{};>]|\breturn)\s*)\/(?![*/])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*)/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
)
const expressionsOf = (template: string): string =>
  [...template.matchAll(new RegExp(expression, 'g'))].map(([found]) => found.slice(2, -1)).join(',')

function strip(text: string, what: 'comments' | 'comments and strings'): string {
  return text.replace(token, (...match) => {
    const { comment, template } = match.at(-1) as Record<string, string | undefined>
    if (comment !== undefined) return ' '
    if (what === 'comments') return match[0]
    return template === undefined ? "''" : `[${strip(expressionsOf(template), what)}]`
  })
}

/** Quoted strings and templates, those within templates too. */
function literals(text: string): string[] {
  return [...text.matchAll(token)].flatMap(({ groups }) => {
    const { quoted, template } = groups ?? {}
    if (template !== undefined) return [template, ...literals(expressionsOf(template))]
    return quoted ?? []
  })
}

/** Layers, each above those it may import from. */
const below: Readonly<Record<string, readonly string[]>> = {
  ops: ['api', 'stages', 'ingest', ''],
  api: ['stages', 'ingest', ''],
  stages: [''],
  ingest: [''],
  '': [],
}
const layerOf = (path: string): string => path.split('/').slice(1, -1)[0] ?? ''

interface Import {
  readonly from: string
  readonly dynamic: boolean
}

function importsOf(text: string): Import[] {
  const found = strip(text, 'comments').matchAll(
    /\b(?:from|import)\s*['"](?<from>[^'"]+)['"]|\b(?:import|require|(?:\)|meta)\.resolve)\s*\(\s*['"`](?<dynamic>[^'"`]+)['"`]/g,
  )
  return [...found].map(({ groups }) => ({
    from: groups?.['from'] ?? groups?.['dynamic'] ?? '',
    dynamic: groups?.['from'] === undefined,
  }))
}

/** Development packages that stand in for servers, and the one file that may load them, when it needs them. */
const standIns = ['fauxqs', 'js-redis-server']
const standInLoader = 'src/ops/local.ts'

function badImports(path: string, text: string, packages: readonly string[]): string[] {
  return importsOf(text).flatMap(({ from, dynamic }) => {
    if (from.startsWith('node:')) return []
    if (from.startsWith('.')) {
      const [here, there] = [layerOf(path), layerOf(posix.join(posix.dirname(path), from))]
      return here === there || (below[here]?.includes(there) ?? true) ? [] : [`imports ${from}, which is not below it`]
    }
    const name = from.split('/', from.startsWith('@') ? 2 : 1).join('/')
    const allowed = packages.includes(name) || (dynamic && path === standInLoader && standIns.includes(name))
    return allowed ? [] : [`imports ${name}, which is not in dependencies`]
  })
}

/** What the names in keys.ts begin with, up to the first colon; a hash tag may stand before. */
function keyPrefixes(text: string): string[] {
  const name = /^.(?:\$\{tag\})?(\{\w+\}|[a-z_]+:(?! )|[a-z]+_[a-z_]+)/
  return [...new Set(literals(text).flatMap((literal) => name.exec(literal)?.[1] ?? []))]
}

function strayKeys(path: string, text: string, prefixes: readonly string[]): string[] {
  if (path === 'src/keys.ts') return []
  const start = (literal: string): string => literal.slice(1).replace(/^\$\{[^}]*\}/, '')
  return literals(text).filter((literal) => prefixes.some((prefix) => start(literal).startsWith(prefix)))
}

function cycles(files: readonly (readonly [string, string])[]): string[] {
  const edges = new Map(
    files.map(([path, text]) => {
      const relative = importsOf(text).filter(({ from }) => from.startsWith('.'))
      return [path, relative.map(({ from }) => posix.join(posix.dirname(path), from))]
    }),
  )
  const found: string[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at >= 0) found.push(`a cycle: ${[...trail.slice(at), path].join(' → ')}`)
    if (at >= 0 || done.has(path)) return
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of edges.keys()) visit(path, [])
  return found
}

/** A script has one wrapper of the same name, which loads it, and nobody else does. */
function scripts(sources: Sources): string[] {
  const wrapperOf = (path: string): string => path.replace(/\.lua$/, '.ts')
  const loads = (path: string): boolean => /\bloadScript\(import\.meta\.url\)/.test(sources[path] ?? '')
  return Object.entries(sources).flatMap(([path, text]) => {
    if (path.endsWith('.lua'))
      return loads(wrapperOf(path)) ? [] : [`${path}: has no ${posix.basename(wrapperOf(path))} that loads it`]
    if (path === 'src/script.ts') return []
    const others =
      literals(text).some((literal) => /\.lua['"`]$/.test(literal)) ||
      /\bloadScript\((?!import\.meta\.url\))/.test(text)
    const told = others ? [`${path}: reads a script that is not its own`] : []
    return loads(path) && !(path.replace(/\.ts$/, '.lua') in sources)
      ? [...told, `${path}: has no script beside it`]
      : told
  })
}

describe('the check of the house rules', () => {
  const house: Sources = {
    'src/keys.ts': `export const keys = (tag = '') => [\`\${tag}orders:raw\`, \`\${tag}invalid_orders\`, '{jobs}', 'user:']`,
    'src/errors.ts': 'export class OrdersError extends Error {}',
    'src/config.ts': 'export const env = process.env',
    'src/script.ts': "export const loadScript = (url: string) => url.replace(/\\.ts$/, '.lua')",
    'src/stages/a.ts': "import { z } from 'zod'\nimport { keys } from '../keys.ts'\nexport const a = [z, keys]",
    'src/ingest/b.ts': "import { S } from '@aws-sdk/client-sqs'\nexport const b = S",
    'src/api/routes/c.ts':
      "import { a } from '../../stages/a.ts'\nimport { b } from '../../ingest/b.ts'\nexport { a, b }",
    'src/ops/local.ts':
      "import { b } from '../api/routes/c.ts'\nawait import('fauxqs')\nawait import('js-redis-server')",
    'src/stages/d.lua': "return redis.call('XLEN', KEYS[1])",
    'src/stages/d.ts': "import { loadScript } from '../script.ts'\nexport const d = loadScript(import.meta.url)",
  }
  const packages = ['zod', '@aws-sdk/client-sqs']
  const withFile = (path: string, text: string): string[] => violations({ ...house, [path]: text }, packages)

  test('has nothing against a good house', () => {
    expect(violations(house, packages)).toEqual([])
  })

  test.each([
    ['a line of comment', "// process.env console.log('x') any class Foo 'orders:raw' import x from '../ops/local.ts'"],
    ['a comment', "/** export default any\n * export * from './a.ts' 'user:' it's\n */"],
    ['text', "f('process.env, class Foo, export default, console.log, any: see `orders:raw` and user:1')"],
    ['a template', `g(\`<p class="any">console.log \${x ? \`any \${x}\` : ''} // orders: user:</p>\`)`],
    ['a regular expression', "const quote = /['`]\\/\\/[^/'] any/.test('a') || /class Foo {/"],
    ['names', "const y = { any: 1, class: 2, company: Promise.any([]), orders: 'orders', default: 'user' }"],
    ['its own folder', "import { d } from './d.ts'\nimport type { A } from './a.ts'"],
    ['what Node brings', "import fs from 'node:fs'\nimport { argv } from 'node:process'"],
    ['exports of its own', 'const a = 1\nexport { a }\nexport type { B }\nexport const from = 2'],
  ])('has nothing against %s', (_, text) => {
    expect(withFile('src/stages/x.ts', text)).toEqual([])
  })

  const c = '../api/routes/c.ts'
  test.each([
    ['from a stage to the API', 'src/stages/x.ts', `import { c } from '${c}'`, c],
    ['from the vocabulary', 'src/x.ts', "import type { A } from './stages/a.ts'", './stages/a.ts'],
    ['for its effect', 'src/api/x.ts', "import '../ops/local.ts'", '../ops/local.ts'],
    ['when needed', 'src/api/x.ts', "const x = await import('../ops/local.ts')", '../ops/local.ts'],
    ['sideways', 'src/stages/x.ts', "import {\n  b,\n} from '../ingest/b.ts'", '../ingest/b.ts'],
    ['sideways the other way', 'src/ingest/x.ts', 'import { a } from "../stages/a.ts"', '../stages/a.ts'],
  ])('finds an import that does not go down: %s', (_, path, text, imported) => {
    expect(withFile(path, text)).toEqual([`${path}: imports ${imported}, which is not below it`])
  })

  test.each([
    ['of all', "export * from './a.ts'"],
    ['of all under a name', "export * as a from './a.ts'"],
    ['of some', "export {\n  a,\n} from './a.ts'"],
    ['of types', "export type { A } from './a.ts'"],
  ])('finds a barrel %s', (_, text) => {
    expect(withFile('src/stages/x.ts', text)).toEqual(['src/stages/x.ts: is a barrel'])
  })

  test('finds an index, and a folder without a layer', () => {
    expect(withFile('src/api/routes/index.ts', '')).toEqual(['src/api/routes/index.ts: is an index'])
    expect(withFile('src/util/x.ts', "import '../keys.ts'")).toEqual(['src/util/x.ts: is in no layer'])
  })

  test.each([
    ["redis.get('orders:raw')", "'orders:raw'"],
    ['redis.get("orders:" + name)', '"orders:"'],
    ["redis.get('invalid_orders')", "'invalid_orders'"],
    ["const prefix = '{jobs}'", "'{jobs}'"],
    [`redis.get(\`user:\${id}\`)`, `\`user:\${id}\``],
    [`redis.get(\`\${tag}orders:raw\`)`, `\`\${tag}orders:raw\``],
    [`print(\`\${await redis.get('user:1')} orders\`)`, "'user:1'"],
    ["/'/.test(x) // it's\nredis.get('user:1')", "'user:1'"],
  ])('finds a Redis key: %s', (text, key) => {
    expect(withFile('src/ops/x.ts', text)).toEqual([`src/ops/x.ts: spells the key ${key}`])
  })

  test.each([
    ['const port = process.env.PORT', 'reads process.env'],
    [`const url = \`http://\${process.env.HOST}/\``, 'reads process.env'],
    ["const port = process['env']['PORT']", 'reads process.env'],
    ["import { argv, env } from 'node:process'", 'imports process.env'],
    ['export class Service {}', 'has a class'],
    ['const X = class {}', 'has a class'],
    ['class NotFound extends OrdersError {}', 'has a class'],
    ['class OrdersError extends Error {}', 'has the class OrdersError'],
    ['export default function x() {}', 'has a default export'],
    ['const x = 1\nexport { x as default }', 'has a default export'],
    ["console.log('x')", 'writes to the console'],
    [`\`\${console.error(1)}\``, 'writes to the console'],
    ['function f(x: any) {}', 'says any'],
    ['const x: any[] = []', 'says any'],
    ['const x = y as any', 'says any'],
    ['const x = new Map<string, any>()', 'says any'],
    ['// @ts-ignore\nf()', 'silences a checker'],
    ['// @ts-expect-error\nf()', 'silences a checker'],
    ['// biome-ignore lint: no\nf()', 'silences a checker'],
    ['/** TODO later */', 'has a TODO'],
  ])('finds %j: %s', (text, told) => {
    expect(withFile('src/stages/x.ts', text)).toEqual([`src/stages/x.ts: ${told}`])
  })

  test.each([
    ['a development package', 'src/stages/x.ts', "import fc from 'fast-check'", 'fast-check'],
    ['a path in a package', 'src/stages/x.ts', "import type { X } from '@types/node/x.d.ts'", '@types/node'],
    ['one beside a known one', 'src/ingest/x.ts', "import { S3 } from '@aws-sdk/client-s3'", '@aws-sdk/client-s3'],
    ['a built-in without node:', 'src/stages/x.ts', "import fs from 'fs'", 'fs'],
    ['a resolved one', 'src/api/x.ts', "createRequire(import.meta.url).resolve('left-pad/x.json')", 'left-pad'],
    ['a stand-in loaded elsewhere', 'src/ops/x.ts', "await import('fauxqs')", 'fauxqs'],
    ['a stand-in always loaded', 'src/ops/local.ts', "import { x } from 'js-redis-server'", 'js-redis-server'],
  ])('finds a package that production does not have: %s', (_, path, text, name) => {
    expect(withFile(path, text)).toEqual([`${path}: imports ${name}, which is not in dependencies`])
  })

  test('finds a cycle, of one file, of two, and by way of a type', () => {
    expect(withFile('src/x.ts', "import './x.ts'")).toEqual(['a cycle: src/x.ts → src/x.ts'])
    const two = { 'src/x.ts': "import type { Y } from './y.ts'", 'src/y.ts': "import { x } from './x.ts'" }
    expect(violations({ ...house, ...two }, packages)).toEqual(['a cycle: src/x.ts → src/y.ts → src/x.ts'])
  })

  test('finds a script without a wrapper, with one that does not load it, and a wrapper without a script', () => {
    expect(withFile('src/stages/e.lua', 'return 1')).toEqual(['src/stages/e.lua: has no e.ts that loads it'])
    expect(withFile('src/stages/d.ts', 'export const d = 1')).toEqual(['src/stages/d.lua: has no d.ts that loads it'])
    expect(withFile('src/ops/e.ts', 'loadScript(import.meta.url)')).toEqual(['src/ops/e.ts: has no script beside it'])
  })

  test.each([
    "readFileSync('d.lua')",
    "const path = '../stages/d.lua'",
    "loadScript(new URL('./d.ts', import.meta.url).href)",
  ])('finds a script read by another file: %s', (text) => {
    expect(withFile('src/stages/x.ts', text)).toEqual(['src/stages/x.ts: reads a script that is not its own'])
  })

  test('knows every key that the real keys.ts spells', () => {
    const prefixes = keyPrefixes(readSources()['src/keys.ts'] ?? '')
    const known = ['orders:', 'invalid_orders', 'global:', 'leaderboard:', 'pipeline:', 'user:', 'ledger:']
    expect(prefixes).toEqual(expect.arrayContaining(known))
  })
})
