import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { aggregate } from '../../stages/aggregate.ts'
import { archive } from '../../stages/archive/archive.ts'
import { calendar } from '../../stages/calendar.ts'
import { markErased, readErasures } from '../../stages/erasure/erasures.ts'
import { leaderboard } from '../../stages/leaderboard.ts'
import type { Pipeline, Stage } from '../../stages/placed.ts'
import { newToken } from '../reconcile/token.ts'
import { type Compared, comparePartition } from './compare/compare.ts'
import { wrongPeriods, wrongScores } from './compare/scores.ts'
import { leaveOutMoved } from './compare/shared.ts'
import { type Build, shadowsOf } from './feed.ts'
import { beforeChanges, lacksOf, rejectedOf } from './flip/books.ts'
import type { Comparison } from './flip/flip.ts'
import { gapsOf } from './flip/gaps.ts'
import { gapText, rejectedText } from './flip/refusal-text.ts'
import { readHeld } from './flip/rejected.ts'
import type { Archive } from './open-archive.ts'
import { beginRun, requireRun } from './progress.ts'

/*
 * Builds the numbers again from the archive, in shadow keys next to the live ones, by the stages' own decisions. Then it finds
 * what each live key lacks of its shadow, and a flip adds just that.
 *
 * Every key that is built is a sum over records, whatever their order. So the difference between a live key and its shadow,
 * taken for the same records, is the same at any later moment, however many orders are counted. It is taken without a pause:
 * a script reads both keys and the entries that only one of them has, and what these entries add is computed by the same
 * decisions. Scores follow from the hashes.
 */

export interface Building {
  readonly archive: Archive
  readonly stages: readonly Stage[]
  /** Only records of entries up to this time, in ms, count; Infinity for all. */
  readonly untilMs: number
  alive(): Promise<void>
  /** Called before what an earlier rebuild of something else has built is deleted. @throws to keep it */
  mayReplace(): Promise<void>
  read(records: number): void
}

/**
 * Continues the same build where a process before left it, or begins it. Users who were erased from the archive are erased in
 * Redis too, which may have forgotten them.
 */
export async function openBuild(app: App, building: Building): Promise<Build> {
  const { archive, stages, untilMs, alive } = building
  const names = stages.map(({ name }) => name)
  const erasures = await archive.erasures()
  await alive()
  const toMark = untilMs === Number.POSITIVE_INFINITY ? erasures : [] // --until only shows numbers
  for (const { user, at } of toMark) if (user !== undefined) await markErased(app, user, { at })
  const what = JSON.stringify({
    archive: archive.name,
    erasures: erasures.length,
    stages: names,
    until: untilMs,
    form: 1,
  })
  const run = await beginRun(app, what, building)
  const read = app.partitions.map(async (keys) => [keys, await readErasures(app.redis, keys)] as const)
  const erased = new Map(await Promise.all(read))
  return {
    ...building,
    app,
    run,
    erasures: erased,
    first: app.pipeline.first,
    format: app.format,
    shadows: shadowsOf(app, run.id),
  }
}

/** The stages whose numbers the archive gives: they read what it keeps. Scores follow from the numbers of aggregate. */
export function stagesToBuild(pipeline: Pipeline, names: readonly string[]): Stage[] {
  const built = names.map((name) => (name === leaderboard.name ? aggregate.name : name))
  return [...new Set(built)].map((name) => {
    const stage = pipeline.stage(name)
    if (!stage) throw new OrdersError('ORD_USAGE', `There is no stage ${name}: there are ${pipeline.names.join(', ')}.`)
    if (name === archive.name)
      throw new OrdersError('ORD_USAGE', 'The archive is what is read: it has no numbers to build.')
    if (stage.from === pipeline.first.to && stage.to !== stage.from) return stage
    const { writer } = pipeline.channel(stage.from)
    const from = `${name} reads orders:${stage.from}, and the archive keeps the orders that ${pipeline.first.name} admits`
    const how = writer ? `: have it take those, and put it before ${writer.name} in the list of stages` : ''
    throw new OrdersError('ORD_USAGE', `${from}${how}.`)
  })
}

/** Brings the shadows up to the archive's end, and compares. */
export async function compareAll(build: Build): Promise<Comparison> {
  const { app, stages, alive } = build
  const token = await newToken(app, 'archive', alive)
  await requireRun(app, build.run)
  const partitions: Compared[] = []
  for (const keys of app.partitions) partitions.push(await comparePartition(build, keys))
  leaveOutMoved(partitions)
  const has = (name: string): boolean => stages.some((stage) => stage.name === name)
  const users: string[][] = []
  let periods = 0
  const isReadable = partitions.every(({ differences }) => differences.values().every((one) => !one.isReplaced))
  for (const compared of partitions) {
    users.push(has(aggregate.name) ? await wrongScores(app, compared, alive) : [])
    if (has(calendar.name) && isReadable) periods += await wrongPeriods(app, compared, alive)
  }
  const scores = { users, periods: has(calendar.name) && !isReadable ? undefined : periods }
  const before = isReadable ? await beforeChanges(build, partitions) : new Map()
  const lacks = lacksOf(stages, partitions)
  const found = await withoutAbsent(build, partitions)
  return { token, lacks, ...found, gaps: await gapsOf(app, stages), scores, before }
}

/** Leaves out what stages have rejected and the archive does not have: it is not among what a flip counts. */
async function withoutAbsent(
  build: Build,
  partitions: readonly Compared[],
): Promise<Pick<Comparison, 'partitions' | 'rejected' | 'held' | 'unwritten'>> {
  const { held, unwritten, absent } = await readHeld(build, [...rejectedOf(build.stages, partitions).keys()])
  const counted = partitions.map((one) => {
    const own = [...one.rejected].map(([name, orders]) => [name, orders - absent(one.keys, name)] as const)
    return { ...one, rejected: new Map(own) }
  })
  return { partitions: counted, rejected: rejectedOf(build.stages, counted), held, unwritten }
}

/**
 * Refuses a flip that would forget or double orders.
 * @param countRejected counts what a stage has rejected, too
 * @throws OrdersError ORD_BOOKS if stages have counted orders that the archive does not have, or have rejected some
 */
export function requireSound(
  comparison: Pick<Comparison, 'lacks' | 'gaps' | 'rejected' | 'held'>,
  countRejected: boolean,
): void {
  const { lacks, gaps, rejected } = comparison
  for (const [stage, records] of lacks) {
    if (records >= 0) continue
    const text = `${stage} has counted ${-records} orders and corrections that the archive does not have`
    throw new OrdersError('ORD_BOOKS', `${text}: nothing was changed, as a flip would forget them.`)
  }
  for (const [stage, gap] of gaps) {
    const other = 'An observer can be added again under another name: orders backfill gives that all of the archive.'
    throw new OrdersError('ORD_BOOKS', `${gapText(stage, gap)} Nothing was changed. ${other}`)
  }
  if (countRejected || rejected.size === 0) return
  throw new OrdersError('ORD_BOOKS', [...rejected].map(([stage]) => rejectedText(stage, comparison)).join(' '))
}
