import { resolve } from 'node:path'
import { BaseSequencer, createVitest, type TestModule, type TestSpecification, type Vitest } from 'vitest/node'

/** Lists what a worker must run, in this order, in the copy of the repository that it was started in. */
export interface Turn {
  readonly tests: readonly string[]
  /** Files that were written since the last turn. */
  readonly changed: readonly string[]
  readonly bail: boolean
}

export interface TurnResult {
  /** Milliseconds by test file, of those that ran to their end and passed. */
  readonly passed: Readonly<Record<string, number>>
  /** `file › title` of the first test that failed. */
  readonly failed: string | undefined
  /** Of each file that failed, its first. */
  readonly failures: readonly string[]
}

class AsGiven extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((one, other) => order.indexOf(one.moduleId) - order.indexOf(other.moduleId))
  }
}
let order: readonly string[] = []

/** A hanging test ends after this time. On the unchanged code none hangs, but the longest random tests take a minute. */
const testTimeout = process.env['MUTATION_HITS'] ? 120_000 : 60_000

async function open(bail: boolean): Promise<Vitest> {
  const isRecording = Boolean(process.env['MUTATION_HITS'])
  const vitest = await createVitest('test', {
    root: process.cwd(),
    watch: false,
    bail: bail ? 1 : 0,
    maxWorkers: 4, // unit and integration tests keep two cores busy with that
    reporters: [{}],
    testTimeout,
    hookTimeout: testTimeout,
    sequence: { sequencer: AsGiven },
    // A worker that files share loads a module, and records a call, for the first of them only.
    ...(isRecording && { isolate: true }),
  })
  // Projects take over no setup files from these options.
  const setup = resolve('tools/mutation/record-hits.ts')
  if (isRecording) for (const { config } of vitest.projects) config.setupFiles.push(setup)
  return vitest
}

const relative = (path: string): string => path.slice(process.cwd().length + 1)

async function run(vitest: Vitest, turn: Turn): Promise<TurnResult> {
  for (const file of turn.changed) vitest.invalidateFile(resolve(file))
  if (!turn.bail) return runOnce(vitest, turn.tests)
  let passed: TurnResult['passed'] = {}
  // Where an earlier turn had failures in two workers at once, Vitest may take the end of the second for one of this turn.
  for (let runs = 0; runs < maxRuns; runs++) {
    const left = turn.tests.filter((test) => passed[test] === undefined)
    if (left.length === 0) break
    const result = await runOnce(vitest, left)
    passed = { ...passed, ...result.passed }
    if (result.failed !== undefined) return { ...result, passed }
  }
  return { passed, failures: [], failed: undefined }
}

const maxRuns = 5

async function runOnce(vitest: Vitest, tests: readonly string[]): Promise<TurnResult> {
  order = tests.map((test) => resolve(test))
  const specifications = await vitest.globTestSpecifications([...tests])
  const earlier = new Set(vitest.state.getTestModules())
  const { testModules: all, unhandledErrors } = await vitest.runTestSpecifications(
    specifications.filter(({ moduleId }) => order.includes(moduleId)),
  )
  const testModules = all.filter((module) => !earlier.has(module)) // Vitest gives those of earlier turns too
  const passed = testModules.filter((module) => module.state() === 'passed' && module.ok())
  const failures = testModules.filter((module) => !module.ok()).map(titleOf)
  return {
    passed: Object.fromEntries(passed.map((module) => [relative(module.moduleId), Math.ceil(timeOf(module))])),
    failures,
    failed: failures[0] ?? (unhandledErrors.length > 0 ? 'an error outside of any test' : undefined),
  }
}

const timeOf = (module: TestModule): number => {
  const { collectDuration, duration, environmentSetupDuration, prepareDuration, setupDuration } = module.diagnostic()
  return collectDuration + duration + environmentSetupDuration + prepareDuration + setupDuration
}

function titleOf(module: TestModule): string {
  const [test] = module.children.allTests('failed')
  return `${relative(module.moduleId)} › ${test?.fullName ?? 'does not load'}: ${errorOf(module)}`
}

const errorOf = (module: TestModule): string => {
  const [test] = module.children.allTests('failed')
  const [error] = test?.result().errors ?? module.errors()
  return error?.message.split('\n')[0] ?? ''
}

const opened = new Map<boolean, Promise<Vitest>>()
process.on('message', async (turn: Turn) => {
  const vitest = opened.get(turn.bail) ?? open(turn.bail)
  opened.set(turn.bail, vitest)
  process.send?.(await run(await vitest, turn))
})
process.once('disconnect', async () => {
  for (const vitest of opened.values()) await (await vitest).close()
  process.exit()
})
