import { readFileSync, writeFileSync } from 'node:fs'
import { metricsTable } from '../src/api/metrics/metrics.ts'
import { openApiDocument } from '../src/api/http/openapi.ts'
import { routes } from '../src/api/server.ts'
import { configTable, type Variable, variables } from '../src/config.ts'
import { keyPatterns, keyTable } from '../src/keys.ts'
import { aclLines, newerAclLines } from '../src/ops/rights/acl.ts'
import { matrixTable } from '../test/chaos/matrix.ts'
import { dashboardJson } from './grafana.ts'

/** Everything in the documents that code knows better: what each file has to be. `npm run docs` writes it, a test compares. */
export function generated(): Map<string, string> {
  let readme = read('README.md')
  readme = section(readme, 'variables', configTable())
  readme = section(readme, 'keys', table(['key', 'type', 'holds'], keyTable))
  return new Map([
    ['README.md', readme],
    ['docs/guarantees.md', section(read('docs/guarantees.md'), 'matrix', matrixTable())],
    ['docs/reference/metrics.md', section(read('docs/reference/metrics.md'), 'metrics', table(metricsHead, metricsTable()))],
    ['docs/redis-rights.md', redisRights()],
    ['deploy/grafana/orders.json', dashboardJson()],
    ['.env.example', envExample()],
    ['docs/openapi.json', `${JSON.stringify(openApiDocument(routes), null, 2)}\n`],
  ])
}

function redisRights(): string {
  const lines = aclLines({ cluster: false, partitioned: false })
  const keys = keyPatterns(true).map((pattern) => `~${pattern}`)
  let page = section(read('docs/redis-rights.md'), 'acl', fenced(lines))
  page = section(page, 'newer-acl', fenced(newerAclLines()))
  return section(page, 'partitioned-keys', fenced([keys.join(' ')]))
}

const fenced = (lines: readonly string[]): string => ['```', ...lines, '```'].join('\n')

const metricsHead = ['metric', 'type', 'labels', 'served by', 'comes from', 'tells']

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

function envExample(): string {
  const blocks = Object.values<Variable>(variables).map(({ name, unit, about, unset, schema }) => {
    const fallback = unset === undefined ? schema.parse(undefined) : ''
    return `# ${about} [${unit}]${unset ? ` Unset: ${unset}.` : ''}\n#${name}=${fallback}\n`
  })
  return [
    '# Copy to .env and take the # away from what you set. The real environment wins; empty is unset.\n',
    ...blocks,
  ].join('\n')
}

if (import.meta.main) {
  for (const [file, text] of generated()) writeFileSync(new URL(`../${file}`, import.meta.url), text)
}
