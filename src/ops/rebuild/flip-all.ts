import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { rankAll } from '../calendar/boards.ts'
import { beforeChanges, type Change, type CounterChanges, counterChanges, readChange } from './books.ts'
import type { Compared } from './compare.ts'
import type { Difference } from './differences.ts'
import type { Build } from './feed.ts'
import { flipOnce, undoOf } from './flip.ts'
import { otherRun } from './progress.ts'
import { ownRanks, ranksOf, rankUsers } from './ranks.ts'

/** Scores that are not what the hashes say. */
export interface Scores {
  /** Users with such a score of all orders, by partition. */
  readonly users: readonly (readonly string[])[]
  /** How many of days, weeks and months. */
  readonly periods: number
}

/** What was compared, and the token by which it can be flipped. */
export interface Comparison {
  readonly token: string
  readonly partitions: readonly Compared[]
  /** By stage, how many records it lacks; below 0 if the archive lacks some that the stage has counted. */
  readonly lacks: ReadonlyMap<string, number>
  readonly scores: Scores
}

export interface Flipped {
  /** Keys that were corrected. */
  readonly keys: number
  /** The longest time that one step took, in ms: so long Redis served no other client. */
  readonly maxMs: number
}

/** 100,000 keys take Redis some 500 ms. A partition where more differ is corrected in several steps. */
const maxKeys = 100_000
/** Ranks of the stages' own for each step. */
const maxRanks = 20_000

/**
 * Corrects the live keys of all partitions by what they lack. What a key lacks does not depend on orders that are counted
 * meanwhile, so no stage pauses. Killed at any moment and compared again, it goes on: what is corrected lacks nothing.
 * @param keep the name under which it can be undone
 */
export async function flip(
  build: Build,
  { token, partitions, lacks, scores }: Comparison,
  keep: string | undefined,
): Promise<Flipped> {
  const { app } = build
  const changes: Change[] = []
  for (const compared of partitions) changes.push(await readChange(build, compared))
  const counters = counterChanges(app.pipeline, build.stages, lacks, changes)
  let [keys, maxMs] = [0, 0]
  for (const [at, compared] of partitions.entries()) {
    const steps = await stepsOf(build, compared, counters[at] ?? new Map(), scores.users[at] ?? [])
    for (const [number, { differences, ranks }] of steps.entries()) {
      await build.alive()
      const began = performance.now()
      const step = { token: number === 0 ? token : `${token}:${number}`, step: `${token}:${number}`, keep }
      const nextToken = number === steps.length - 1 ? '' : `${token}:${number + 1}`
      if (!(await flipOnce(app.redis, compared.keys, { ...step, nextToken }, { differences, ranks }))) throw otherRun()
      maxMs = Math.max(maxMs, performance.now() - began)
      keys += differences.length
    }
  }
  if (scores.periods > 0) for (const compared of partitions) await rankAll(app, compared.keys, 'set', build.alive)
  return { keys, maxMs }
}

type Step = { differences: readonly Difference[]; ranks: ReturnType<typeof ranksOf> }

/** Books and totals are in the first step. */
async function stepsOf(
  build: Build,
  compared: Compared,
  counters: CounterChanges,
  wrongScores: readonly string[],
): Promise<Step[]> {
  const { keys } = compared
  const before = await beforeChanges(build, compared)
  const differences = new Map(compared.differences)
  addTo(differences, keys.counters, counters)
  addTo(differences, keys.calendarBooks, before)
  const fixed = [keys.counters, keys.calendarBooks, keys.globalStats]
  const all = [...differences.values()].sort(
    (one, other) => Number(fixed.includes(other.key)) - Number(fixed.includes(one.key)),
  )
  const own = await ownRanks(build.app, keys)
  const steps: Step[] = []
  for (let from = 0; from < all.length; from += maxKeys) {
    const some = all.slice(from, from + maxKeys)
    const ranks = some.flatMap(({ key, add, odd }) => ranksOf(build.app, keys, key, [...add.keys(), ...odd]))
    steps.push({ differences: some, ranks })
  }
  const scores = rankUsers(build.app, keys, wrongScores)
  if (scores.length > 0) steps.push({ differences: [], ranks: scores })
  for (let from = 0; from < own.length; from += maxRanks) {
    steps.push({ differences: [], ranks: own.slice(from, from + maxRanks) })
  }
  return steps
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
