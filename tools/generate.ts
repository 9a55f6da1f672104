import { readFileSync, writeFileSync } from 'node:fs'
import { openApiDocument, sharedErrors } from '../src/api/http/openapi.ts'
import { metricsTable } from '../src/api/metrics/metrics.ts'
import { routes } from '../src/api/server.ts'
import { commonTable, configTables } from '../src/config/table.ts'
import type { Variable } from '../src/config/variable.ts'
import { variables } from '../src/config/variables.ts'
import { keyPatterns, keyTable } from '../src/keys.ts'
import { loadCommands } from '../src/ops/cli.ts'
import { aclLines, newerAclLines } from '../src/ops/rights/acl.ts'
import { pipeline } from '../src/stages/pipeline.ts'
import { matrixTable } from '../test/chaos/matrix.ts'
import { dashboardJson } from './grafana.ts'
import { callRows, commandsText, errorsText, eventRows, exitCodeRows, rejectionRows, routesText } from './reference.ts'

const metricsHead = ['metric', 'type', 'labels', 'served by', 'comes from', 'meaning']

/** Returns the text of every file that has generated sections. `npm run docs` writes it, a test compares. */
export function generated(): Map<string, string> {
  return new Map([
    ['docs/guarantees.md', section(read('docs/guarantees.md'), 'matrix', matrixTable())],
    ...Object.entries(reference).map(([name, sections]) => referencePage(name, sections)),
    ['docs/redis-rights.md', redisRights()],
    ['deploy/grafana/orders.json', dashboardJson()],
    ['.env.example', envExample()],
    ['docs/openapi.json', `${JSON.stringify(openApiDocument(routes), null, 2)}\n`],
  ])
}

/** The generated sections of each page in docs/reference, by the name of their markers. */
const reference: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  commands: {
    'exit-codes': table(['exit code', 'meaning'], exitCodeRows()),
    commands: commandsText(await loadCommands()),
  },
  configuration: { start: commonTable(), variables: configTables() },
  errors: { errors: errorsText(), rejections: table(['code', 'reason'], rejectionRows()) },
  events: { events: table(['event', 'level', 'meaning', 'fields'], eventRows(read('src/events/fields.ts'))) },
  http: {
    calls: table(['call', 'right', 'reply'], callRows(routes)),
    'shared-errors': table(['status', 'cause'], sharedErrors),
    routes: routesText(openApiDocument(routes)),
  },
  keys: { keys: table(['key', 'type', 'holds'], keyTable) },
  metrics: { metrics: table(metricsHead, metricsTable(pipeline)) },
}

function referencePage(name: string, sections: Readonly<Record<string, string>>): [file: string, text: string] {
  const file = `docs/reference/${name}.md`
  const page = Object.entries(sections).reduce((text, [marker, content]) => section(text, marker, content), read(file))
  return [file, page]
}

function redisRights(): string {
  const lines = aclLines({ cluster: false, partitioned: false })
  const keys = keyPatterns(true).map((pattern) => `~${pattern}`)
  let page = section(read('docs/redis-rights.md'), 'acl', fenced(lines))
  page = section(page, 'newer-acl', fenced(newerAclLines()))
  return section(page, 'partitioned-keys', fenced([keys.join(' ')]))
}

const fenced = (lines: readonly string[]): string => ['```', ...lines, '```'].join('\n')

export function read(file: string): string {
  return readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
}

function section(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from === -1 || to === -1) throw new Error(`There is no section ${begin} … ${end}`)
  return `${text.slice(0, from + begin.length)}\n${content}\n${text.slice(to)}`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

/** Links of the pages become paths from the folder of the file. */
const aboutFromRoot = (about: string): string => about.replaceAll(/\[[^\]]+\]\(\.\.\/([^)]+)\)/g, 'docs/$1')

function envExample(): string {
  const blocks = Object.values<Variable>(variables).map(({ name, unit, about, unset, schema }) => {
    const fallback = unset === undefined ? schema.parse(undefined) : ''
    return `# ${aboutFromRoot(about)} [${unit}]${unset ? ` Unset: ${unset}.` : ''}\n#${name}=${fallback}\n`
  })
  return [
    '# Copy to .env and take the # away from what you set. The real environment wins; empty is unset.\n',
    ...blocks,
  ].join('\n')
}

if (import.meta.main) {
  for (const [file, text] of generated()) writeFileSync(new URL(`../${file}`, import.meta.url), text)
}
