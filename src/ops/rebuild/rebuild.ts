import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { aggregate } from '../../stages/aggregate.ts'
import { archive } from '../../stages/archive/archive.ts'
import { calendar } from '../../stages/calendar.ts'
import { markErased, readErasures } from '../../stages/erasure/erasures.ts'
import { leaderboard } from '../../stages/leaderboard.ts'
import type { Pipeline, Stage } from '../../stages/placed.ts'
import { rankAll } from '../calendar/boards.ts'
import type { Archive } from './archive.ts'
import { type Compared, comparePartition } from './compare/compare.ts'
import { wrongScores } from './compare/scores.ts'
import { withoutMoved } from './compare/shared.ts'
import { type Build, shadowsOf } from './feed.ts'
import { lacksOf } from './flip/books.ts'
import type { Comparison } from './flip/flip-all.ts'
import { beginRun, newToken } from './progress.ts'

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
  const run = await beginRun(app, what, alive)
  const read = app.partitions.map(async (keys) => [keys, await readErasures(app.redis, keys)] as const)
  const erased = new Map(await Promise.all(read))
  return {
    ...building,
    app,
    run,
    erasures: erased,
    first: app.pipeline.first,
    format: app.format,
    shadows: shadowsOf(app),
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
    const from = `${name} reads ${stage.from}, and the archive keeps what ${pipeline.first.name} passes on`
    throw new OrdersError('ORD_USAGE', `${from}: only a stage that reads the same can be built from it.`)
  })
}

/** Brings the shadows up to the archive's end, and compares. */
export async function compareAll(build: Build): Promise<Comparison> {
  const { app, stages, alive } = build
  const token = await newToken(app, build.run.id)
  const each: Compared[] = []
  for (const keys of app.partitions) each.push(await comparePartition(build, keys))
  const partitions = withoutMoved(each)
  const has = (name: string): boolean => stages.some((stage) => stage.name === name)
  const users: string[][] = []
  let periods = 0
  for (const compared of partitions) {
    users.push(has(aggregate.name) ? await wrongScores(app, compared, alive) : [])
    const isReadable = [...compared.differences.values()].every(({ isReplaced }) => !isReplaced)
    if (has(calendar.name) && isReadable) periods += (await rankAll(app, compared.keys, 'check', alive)).wrong.length
  }
  return { token, partitions, lacks: lacksOf(stages, partitions), scores: { users, periods } }
}

/** @throws OrdersError ORD_BOOKS if stages have counted orders that the archive does not have: a flip would forget them */
export function requireWhole({ lacks }: Pick<Comparison, 'lacks'>): void {
  for (const [stage, records] of lacks) {
    if (records >= 0) continue
    const text = `${stage} has counted ${-records} orders and corrections that the archive does not have`
    throw new OrdersError('ORD_BOOKS', `${text}: nothing was changed, as a flip would forget them.`)
  }
}
