import { applied, type Change } from './change.ts'
import { callsFor } from './hits.ts'
import { kinship, reachOf, type Texts } from './reach.ts'
import type { Sandbox } from './sandbox.ts'
import { isWide, type Result, type State } from './state.ts'

/** Passing tests are given this much more than their time on the unchanged code, and some seconds to begin. */
const slower = 4
const beginMs = 60_000

export interface Known {
  readonly texts: Texts
  readonly state: State
}

/** Returns whether a change may show in a test file: it runs the changed function, or imports code outside functions. */
function runsIn(change: Change, { texts, state }: Known): (test: string) => boolean {
  const wrapper = change.file.replace(/\.lua$/, '.ts')
  const calls = callsFor(wrapper, texts.get(wrapper) ?? '', change)
  const reach = calls.length === 0 ? reachOf(texts, change.file) : undefined
  return (test) => {
    const known = state.tests[test]
    return known?.passes === true && (reach ? reach.has(test) : calls.some((call) => known.calls.includes(call)))
  }
}

/** The tests that run a change, those first that most likely catch it: the mirrored ones, the quick ones, the catching ones. */
export function testsFor(change: Change, known: Known): string[] {
  const { tests, results } = known.state
  const by = Object.values(results).map((result) => result.by?.split(' ')[0])
  const order = (test: string): number =>
    (tests[test]?.ms ?? 0) /
    (1 + kinship(test, change.file)) ** 2 /
    Math.sqrt(1 + by.filter((one) => one === test).length)
  return Object.keys(tests)
    .filter(runsIn(change, known))
    .toSorted((one, other) => order(one) - order(other))
}

/** Of unit and integration tests, on the unchanged code: a third of it by the clock, as four files run at a time. */
const nearMs = 60_000

/** Kinds of changes that mostly show in the types, which take less time than all tests. */
const typed = /^(?:swapped arguments|dropped default)$/

/**
 * Applies a change to the copy, runs unit and integration tests and the types, and takes the change back. With `wideMs` it
 * runs what was left instead, end-to-end tests too, as many as take so long on the unchanged code.
 */
export async function judge(sandbox: Sandbox, change: Change, known: Known, wideMs = 0): Promise<Result> {
  const began = performance.now()
  const text = known.texts.get(change.file) ?? ''
  const ended = (result: Omit<Result, 'ms'>): Result => ({ ...result, ms: Math.round(performance.now() - began) })
  const msOf = (test: string): number => known.state.tests[test]?.ms ?? 0
  const all = testsFor(change, known)
  const near = fastest(
    all.filter((test) => !isWide(test)),
    msOf,
    nearMs,
  )
  const tests =
    wideMs === 0
      ? near
      : fastest(
          all.filter((test) => !near.includes(test)),
          msOf,
          wideMs,
        )
  sandbox.write(change.file, applied(text, change))
  const areTypesWrong = (): boolean => wideMs === 0 && change.file.endsWith('.ts') && !sandbox.hasRightTypes()
  try {
    if (typed.test(change.kind) && areTypesWrong()) return ended({ outcome: 'types' })
    const limitMs = beginMs + slower * tests.reduce((sum, test) => sum + msOf(test), 0)
    const result = tests.length > 0 ? await runAlone(sandbox, tests, limitMs) : undefined
    if (result === 'timed out') return ended({ outcome: 'timed out' })
    if (result?.failed !== undefined) return ended({ outcome: 'caught', by: result.failed })
    const unrun = tests.find((test) => result?.passed[test] === undefined)
    if (unrun !== undefined) throw new Error(`${unrun} neither passes nor fails with change ${change.id}.`)
    if (!typed.test(change.kind) && areTypesWrong()) return ended({ outcome: 'types' })
    return ended({ outcome: 'survived', wide: wideMs > 0 })
  } finally {
    sandbox.write(change.file, text)
  }
}

/**
 * Runs the tests on a Redis that is not busy: a script that a change makes endless keeps it busy for all that come later.
 * A Redis and a worker that may be left so are ended.
 */
async function runAlone(
  sandbox: Sandbox,
  tests: readonly string[],
  limitMs: number,
): Promise<Awaited<ReturnType<Sandbox['run']>>> {
  const once = async () => {
    const result = await sandbox.run({ tests, bail: true }, limitMs)
    const failed = result === 'timed out' ? undefined : result.failed
    if (failed !== undefined && /timed out|BUSY/.test(failed)) await sandbox.endWorker()
    return { result, isBusy: failed?.includes('BUSY') === true }
  }
  const first = await once()
  return first.isBusy ? (await once()).result : first.result
}

/** The first tests that take no longer together; one at least. */
function fastest(tests: readonly string[], msOf: (test: string) => number, limitMs: number): string[] {
  let left = limitMs
  return tests.filter((test, at) => {
    left -= msOf(test)
    return left >= 0 || at === 0
  })
}
