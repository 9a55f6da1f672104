import { globSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runBaseline } from './baseline.ts'
import type { Change } from './change.ts'
import { changesOf, draw } from './draw.ts'
import { judge } from './judge.ts'
import { reachOf } from './reach.ts'
import { readAccepted, reportOf, requiredPercent } from './report.ts'
import { openSandbox, type Sandbox } from './sandbox.ts'
import { isNear, type Result, readState, type State, writeState } from './state.ts'

const usage = `Draws one-line changes of the code and lists which of them no test catches.

  --count 300     how many changes
  --seed 1        another seed draws other changes
  --files <glob>  from these files; may be given several times
  --only <id>     only the changes with this id, or an id's beginning; may be given several times
  --list          print the changes, run nothing
  --resume        keep the results of the last run of the same code
  --minutes <n>   begin nothing after this time; --resume goes on
  --workers <n>   copies of the repository that run at a time
  --wide <n>      seconds of end-to-end tests that each survivor is tried by, 0 for none`

const defaultFiles = [
  'src/stages/**/*.{ts,lua}',
  'src/ingest/**/*.{ts,lua}',
  'src/order/money.ts',
  'src/ops/jobs/**/*.{ts,lua}',
  'src/ops/repartition/**/*.{ts,lua}',
]

const root = fileURLToPath(new URL('../../', import.meta.url))
const statePath = `${root}node_modules/.cache/mutation.json`
const out = (text: string): void => void process.stdout.write(`${text}\n`)

const options = {
  count: { type: 'string', default: '300' },
  seed: { type: 'string', default: '1' },
  files: { type: 'string', multiple: true, default: defaultFiles },
  only: { type: 'string', multiple: true, default: [] as string[] },
  list: { type: 'boolean', default: false },
  resume: { type: 'boolean', default: false },
  minutes: { type: 'string', default: 'Infinity' },
  // A copy keeps two cores busy: Vitest runs two files at a time in it.
  workers: { type: 'string', default: String(Math.max(1, availableParallelism() >> 1)) },
  // Three of the longest end-to-end files, or ten of the others.
  wide: { type: 'string', default: '180' },
  help: { type: 'boolean', default: false },
} as const
type Options = ReturnType<typeof readOptions>
const readOptions = () => parseArgs({ options }).values

function readTexts(patterns: readonly string[]): Map<string, string> {
  const files = globSync([...patterns], { cwd: root }).map((file) => file.replaceAll('\\', '/'))
  return new Map(files.toSorted().map((file) => [file, readFileSync(`${root}${file}`, 'utf8')]))
}

function drawn({ files, only, count, seed }: Options): Change[] {
  const sources = readTexts(files)
  if (only.length === 0) return draw(sources, Number(count), Number(seed))
  const all = [...sources].flatMap(([file, text]) => changesOf(file, text))
  return all.filter(({ id }) => only.some((begin) => id.startsWith(begin)))
}

const textOf = ({ id, file, line, kind, before, after }: Change): string =>
  `${id} ${file}:${line} ${kind}\n  - ${before}\n  + ${after}`

/** Judges all changes, as far as the time allows: first by unit and integration tests, then the survivors by all others. */
async function judgeAll(changes: readonly Change[], given: Options): Promise<State> {
  const texts = readTexts(['src/**/*.{ts,lua}', 'test/**/*.ts', 'tools/**/*.ts'])
  const state = readState(statePath, texts, given.resume || given.only.length > 0)
  for (const { id } of given.only.length > 0 ? changes : []) delete state.results[id]
  const until = performance.now() + Number(given.minutes) * 60_000
  await using stack = new AsyncDisposableStack()
  const sandboxes = Array.from({ length: Number(given.workers) }, () => stack.use(openSandbox(root)))
  const run: Run = { texts, state, sandboxes, isOver: () => performance.now() > until }
  const sources = [...new Set([...readTexts(defaultFiles).keys(), ...readTexts(given.files).keys()])]
  const reaching = new Set(changes.flatMap(({ file }) => [...reachOf(texts, file).keys()]))
  const near = [...reaching].filter(isNear).toSorted()
  await measure(run, sources, near.toReversed()) // unit tests, which are quick, first
  // By id, which is as good as random: a run that is cut short has judged a fair part of the files.
  const byId = changes.toSorted((one, other) => (one.id < other.id ? -1 : 1))
  await judgeThese(
    run,
    byId.filter(({ id }) => !state.results[id]),
    0,
  )
  const survivors = byId.filter(({ id }) => state.results[id]?.outcome === 'survived' && !state.results[id].wide)
  if (Number(given.wide) === 0 || survivors.length === 0) return state
  await measure(
    run,
    sources,
    [...texts.keys()].filter((file) => /^test\/e2e\/.*\.test\.ts$/.test(file)),
  )
  await judgeThese(run, survivors, Number(given.wide) * 1_000)
  return state
}

interface Run {
  readonly texts: ReadonlyMap<string, string>
  readonly state: State
  readonly sandboxes: readonly Sandbox[]
  isOver(): boolean
}

/** Runs tests on the unchanged code, and prints those that fail there: they judge nothing. */
async function measure(
  { sandboxes, ...run }: Run,
  sources: readonly string[],
  tests: readonly string[],
): Promise<void> {
  const save = (): void => writeState(statePath, run.state)
  if (sandboxes[0]) await runBaseline(sandboxes[0], { ...run, sources, tests, save })
  for (const test of tests) {
    const failed = run.state.tests[test]?.failed
    if (failed !== undefined) out(`left out, it fails on unchanged code: ${failed}`)
  }
}

async function judgeThese(
  { sandboxes, texts, state, isOver }: Run,
  changes: readonly Change[],
  wideMs: number,
): Promise<void> {
  const waiting = [...changes]
  const work = async (sandbox: Sandbox): Promise<void> => {
    for (let change = waiting.shift(); change && !isOver(); change = waiting.shift()) {
      const result = await judge(sandbox, change, { texts, state }, wideMs)
      state.results[change.id] = result
      writeState(statePath, state)
      out(lineOf(change, result))
    }
  }
  await Promise.all(sandboxes.map(work))
}

const lineOf = (change: Change, { outcome, ms, by }: Result): string =>
  `${outcome} ${(ms / 1000).toFixed(1)} s ${textOf(change)}${by ? `\n  by ${by}` : ''}`

const given = readOptions()
if (given.help) out(usage)
else {
  const changes = drawn(given)
  if (given.list) out(changes.map(textOf).join('\n'))
  else {
    const { results } = await judgeAll(changes, given)
    const { text, percent } = reportOf(changes, results, readAccepted())
    out(text)
    if (percent < requiredPercent) process.exitCode = 1
  }
}
