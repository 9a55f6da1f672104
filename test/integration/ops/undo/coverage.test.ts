import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../../src/app.ts'
import { addUndo, newUndoId } from '../../../../src/control/undo/add-undo.ts'
import { admittedOrder } from '../../../../src/messages.ts'
import { expireSegments } from '../../../../src/ops/archive/expire.ts'
import { flip } from '../../../../src/ops/rebuild/flip/flip.ts'
import { undoLines } from '../../../../src/ops/terminal/jobs/undo-text.ts'
import { archive } from '../../../../src/stages/archive/archive.ts'
import { flushArchive } from '../../../../src/stages/archive/flush.ts'
import { openStore } from '../../../../src/stages/archive/store/store.ts'
import { definePipeline } from '../../../../src/stages/define-pipeline.ts'
import { hadFrom, missedBefore } from '../../../../src/stages/missed-before.ts'
import type { Stage } from '../../../../src/stages/placed.ts'
import { trim } from '../../../../src/stages/runner/trim.ts'
import { defineObserver, hincrby } from '../../../../src/stages/stage.ts'
import { maxId } from '../../../../src/stream-id.ts'
import { rebuilt, runningStages } from '../../../support/rebuilding.ts'
import { requireRedisServer } from '../../../support/requires.ts'
import { definitions, shipped, withArchive } from '../../../support/stages.ts'
import { openUndoWorld, runUndo, sendBodies, settled, type UndoWorld } from '../../../support/undo.ts'
import { until } from '../../../support/until.ts'

const day = 86_400_000
const flushed = (app: PartitionScope) => flushArchive(app, AbortSignal.timeout(30_000))
const order = (order_id: string, order_value: number): string =>
  JSON.stringify({ user_id: 'ann', order_id, order_value, source: order_id })

async function undo(world: UndoWorld, name: string, more: object = {}) {
  const jobId = newUndoId()
  const window = { name, fromMs: Date.now() - day, toMs: Date.now() + day, dryRun: false, ...more }
  expect(await addUndo(world.app, world.queues, window, { by: 'ann', jobId })).toBeUndefined()
  const result = await runUndo(world, jobId)
  await settled(world)
  return result
}

const spend = defineObserver({
  name: 'spend',
  takes: admittedOrder,
  counts: 'spent',
  decide: ({ minor, user_id }, keys) => [hincrby(keys.own('spend', 'by-user'), user_id, minor)],
})
const withSpend = definePipeline([definitions.validate, spend, archive, definitions.aggregate, definitions.leaderboard])

test('an undo is refused for what an observer that was added later has not counted', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld(undefined, 'here', withArchive)
  const { app, redis } = world
  const on = { ...world, app: { ...app, pipeline: withSpend } }
  const spent = () => redis.hget(app.keys.own('spend', 'by-user'), 'ann')
  await sendBodies(world, [order('o1', 10)])
  await flushed(app)
  for (const stage of app.pipeline.stages) await trim(app, stage, { thorough: true })
  await using _ = await runningStages(on.app, ['spend'])
  await sendBodies(world, [order('o2', 5)])
  await until('it to be counted', spent, (minor) => minor === '500')
  await expect(undo(on, 'both', { dryRun: true })).rejects.toThrow(
    /^Some of these orders came before spend began at \S+, and it has not counted them: run orders backfill spend first\.$/,
  )
  expect(await undo(on, 'late', { where: { source: 'o2' } })).toMatchObject({ orders: 1, left: 0 })
  await until('it to be taken back', spent, (minor) => minor === '0')

  using store = await openStore(app.config)
  const { build, compared } = await rebuilt({ app: on.app, store }, ['spend'])
  await flip(build, compared, undefined)
  expect(await spent()).toBe('1000')
  expect(await undo(on, 'early')).toMatchObject({ orders: 1, left: 0 })
  await until('both to be taken back', spent, (minor) => minor === '0')
})

test('a stage has missed nothing, orders before an entry, or it is not known which; a backfill says from where it has all', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld(2, 'elsewhere', withSpend)
  const { app, redis } = world
  const stage = app.pipeline.stage('spend') as Stage
  const [first, second] = app.partitions as [PartitionScope['keys'], PartitionScope['keys']]
  expect(await missedBefore(app, stage)).toBeUndefined()
  await redis.hset(first.counters, 'spend:missed', 2)
  expect(await missedBefore(app, stage)).toBe(maxId)
  await redis.hset(first.missedBefore, 'spend', '5-0')
  await redis.hset(second.missedBefore, 'spend', '7-0')
  expect(await missedBefore(app, stage)).toBe('5-0')
  await redis.hset(second.counters, 'spend:missed', 2)
  expect(await missedBefore(app, stage)).toBe('7-0')
  await hadFrom(app, stage, '1-0')
  expect(await missedBefore(app, stage)).toBe('1-0')
})

test('the radius says from when on the archive has orders, and that it missed some of the window', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld(undefined, 'here', shipped)
  const on = { ...world, app: { ...world.app, pipeline: withArchive } }
  await sendBodies(world, [order('o1', 10)])
  for (const stage of shipped.stages) await trim(world.app, stage, { thorough: true })
  await using _ = await runningStages(on.app, ['archive'])
  await sendBodies(world, [order('o2', 5)])
  const preview = await undo(on, 'all', { dryRun: true })
  const warning = /^The archive has missed orders that passed before (\S+Z): those of this window stay\.$/
  expect(preview).toMatchObject({ orders: 1, radius: { warning: expect.stringMatching(warning) } })
  expect(undoLines(preview, on.app.format).join(' ')).toContain('The archive has missed orders')
  const begin = Date.parse(warning.exec(preview.radius?.warning ?? '')?.[1] ?? '')
  const later = await undo(on, 'all', { dryRun: true, fromMs: begin })
  expect(later.radius).toMatchObject({ orders: 1, archive_from: expect.stringMatching(/Z$/) })
  expect(later.radius).not.toHaveProperty('warning')
})

test('the radius says that segments of the window are removed', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld(undefined, 'here', withArchive)
  const { app } = world
  await sendBodies(world, [order('o1', 10)])
  expect((await undo(world, 'all', { dryRun: true })).radius).not.toHaveProperty('warning')
  await flushed(app)
  using store = await openStore(app.config)
  expect(await expireSegments(app, store, { days: 1, nowMs: Date.now() + 2 * day })).toBe(1)
  await sendBodies(world, [order('o2', 5)])
  expect(await undo(world, 'all', { dryRun: true })).toMatchObject({
    orders: 1,
    radius: { warning: 'The archive has removed orders, after ARCHIVE_DAYS: those of this window stay.' },
  })
  const later = await undo(world, 'all', { dryRun: true, fromMs: Date.now() })
  expect(later.radius).not.toHaveProperty('warning')
})
