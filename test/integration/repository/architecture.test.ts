import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { describe, expect, test } from 'vitest'

/** Path from the root of the repository → text. */
type Sources = Readonly<Record<string, string>>

const root = new URL('../../../', import.meta.url)

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
    expect.arrayContaining(['src/keys.ts', 'src/stages/runner/commit.lua', 'src/ops/cli.ts']),
  )
  expect(violations(sources, dependencies())).toEqual([])
})

/** Every breach of the house rules, one line each. */
function violations(sources: Sources, packages: readonly string[]): string[] {
  const prefixes = keyPrefixes(sources)
  const files = Object.entries(sources).filter(([path]) => path.endsWith('.ts'))
  return [
    ...files.flatMap(([path, text]) => wording(path, text).map((reported) => `${path}: ${reported}`)),
    ...files.flatMap(([path, text]) => badImports(path, text, packages).map((reported) => `${path}: ${reported}`)),
    ...files.flatMap(([path, text]) =>
      strayKeys(path, text, prefixes).map((reported) => `${path}: spells the key ${reported}`),
    ),
    ...cycles(files),
    ...scripts(sources),
  ]
}

type Place = 'text' | 'code' | 'bare'

/** Lists what a file must not contain: where (its text, its code, its code without strings), what, and which file may. */
const forbidden: readonly (readonly [reported: string, where: Place, what: RegExp, allowed?: string])[] = [
  ['reads process.env', 'bare', /\bprocess\s*(\?\.)?\s*(\.\s*env\b|\[)/, 'src/config/config.ts'],
  ['imports process.env', 'code', /\{[^}]*\benv\b[^}]*\}\s*from\s*['"](node:)?process/],
  // It also loads Node's WebSocket client: 75 ms of CPU at every start. process.getBuiltinModule does not.
  ['imports values of node:http', 'code', /^import (?!type\b).*from 'node:http'/m],
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
    ...(known.has(layerOf(path)) ? [] : ['is in no layer']),
  ]
  return [...breaches.map(([reported]) => reported), ...place]
}

/** Match what is not plain code, whichever comes first. An expression in a template holds at most one template more. */
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

/** Layers from the top down: each imports from its own and from those below it. `''` is what stands in src itself. */
const layers: readonly (readonly string[])[] = [
  ['ops'],
  ['api'],
  ['reads'],
  ['stages', 'ingest'],
  ['control'],
  ['redis'],
  ['', 'calendar', 'config', 'events', 'keys', 'order', 'tracing'],
]
const known = new Set(layers.flat())
const layerOf = (path: string): string => path.split('/').slice(1, -1)[0] ?? ''
const heightOf = (layer: string): number => layers.findIndex((names) => names.includes(layer))

/** Types of what all parts of a process share. */
const sharedTypes = ['src/redis/client.ts', 'src/stages/placed.ts']

/** Neighbors in one layer do not know each other, but for the vocabulary. */
function mayImport(path: string, imported: string): boolean {
  const [here, there] = [layerOf(path), layerOf(imported)]
  if (here === there) return true
  if (path === 'src/app.ts' && sharedTypes.includes(imported)) return true
  if (heightOf(here) === heightOf(there)) return heightOf(here) === layers.length - 1
  return heightOf(here) < heightOf(there)
}

interface Import {
  readonly from: string
  readonly dynamic: boolean
}

function importsOf(text: string): Import[] {
  const found = strip(text, 'comments').matchAll(
    /(?<!['"])\b(?:from|import)\s*['"](?<from>[^'"]+)['"]|\b(?:import|require|(?:\)|meta)\.resolve)\s*\(\s*['"`](?<dynamic>[^'"`]+)['"`]/g,
  )
  return [...found].map(({ groups }) => ({
    from: groups?.['from'] ?? groups?.['dynamic'] ?? '',
    dynamic: groups?.['from'] === undefined,
  }))
}

/** Development packages that stand in for servers, and the one file that may load them, when it needs them. */
const emulators = ['fauxqs', 'js-redis-server']
const emulatorLoader = 'src/ops/local/emulators.ts'

/**
 * Files that may import the pipeline that is run: where an app is opened, and where a command line is judged or its help is
 * printed before an app is open. All others take it from the app, or as an argument.
 */
const mayImportPipeline = ['src/ops/open/open-app.ts', 'src/ops/process/roles.ts', 'src/ops/process/pause-command.ts']

/** Commands are loaded when they are called; what several of them need is in a file of its own. */
const commands = 'src/ops/commands/'
const commandMap = 'src/ops/cli.ts'

/** A route is known to the servers that serve it. What others share with it lies below. */
const routeServers = ['src/api/server.ts', 'src/api/health.ts']
const isRoute = (path: string): boolean => path.startsWith('src/api/routes/')

function badImports(path: string, text: string, packages: readonly string[]): string[] {
  return importsOf(text).flatMap(({ from, dynamic }) => {
    if (from.startsWith('node:')) return []
    if (from.startsWith('.')) {
      const imported = posix.join(posix.dirname(path), from)
      if (imported.startsWith(commands) && path !== commandMap) return [`imports the command ${from}`]
      if (imported === 'src/stages/pipeline.ts' && !mayImportPipeline.includes(path)) {
        return [`imports ${from}: take the pipeline from the app`]
      }
      if (known.has(layerOf(path)) && !mayImport(path, imported)) return [`imports ${from}, which is not below it`]
      return isRoute(imported) && !isRoute(path) && !routeServers.includes(path) ? [`imports the route ${from}`] : []
    }
    const name = from.split('/', from.startsWith('@') ? 2 : 1).join('/')
    const allowed = packages.includes(name) || (dynamic && path === emulatorLoader && emulators.includes(name))
    return allowed ? [] : [`imports ${name}, which is not in dependencies`]
  })
}

const declaresKeys = (path: string): boolean => path === 'src/keys.ts' || path.startsWith('src/keys/')

/** Returns what the declared names begin with, up to the first colon. A hash tag may precede it. */
function keyPrefixes(sources: Sources): string[] {
  const name = /^.(?:\$\{tag\})?(\{\w+\}|[a-z_]+:(?! )|[a-z]+_[a-z_]+)/
  const declared = Object.entries(sources).filter(([path]) => declaresKeys(path))
  const spelled = declared.flatMap(([, text]) => literals(text))
  return [...new Set(spelled.flatMap((literal) => name.exec(literal)?.[1] ?? []))]
}

function strayKeys(path: string, text: string, prefixes: readonly string[]): string[] {
  if (declaresKeys(path)) return []
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

/** A script has one wrapper of the same name, which declares it and its reply, and no other file does; or scripts include it. */
function scripts(sources: Sources): string[] {
  const wrapperOf = (path: string): string => path.replace(/\.lua$/, '.ts')
  const loads = (path: string): boolean => /\bdefineScript\(\s*import\.meta\.url,/.test(sources[path] ?? '')
  const included = Object.entries(sources).flatMap(([path, text]) =>
    [...text.matchAll(/^-- include (\S+)$/gm)].map(([, file = '']) => posix.join(posix.dirname(path), file)),
  )
  return Object.entries(sources).flatMap(([path, text]) => {
    if (path.endsWith('.lua'))
      return loads(wrapperOf(path)) || included.includes(path)
        ? []
        : [`${path}: has no ${posix.basename(wrapperOf(path))} that loads it`]
    if (path === 'src/redis/script.ts') return []
    const others =
      literals(text).some((literal) => /\.lua['"`]$/.test(literal)) ||
      /\b(loadScript\(|runScript\(|defineScript\((?!\s*import\.meta\.url\b))/.test(text)
    const reported = others ? [`${path}: reads a script that is not its own`] : []
    return loads(path) && !(path.replace(/\.ts$/, '.lua') in sources)
      ? [...reported, `${path}: has no script next to it`]
      : reported
  })
}

describe('the check of the house rules', () => {
  const house: Sources = {
    'src/keys.ts': `export const keys = (tag = '') => [\`\${tag}orders:raw\`, '{jobs}', 'user:']`,
    'src/keys/whole-keys.ts': "export const invalid = { name: 'invalid_orders' }",
    'src/errors.ts': 'export class OrdersError extends Error {}',
    'src/config/config.ts': 'export const env = process.env',
    'src/redis/script.ts': "export const defineScript = (url: string) => url.replace(/\\.ts$/, '.lua')",
    'src/stages/a.ts': "import { z } from 'zod'\nimport { keys } from '../keys.ts'\nexport const a = [z, keys]",
    'src/ingest/b.ts': "import { S } from '@aws-sdk/client-sqs'\nexport const b = S",
    'src/api/server.ts': "import { c } from './routes/c.ts'\nexport const server = c",
    'src/api/routes/c.ts': 'export const c = 1',
    'src/api/http/c.ts':
      "import { a } from '../../stages/a.ts'\nimport { b } from '../../ingest/b.ts'\nexport { a, b }",
    'src/ops/local/emulators.ts':
      "import { b } from '../../api/http/c.ts'\nawait import('fauxqs')\nawait import('js-redis-server')",
    'src/stages/d.lua': "return redis.call('XLEN', KEYS[1])",
    'src/stages/d.ts':
      "import { defineScript } from '../redis/script.ts'\nexport const d = defineScript(import.meta.url, z)",
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

  test('finds who imports a route', () => {
    const text = "import { c } from '../../api/routes/c.ts'"
    expect(withFile('src/ops/x/x.ts', text)).toEqual(['src/ops/x/x.ts: imports the route ../../api/routes/c.ts'])
  })

  test('finds a command that another file imports, but for the map of commands', () => {
    const imported = { 'src/ops/commands/inspect/status.ts': 'export const command = 1' }
    const inMap = { ...imported, 'src/ops/cli.ts': "const load = () => import('./commands/inspect/status.ts')" }
    expect(violations({ ...house, ...inMap }, packages)).toEqual([])
    const top = 'src/ops/commands/inspect/top.ts'
    const inCommand = { ...imported, [top]: "import { command } from './status.ts'" }
    expect(violations({ ...house, ...inCommand }, packages)).toEqual([`${top}: imports the command ./status.ts`])
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
  ])('finds %j: %s', (text, reported) => {
    expect(withFile('src/stages/x.ts', text)).toEqual([`src/stages/x.ts: ${reported}`])
  })

  test.each([
    ['a development package', 'src/stages/x.ts', "import fc from 'fast-check'", 'fast-check'],
    ['a path in a package', 'src/stages/x.ts', "import type { X } from '@types/node/x.d.ts'", '@types/node'],
    ['one next to a known one', 'src/ingest/x.ts', "import { S3 } from '@aws-sdk/client-s3'", '@aws-sdk/client-s3'],
    ['a built-in without node:', 'src/stages/x.ts', "import fs from 'fs'", 'fs'],
    ['a resolved one', 'src/api/x.ts', "createRequire(import.meta.url).resolve('left-pad/x.json')", 'left-pad'],
    ['a local emulator loaded elsewhere', 'src/ops/x.ts', "await import('fauxqs')", 'fauxqs'],
    [
      'a local emulator always loaded',
      'src/ops/local/emulators.ts',
      "import { x } from 'js-redis-server'",
      'js-redis-server',
    ],
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
    expect(withFile('src/ops/e.ts', 'defineScript(import.meta.url, z)')).toEqual([
      'src/ops/e.ts: has no script next to it',
    ])
    const both = { 'src/stages/d.lua': '-- include ../e.lua\nreturn e()', 'src/e.lua': 'local function e() end' }
    expect(violations({ ...house, ...both }, packages)).toEqual([])
  })

  test.each([
    "readFileSync('d.lua')",
    "const path = '../stages/d.lua'",
    "defineScript(new URL('./d.ts', import.meta.url).href, z)",
    'loadScript(import.meta.url)',
    'runScript(redis, script, keys, args)',
  ])('finds a script read by another file: %s', (text) => {
    expect(withFile('src/stages/x.ts', text)).toEqual(['src/stages/x.ts: reads a script that is not its own'])
  })

  test('knows every key that is declared', () => {
    const prefixes = keyPrefixes(readSources())
    const known = ['orders:', 'invalid_orders', 'global:', 'leaderboard:', 'pipeline:', 'user:', 'ledger:']
    expect(prefixes).toEqual(expect.arrayContaining(known))
  })
})
