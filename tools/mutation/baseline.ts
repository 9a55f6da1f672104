import { existsSync, readFileSync, rmSync } from 'node:fs'
import { recording } from './hits.ts'
import type { Texts } from './reach.ts'
import type { Sandbox } from './sandbox.ts'
import { hashOf, isWide, type State } from './state.ts'

/** Test files in one turn: between turns the state is saved, and the time may be up. */
const filesPerTurn = 12

/** A file takes some seconds; the longest, of random tests, a minute on a busy machine. */
const limitPerFileMs = 120_000

interface Baseline {
  readonly texts: Texts
  readonly state: State
  /** Files whose calls are recorded. */
  readonly sources: readonly string[]
  readonly tests: readonly string[]
  isOver(): boolean
  save(): void
}

/**
 * Runs the tests once on the unchanged code: which pass, how long they take, and which functions they call. A test file that
 * has passed with the same text is not run again.
 */
export async function runBaseline(
  sandbox: Sandbox,
  { texts, state, sources, tests, isOver, save }: Baseline,
): Promise<void> {
  const textOf = (file: string): string => texts.get(file) ?? ''
  const isKnown = (test: string): boolean =>
    state.tests[test]?.passes === true && state.tests[test].hash === hashOf(textOf(test))
  const missing = tests.filter((test) => !isKnown(test))
  if (missing.length === 0) return
  for (const file of sources)
    if (file.endsWith('.ts')) sandbox.write(file, recording(file, textOf(file), sandbox.hitsFile))
  for (const turn of turnsOf(missing)) {
    if (isOver()) break
    const env = { MUTATION_HITS: sandbox.hitsFile }
    const result = await sandbox.run({ tests: turn, bail: false }, turn.length * limitPerFileMs, env)
    const calls = readCalls(sandbox.hitsFile)
    const said = result === 'timed out' ? { passed: {} as Record<string, number>, failures: [] } : result
    for (const test of turn) {
      const ms = said.passed[test]
      const own = [...new Set([...(calls.get(test) ?? []), ...(calls.get('') ?? [])])]
      const failed = said.failures.find((title) => title.startsWith(`${test} `)) ?? `${test} does not end`
      state.tests[test] = {
        hash: hashOf(textOf(test)),
        passes: ms !== undefined,
        ms: ms ?? 0,
        calls: own,
        ...(ms === undefined && { failed }),
      }
    }
    save()
  }
  await sandbox.endWorker() // the next one records nothing
  for (const file of sources) if (file.endsWith('.ts')) sandbox.write(file, textOf(file))
}

/** End-to-end files run alone: what their processes call is theirs. In other turns it counts for each file of the turn. */
function turnsOf(tests: readonly string[]): string[][] {
  const [wide, near] = [tests.filter(isWide), tests.filter((test) => !isWide(test))]
  const turns: string[][] = []
  for (let at = 0; at < near.length; at += filesPerTurn) turns.push(near.slice(at, at + filesPerTurn))
  return [...turns, ...wide.map((test) => [test])]
}

/** The functions that were called, by test file; under '' those that spawned processes called. */
function readCalls(path: string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  if (!existsSync(path)) return found // no test of the turn came to its end
  for (const line of readFileSync(path, 'utf8').trimEnd().split('\n')) {
    const [path, calls] = JSON.parse(line) as [path: string, calls: string[]]
    const test = path.slice(path.lastIndexOf('/test/') + 1)
    found.set(test, [...(found.get(test) ?? []), ...calls])
  }
  rmSync(path)
  return found
}
