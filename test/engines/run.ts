import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { engines, newestEngines, versionOf } from '../support/debian/engines.ts'
import { root } from '../support/markdown.ts'
import { nearestSuites, type Outcome, runOn, suites } from './suites.ts'

const usage = `Runs the suites that need a Redis on several engines, and prints a table of how they went.

  --all            every engine, not only the newest Redis and Valkey
  --write          put the table into docs/reference/engines.md; with --all
  --only <name>    this engine; may be given several times
  --nearest        what shows most in little time: the integration tests nearest to Redis, differential, replay, verify
  --workers 4      test files that run at a time`

const { values } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] as string[] },
    nearest: { type: 'boolean', default: false },
    workers: { type: 'string', default: '4' },
    help: { type: 'boolean', default: false },
  },
})
/** Half of what the differential test sends by itself. Of fewer, some kinds of invalid orders may be missing. */
const ordersOfNearest = 800
const page = join(root, 'docs/reference/engines.md')
const out = (text: string): void => void process.stdout.write(`${text}\n`)

if (values.help) out(usage)
else await main()

async function main(): Promise<void> {
  const all = values.all || values.only.length > 0 ? engines : newestEngines
  const chosen = all.filter(({ name }) => values.only.length === 0 || values.only.includes(name))
  if (chosen.length === 0) throw new Error(`There is no engine ${values.only.join(', ')}.`)
  const chosenSuites = values.nearest ? nearestSuites() : suites
  const table = [`| engine | ${[...chosenSuites.keys()].join(' | ')} |`, `|---|${'---|'.repeat(chosenSuites.size)}`]
  out(table.join('\n'))
  for (const engine of chosen) {
    const options = { workers: Number(values.workers), portSlot: 0, ...(values.nearest && { orders: ordersOfNearest }) }
    const outcomes = await runOn(engine, chosenSuites, options)
    const version = await versionOf(engine)
    const row = `| ${version} | ${[...outcomes.values()].map(cellOf).join(' | ')} |`
    table.push(row)
    out(row)
    for (const [suite, { failed }] of outcomes) for (const title of failed) out(`  ${suite}: ${title}`)
    if ([...outcomes.values()].some(({ failed }) => failed.length > 0)) process.exitCode = 1
  }
  if (values.write && values.all) writeInto(page, 'engines', table)
}

function cellOf({ passed, failed, skipped }: Outcome): string {
  const others = [failed.length > 0 && `${failed.length} failed`, skipped > 0 && `${skipped} skipped`]
  return [`${passed} passed`, ...others].filter(Boolean).join(', ')
}

function writeInto(file: string, section: string, lines: readonly string[]): void {
  const text = readFileSync(file, 'utf8')
  const marked = new RegExp(`(?<=<!-- ${section} -->\n)[\\s\\S]*?(?=<!-- /${section} -->)`)
  writeFileSync(file, text.replace(marked, `${lines.join('\n')}\n`))
}
