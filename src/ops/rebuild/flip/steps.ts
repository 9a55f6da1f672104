import type { Effect } from '../../../stages/stage.ts'
import type { Difference } from '../../reconcile/difference.ts'
import type { Plan } from '../../reconcile/reconcile.ts'
import type { Compared } from '../compare/compare.ts'
import type { Build } from '../feed.ts'
import type { CounterChanges } from './counters.ts'
import { ownRanks, ranksOf } from './ranks.ts'

/** Half of the arguments that a request may have (see `maxArguments`): each key is one of them. */
const maxKeys = 2_000
/** Fields and scores that one script sets: some ms of Redis' time. */
const maxWrites = 2_000

/** Holds what a flip adds to the books of a partition. */
export interface BookChanges {
  readonly counters: CounterChanges
  /** To the fields of the calendar's books that say what came before it began. */
  readonly before: CounterChanges
}

/**
 * Yields what each script of a flip writes in a partition: most flips take one. Ranks are made when their step is due, as they
 * take more memory than the numbers from which they follow. Books and totals come last, so that they lack something until all
 * before is done.
 */
export async function* stepsOf(
  build: Build,
  compared: Compared,
  changes: BookChanges,
): AsyncGenerator<Plan & { readonly isLast: boolean }> {
  let step = openStep()
  for await (const part of partsOf(build, compared, changes)) {
    if (step.takes(part)) continue
    yield { ...step.plan, isLast: false }
    step = openStep()
    step.takes(part)
  }
  yield { ...step.plan, isLast: true }
}

/** Yields what belongs into one script. Ranks of the stages' own come after the hashes that they read. */
async function* partsOf(
  build: Build,
  { keys, differences }: Compared,
  { counters, before }: BookChanges,
): AsyncGenerator<Plan> {
  const { app } = build
  const books = [keys.counters, keys.calendarBooks, keys.globalStats]
  for (const difference of differences.values()) {
    const { key, add, odd } = difference
    if (books.includes(key)) continue
    yield { differences: [difference], ranks: ranksOf(app, keys, key, [...add.keys(), ...odd]) }
  }
  for await (const rank of ownRanks(build, keys)) yield { differences: [], ranks: [rank] }
  const last = new Map(books.flatMap((key) => [[key, differences.get(key)] as const]))
  addTo(last, keys.calendarBooks, before)
  addTo(last, keys.counters, counters)
  yield { differences: [...last.values()].flatMap((difference) => difference ?? []), ranks: [] }
}

function addTo(books: Map<string, Difference | undefined>, key: string, more: ReadonlyMap<string, number>): void {
  if (more.size === 0) return
  const nothing = { key, odd: [], isReplaced: false, isForeign: false, expiresAt: undefined }
  const { add, ...rest } = books.get(key) ?? { ...nothing, add: new Map<string, number>() }
  books.set(key, { ...rest, add: new Map([...add, ...more]) })
}

interface Step {
  readonly plan: Plan
  /** Adds a part. @returns false if that would be too much; an empty step takes any part */
  takes(part: Plan): boolean
}

function openStep(): Step {
  const differences: Difference[] = []
  const ranks: Effect[] = []
  const names = new Set<string>()
  let writes = 0
  return {
    plan: { differences, ranks },
    takes: (part) => {
      const fresh = namesIn(part).filter((name) => !names.has(name))
      const more = writesOf(part)
      if (names.size > 0 && (names.size + fresh.length > maxKeys || writes + more > maxWrites)) return false
      for (const name of fresh) names.add(name)
      writes += more
      differences.push(...part.differences)
      ranks.push(...part.ranks)
      return true
    },
  }
}

function namesIn({ differences, ranks }: Plan): string[] {
  const ofRanks = ranks.flatMap((effect) =>
    effect.kind === 'rank' ? [...effect.hashes, ...effect.boards.map(({ board }) => board)] : [],
  )
  return [...new Set([...differences.map(({ key }) => key), ...ofRanks])]
}

function writesOf({ differences, ranks }: Plan): number {
  const fields = differences.reduce((sum, { add, odd }) => sum + add.size + odd.length, 0)
  return fields + ranks.reduce((sum, effect) => sum + (effect.kind === 'rank' ? effect.boards.length : 1), 0)
}
