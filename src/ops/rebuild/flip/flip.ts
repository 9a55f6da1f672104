import { markSound } from '../../../stages/missed-before.ts'
import { rankAll } from '../../calendar/boards.ts'
import { rankSome } from '../../reconcile/leaderboards.ts'
import { reconcile } from '../../reconcile/reconcile.ts'
import type { Compared } from '../compare/compare.ts'
import type { Build } from '../feed.ts'
import { runIsGone } from '../progress.ts'
import { readChange } from './books.ts'
import { type Change, type CounterChanges, counterChanges } from './counters.ts'
import type { Gap } from './gaps.ts'
import { stepsOf } from './steps.ts'

/** Scores that are not what the hashes say. */
export interface Scores {
  /** Users with such a score of all orders, by partition. */
  readonly users: readonly (readonly string[])[]
  /** How many of days, weeks and months; undefined if that is not known, as a hash is of another type: a flip sets them. */
  readonly periods: number | undefined
}

/** Holds what was compared, and the token by which it can be flipped. */
export interface Comparison {
  readonly token: string
  readonly partitions: readonly Compared[]
  /** By stage, how many records it lacks; below 0 if the archive lacks some that the stage has counted. */
  readonly lacks: ReadonlyMap<string, number>
  /** By stage, how many orders it has rejected that a flip counts, as the archive has them. Without those that have none. */
  readonly rejected: ReadonlyMap<string, number>
  /** By stage, the ids of the entries of the invalid channel that are among these: a replay would bring them back. */
  readonly held: ReadonlyMap<string, ReadonlySet<string>>
  /** How many of these orders the archive has yet to write. */
  readonly unwritten: number
  /** By stage, what the archive has missed and the stage may have counted: a flip would forget it. */
  readonly gaps: ReadonlyMap<string, Gap>
  readonly scores: Scores
  /** By field of the calendar's books, what came before it began and is not in them. */
  readonly before: CounterChanges
}

export interface Flipped {
  /** Keys that were corrected. */
  readonly keys: number
  /** The longest time that one step took, in ms: Redis served no other client for at most so long. */
  readonly maxMs: number
}

/**
 * Corrects the live keys of all partitions by what they lack. What a key lacks does not depend on orders that are counted
 * meanwhile, so no stage pauses. Killed at any moment and compared again, it goes on: what is corrected lacks nothing.
 * @param comparison that `requireSound` has let pass
 * @param keep the name under which it can be reverted
 */
export async function flip(
  build: Build,
  { token, partitions, lacks, scores, before }: Comparison,
  keep: string | undefined,
): Promise<Flipped> {
  const { app } = build
  await build.alive()
  await markSound(app, build.stages)
  const changes: Change[] = []
  for (const compared of partitions) changes.push(await readChange(build, compared))
  const counters = counterChanges(app.pipeline, build.stages, lacks, changes)
  let [keys, maxMs] = [0, 0]
  for (const [at, compared] of partitions.entries()) {
    const books = { counters: counters[at] ?? new Map(), before: at === 0 ? before : new Map() }
    let number = 0
    for await (const { isLast, ...plan } of stepsOf(build, compared, books)) {
      await build.alive()
      const began = performance.now()
      const step = {
        token: number === 0 ? token : `${token}:${number}`,
        nextToken: isLast ? '' : `${token}:${number + 1}`,
        kept: keep === undefined ? undefined : { name: keep, step: `${token}:${number}` },
      }
      if (!(await reconcile(app.redis, compared.keys, step, plan))) throw runIsGone()
      maxMs = Math.max(maxMs, performance.now() - began)
      keys += plan.differences.length
      number++
    }
  }
  const scope = { ...app, alive: build.alive }
  for (const [at, { keys }] of partitions.entries()) {
    await rankSome(scope, keys, 'set', scores.users[at] ?? [])
    if (scores.periods !== 0) await rankAll(scope, keys, 'set')
  }
  return { keys, maxMs }
}
