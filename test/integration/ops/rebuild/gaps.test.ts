import { expect, test } from 'vitest'
import type { App } from '../../../../src/app.ts'
import { admittedOrder } from '../../../../src/messages.ts'
import { leaveArchive } from '../../../../src/ops/archive/leave.ts'
import { flip } from '../../../../src/ops/rebuild/flip/flip.ts'
import { revertFlip } from '../../../../src/ops/rebuild/flip/revert.ts'
import { requireSound } from '../../../../src/ops/rebuild/rebuild.ts'
import { comparisonOf } from '../../../../src/ops/rebuild/reply.ts'
import { buildFrom } from '../../../../src/ops/rebuild/session.ts'
import { readCounters } from '../../../../src/reads/counters.ts'
import { archive } from '../../../../src/stages/archive/archive.ts'
import { definePipeline } from '../../../../src/stages/define-pipeline.ts'
import { leaveObserver } from '../../../../src/stages/layout/leave.ts'
import type { Pipeline } from '../../../../src/stages/placed.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { trim } from '../../../../src/stages/runner/trim.ts'
import { defineObserver, hincrby } from '../../../../src/stages/stage.ts'
import {
  openRebuildWorld,
  type RebuildWorld,
  rebuilt,
  runningStages,
  sendOrders,
  settled,
} from '../../../support/rebuilding.ts'
import { definitions } from '../../../support/stages.ts'

const { signal } = new AbortController()

const revenue = defineObserver({
  name: 'revenue',
  takes: admittedOrder,
  counts: 'booked',
  decide: (_, keys) => [hincrby(keys.own('revenue', 'sum'), 'records', 1)],
})
const { validate, aggregate, leaderboard } = definitions
const list = {
  none: definePipeline([validate, aggregate, leaderboard]),
  archive: definePipeline([validate, archive, aggregate, leaderboard]),
  revenue: definePipeline([validate, revenue, aggregate, leaderboard]),
  both: definePipeline([validate, revenue, archive, aggregate, leaderboard]),
}

/** Counts orders with other stages than before, and trims the stream, so that a stage which is added later misses them. */
async function counts(world: RebuildWorld, pipeline: Pipeline, from: number, to: number): Promise<RebuildWorld> {
  const other = { ...world, app: { ...world.app, pipeline } }
  {
    await using _ = await runningStages(other.app)
    await sendOrders(other, from, to)
    await settled(other)
  }
  await trimAll(other.app)
  return other
}

async function trimAll(app: App): Promise<void> {
  for (const keys of app.partitions)
    for (const stage of app.pipeline.stages) await trim({ ...app, keys }, stage, { thorough: true })
}

async function leaveRevenue(app: App): Promise<void> {
  for (const keys of app.partitions)
    expect(await leaveObserver({ ...app, keys }, 'revenue', { key: keys.calendarBooks, fields: ['none'] })).toBe('left')
}

const recordsOf = async ({ app, redis }: RebuildWorld): Promise<number> => {
  const all = app.partitions.map((keys) => redis.hget(keys.own('revenue', 'sum'), 'records'))
  return (await Promise.all(all)).reduce((sum, one) => sum + Number(one), 0)
}
const counterOf = async ({ app }: RebuildWorld, name: string): Promise<number> =>
  (await readCounters(app.redis, app.partitions))[name] ?? 0

/** Compares, and flips if that is sound. @returns how many records the stage lacked */
async function flipSound(world: RebuildWorld, stage: string, keep?: string): Promise<number> {
  const { build, compared } = await rebuilt(world, [stage])
  requireSound(compared, false)
  await flip(build, compared, keep)
  return compared.lacks.get(stage) ?? 0
}

const refusal = (stage: string): RegExp =>
  new RegExp(
    `^The archive has missed 13 orders and corrections, the last before 20\\S+Z, and ${stage} may have counted`,
  )

test('an observer keeps what it has counted while the archive was away', async () => {
  await using before = await openRebuildWorld(2, list.archive)
  await counts(before, list.archive, 0, 20)
  await leaveArchive(before.app)
  await counts(before, list.revenue, 20, 30)
  const world = await counts(before, list.both, 30, 40)
  expect(await counterOf(world, 'archive:missed')).toBe(13)
  const records = await recordsOf(world)
  const { compared } = await rebuilt(world, ['revenue'])
  expect(compared.lacks.get('revenue')).toBeGreaterThan(0)
  expect(() => requireSound(compared, true)).toThrow(refusal('revenue'))
  expect(comparisonOf(compared, 0, world.app.format.money)).toMatchObject({ equal: false, gaps: { revenue: 13 } })
  expect(await recordsOf(world)).toBe(records)
})

test('aggregate keeps what it has counted while the archive was away, however much else it lacks', async () => {
  await using before = await openRebuildWorld(2, list.archive)
  const { redis } = before
  await counts(before, list.archive, 0, 40)
  await redis.flushdb()
  await counts(before, list.archive, 40, 60)
  await leaveArchive(before.app)
  await counts(before, list.none, 20, 30)
  const world = await counts(before, list.archive, 60, 70)
  expect(await counterOf(world, 'archive:missed')).toBe(13)
  const { compared } = await rebuilt(world, ['aggregate'])
  expect(compared.lacks.get('aggregate')).toBeGreaterThan(0)
  expect(() => requireSound(compared, true)).toThrow(refusal('aggregate'))
})

test('an archive that began later than the system refuses a flip of what was counted before, as a sum', async () => {
  await using before = await openRebuildWorld(2, list.none)
  await counts(before, list.none, 20, 30)
  const world = await counts(before, list.archive, 30, 40)
  const { compared } = await rebuilt(world, ['aggregate'])
  const text = 'aggregate has counted 13 orders and corrections that the archive does not have: nothing was changed'
  expect(() => requireSound(compared, false)).toThrow(text)
})

test.each([['at its begin'], ['while it was away']])(
  'an observer that is added after the archive missed orders %s gets all that it has, again and again',
  async (when) => {
    const isAway = when !== 'at its begin'
    await using before = await openRebuildWorld(2, list.none)
    if (isAway) {
      await counts(before, list.archive, 0, 20)
      await leaveArchive({ ...before.app, pipeline: list.archive })
    }
    await counts(before, list.none, 20, 30)
    await counts(before, list.archive, 30, 40)
    const world = await counts(before, list.both, 40, 50)
    const all = await counterOf(world, 'archived')
    expect(await flipSound(world, 'revenue', 'kept')).toBeGreaterThan(0)
    expect(await recordsOf(world)).toBe(all)
    expect(await counterOf(world, 'revenue:missed')).toBe(13)
    const [keys] = world.app.partitions
    await world.redis.hincrby(keys?.own('revenue', 'sum') ?? '', 'records', 5)
    await flipSound(world, 'revenue')
    expect(await recordsOf(world)).toBe(all)
    await revertFlip(world.app, 'kept', async () => {})
    expect(await flipSound(world, 'revenue')).toBeGreaterThan(0)
    expect(await recordsOf(world)).toBe(all)

    // Away and back, it gets what it has missed. It keeps what the archive misses after that.
    await leaveRevenue(world.app)
    await counts(world, list.archive, 50, 60)
    await counts(world, list.both, 60, 70)
    expect(await flipSound(world, 'revenue')).toBeGreaterThan(0)
    expect(await recordsOf(world)).toBe(await counterOf(world, 'archived'))
    await leaveArchive(world.app)
    await counts(world, list.revenue, 70, 80)
    await counts(world, list.both, 80, 90)
    const { compared } = await rebuilt(world, ['revenue'])
    expect([...compared.gaps.keys()]).toEqual(['revenue'])
  },
)

test('an observer that was away after it had counted what the archive lacks keeps that', async () => {
  await using before = await openRebuildWorld(2, list.both)
  await counts(before, list.both, 0, 20)
  await leaveArchive({ ...before.app, pipeline: list.both })
  await counts(before, list.revenue, 20, 30)
  await counts(before, list.both, 30, 40)
  await leaveRevenue(before.app)
  await counts(before, list.archive, 40, 60)
  const world = await counts(before, list.both, 60, 70)
  const { compared } = await rebuilt(world, ['revenue'])
  expect(compared.lacks.get('revenue')).toBeGreaterThan(0)
  expect(() => requireSound(compared, false)).toThrow(refusal('revenue'))
})

test('nothing is built while the archive is away: what it misses is not known yet', async () => {
  await using world = await openRebuildWorld(2, list.archive)
  const { app } = world
  await counts(world, list.archive, 0, 20)
  await leaveArchive(app)
  await counts(world, list.none, 20, 30)
  const session = { from: undefined, untilMs: undefined, mayReplace: async () => {}, print: () => {}, read: () => {} }
  const build = () => buildFrom(app, { ...session, stages: [app.pipeline.stage('aggregate') as never] }, signal)
  await expect(build()).rejects.toMatchObject({ message: expect.stringMatching(/^No process has run archive yet/) })
  for (const keys of app.partitions) await ensureGroups({ ...app, keys })
  await using built = await build()
  expect(built.records).toBeGreaterThan(0)
})
