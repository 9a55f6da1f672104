import { parseArgs } from 'node:util'
import { engines, newestEngines } from '../support/debian/engines.ts'
import { runOn, suites } from './suites.ts'

const usage = `Runs the suites that need a Redis on several engines, and prints a table of how they went.

  --all            every engine, not only the newest Redis and Valkey
  --only <name>    this engine; may be given several times
  --workers 4      test files that run at a time`

const { values } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] as string[] },
    workers: { type: 'string', default: '4' },
    help: { type: 'boolean', default: false },
  },
})
const out = (text: string): void => void process.stdout.write(`${text}\n`)

if (values.help) out(usage)
else await main()

async function main(): Promise<void> {
  const all = values.all || values.only.length > 0 ? engines : newestEngines
  const chosen = all.filter(({ name }) => values.only.length === 0 || values.only.includes(name))
  out(`| engine | ${[...suites.keys()].join(' | ')} |`)
  out(`|---|${'---|'.repeat(suites.size)}`)
  for (const engine of chosen) {
    const outcomes = await runOn(engine, { workers: Number(values.workers), portSlot: 0 })
    const cells = [...outcomes.values()].map(({ passed, failed, skipped }) =>
      [`${passed} passed`, failed.length > 0 && `${failed.length} failed`, skipped > 0 && `${skipped} skipped`]
        .filter(Boolean)
        .join(', '),
    )
    out(`| ${engine.name} | ${cells.join(' | ')} |`)
    for (const [suite, { failed }] of outcomes) for (const title of failed) out(`  ${suite}: ${title}`)
    if ([...outcomes.values()].some(({ failed }) => failed.length > 0)) process.exitCode = 1
  }
}
