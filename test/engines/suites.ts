import { globSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { binOf, type RedisEngine } from '../support/debian/engines.ts'
import { run } from '../support/debian/run.ts'
import { root } from '../support/markdown.ts'
import { removeOnExit } from '../support/on-exit.ts'
import { spawnRedisProgram } from '../support/redis-server.ts'
import { filesOf } from '../support/tiers.ts'

/** The suites that run on every engine, by their files. */
export const suites: ReadonlyMap<string, readonly string[]> = new Map([
  ['integration', integrationFiles()],
  ...['differential', 'replay', 'verify', 'rights', 'managed'].map((name): [string, string[]] => [
    name,
    [`test/e2e/${name}.test.ts`],
  ]),
])

/** Returns the integration tests that need a Redis. */
function integrationFiles(): string[] {
  const [all, others] = [true, false].map((withRedis) => globSync(filesOf('integration', { withRedis }), { cwd: root }))
  const without = new Set(others)
  return (all ?? []).filter((file) => !without.has(file)).map((file) => file.replaceAll('\\', '/'))
}

/** Counts the tests of a suite on an engine. */
export interface Outcome {
  readonly passed: number
  /** The titles of those that failed. */
  readonly failed: readonly string[]
  readonly skipped: number
}

const report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string(),
      assertionResults: z.array(z.object({ status: z.string(), fullName: z.string() })),
    }),
  ),
})

/** The integration tests nearest to Redis: of its clients, of what the bridge writes to it, and of the scripts of the stages. */
const nearest = /^test\/integration\/(redis\/|ingest\/(enqueue|durability|lane|writer)\.|stages\/runner\/)/

/** Returns what shows most in little time: the integration tests nearest to Redis, and what a change of engine could miscount. */
export const nearestSuites = (): typeof suites =>
  new Map([
    ['integration', integrationFiles().filter((file) => nearest.test(file))],
    ...[...suites].filter(([name]) => ['differential', 'replay', 'verify'].includes(name)),
  ])

/** Runs suites with an engine as its Redis, and as the `redis-server` that tests start. */
export async function runOn(
  engine: RedisEngine,
  chosen: typeof suites,
  { workers, portSlot, orders }: { workers: number; portSlot: number; orders?: number },
): Promise<ReadonlyMap<string, Outcome>> {
  const bin = await binOf(engine)
  const dir = mkdtempSync(join(tmpdir(), 'orders-engine-'))
  using _ = removeOnExit(dir)
  await using server = await spawnRedisProgram(join(bin, 'redis-server'))
  const file = join(dir, 'report.json')
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const files = [...chosen.values()].flat()
  const options = ['--reporter=json', `--outputFile=${file}`, `--maxWorkers=${workers}`]
  const env = {
    PATH: `${bin}:${process.env['PATH']}`,
    TEST_REDIS_URL: server?.url,
    TEST_PORT_SLOT: `${portSlot}`,
    ...(orders && { ORDERS: `${orders}` }),
  }
  const failure = await run(process.execPath, [vitest, 'run', ...options, ...files], { cwd: root, env }).then(
    () => undefined,
    (error: unknown) => error,
  )
  if (failure !== undefined && !(failure instanceof Error && failure.message.includes(' ended with 1\n'))) throw failure
  const { testResults } = report.parse(JSON.parse(readFileSync(file, 'utf8')))
  const outcomes = [...chosen].map(([name, own]) => {
    const mine = testResults.filter((result) => own.some((path) => result.name.endsWith(`/${path}`)))
    return [name, outcomeOf(mine)] as const
  })
  // An error outside of any test also ends a run with 1.
  if (failure !== undefined && outcomes.every(([, { failed }]) => failed.length === 0)) throw failure
  return new Map(outcomes)
}

function outcomeOf(results: z.output<typeof report>['testResults']): Outcome {
  const tests = results.flatMap(({ assertionResults }) => assertionResults)
  const broken = results.filter(({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0)
  return {
    passed: tests.filter(({ status }) => status === 'passed').length,
    failed: [
      ...tests.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName),
      ...broken.map(({ name, message }) => `${name}: ${message}`),
    ],
    skipped: tests.filter(({ status }) => status !== 'passed' && status !== 'failed').length,
  }
}
