import type { App } from '../../../app.ts'
import { OrdersError } from '../../../errors.ts'
import { rankAll } from '../../calendar/boards.ts'
import type { Compared } from '../compare/compare.ts'
import type { Difference } from '../compare/differences.ts'
import type { Build } from '../feed.ts'
import { runIsGone } from '../progress.ts'
import { readChange } from './books.ts'
import { type Change, type CounterChanges, counterChanges } from './counters.ts'
import { flipOnce, undoOf } from './flip.ts'
import { ownRanks, ranksOf, rankUsers } from './ranks.ts'

/** Scores that are not what the hashes say. */
export interface Scores {
  /** Users with such a score of all orders, by partition. */
  readonly users: readonly (readonly string[])[]
  /** How many of days, weeks and months. */
  readonly periods: number
}

/** Holds what was compared, and the token by which it can be flipped. */
export interface Comparison {
  readonly token: string
  readonly partitions: readonly Compared[]
  /** By stage, how many records it lacks; below 0 if the archive lacks some that the stage has counted. */
  readonly lacks: ReadonlyMap<string, number>
  /** By stage, how many orders it has rejected that the archive has: a flip counts them. Without those that have none. */
  readonly rejected: ReadonlyMap<string, number>
  readonly scores: Scores
  /** By field of the calendar's books, what came before it began and is not in them. */
  readonly before: CounterChanges
}

export interface Flipped {
  /** Keys that were corrected. */
  readonly keys: number
  /** The longest time that one step took, in ms: so long Redis served no other client. */
  readonly maxMs: number
}

/**
 * Keys in a step, and ranks of the stages' own, each of a key: together with the boards no more than a request may have
 * arguments (see `maxArguments`). A partition where more differ is corrected in several steps.
 */
const maxKeys = 1_500
const maxRanks = 1_500

/**
 * Corrects the live keys of all partitions by what they lack. What a key lacks does not depend on orders that are counted
 * meanwhile, so no stage pauses. Killed at any moment and compared again, it goes on: what is corrected lacks nothing.
 * @param keep the name under which it can be undone
 */
export async function flip(
  build: Build,
  { token, partitions, lacks, scores, before }: Comparison,
  keep: string | undefined,
): Promise<Flipped> {
  const { app } = build
  const changes: Change[] = []
  for (const compared of partitions) changes.push(await readChange(build, compared))
  const counters = counterChanges(app.pipeline, build.stages, lacks, changes)
  let [keys, maxMs] = [0, 0]
  for (const [at, compared] of partitions.entries()) {
    const books = { counters: counters[at] ?? new Map(), before: at === 0 ? before : new Map() }
    const steps = await stepsOf(build, compared, books, scores.users[at] ?? [])
    for (const [number, { differences, ranks }] of steps.entries()) {
      await build.alive()
      const began = performance.now()
      const step = { token: number === 0 ? token : `${token}:${number}`, step: `${token}:${number}`, keep }
      const nextToken = number === steps.length - 1 ? '' : `${token}:${number + 1}`
      if (!(await flipOnce(app.redis, compared.keys, { ...step, nextToken }, { differences, ranks }))) throw runIsGone()
      maxMs = Math.max(maxMs, performance.now() - began)
      keys += differences.length
    }
  }
  if (scores.periods > 0) for (const compared of partitions) await rankAll(app, compared.keys, 'set', build.alive)
  return { keys, maxMs }
}

type Step = { differences: readonly Difference[]; ranks: ReturnType<typeof ranksOf> }

/**
 * Books and totals are in the last step, so that they still lack something until all before is done. Ranks of the stages' own
 * come after the hashes that they read.
 */
async function stepsOf(
  build: Build,
  compared: Compared,
  { counters, before }: { readonly counters: CounterChanges; readonly before: CounterChanges },
  wrongScores: readonly string[],
): Promise<Step[]> {
  const { keys } = compared
  const differences = new Map(compared.differences)
  addTo(differences, keys.calendarBooks, before)
  addTo(differences, keys.counters, counters)
  const books = [keys.counters, keys.calendarBooks, keys.globalStats]
  const [last, first] = [true, false].map((isLast) =>
    [...differences.values()].filter(({ key }) => books.includes(key) === isLast),
  )
  const hashes = inParts(first ?? [], maxKeys).map((some) => ({
    differences: some,
    ranks: some.flatMap(({ key, add, odd }) => ranksOf(build.app, keys, key, [...add.keys(), ...odd])),
  }))
  const ranks = [...rankUsers(build.app, keys, wrongScores), ...(await ownRanks(build, keys))]
  const steps = [...hashes, ...inParts(ranks, maxRanks).map((some) => ({ differences: [], ranks: some }))]
  const isOne = hashes.length <= 1 && ranks.length <= maxRanks
  const rest = isOne ? merged(steps) : steps
  return [...rest.slice(0, -1), ...merged([...rest.slice(-1), { differences: last ?? [], ranks: [] }])]
}

const merged = (steps: readonly Step[]): Step[] => [
  { differences: steps.flatMap((step) => step.differences), ranks: steps.flatMap((step) => step.ranks) },
]

function inParts<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, at) => all.slice(at * size, (at + 1) * size))
}

function addTo(differences: Map<string, Difference>, key: string, more: ReadonlyMap<string, number>): void {
  if (more.size === 0) return
  const nothing = { key, odd: [], isReplaced: false, isForeign: false, expiresAt: undefined }
  const { add, ...rest } = differences.get(key) ?? { ...nothing, add: new Map<string, number>() }
  differences.set(key, { ...rest, add: new Map([...add, ...more]) })
}

/** Undoes a flip that was kept, in all partitions; orders that were counted since stay counted. @returns how many keys */
export async function undoFlip(app: App, name: string, alive: () => Promise<void>): Promise<number> {
  let undone = 0
  for (const keys of app.partitions) {
    for (const [step, text] of Object.entries(await app.redis.hgetall(keys.rebuildKept(name)))) {
      await alive()
      const differences = undoOf(text)
      const ranks = differences.flatMap(({ key, add }) => ranksOf(app, keys, key, [...add.keys()]))
      const place = { token: '', nextToken: '', step, keep: name }
      if (await flipOnce(app.redis, keys, place, { differences, ranks })) undone += differences.length
    }
  }
  if (undone > 0) return undone
  throw new OrdersError('ORD_USAGE', `No flip is kept as ${name}: a kept one can be undone for a day.`)
}
