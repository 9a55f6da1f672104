import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { readJob } from '../../src/control/job-queues.ts'
import { addRedo, addUndo, newUndoId } from '../../src/control/undo/add-undo.ts'
import { readUndo } from '../../src/control/undo/undos.ts'
import { requireRedisServer } from '../support/requires.ts'
import { openUndoWorld, readNumbers, sendBodies, settled, type UndoWorld } from '../support/undo.ts'
import { until } from '../support/until.ts'
import { employ, type Worker } from './worker.ts'

/* ORDERS=5000 KILLS=20 is the long form. Each undo, and each redo, sees so many kills. */
const orders = Number(process.env['ORDERS'] ?? 600)
const kills = Number(process.env['KILLS'] ?? 3)

const day = 86_400_000
const isBad = (at: number): boolean => at % 2 === 0

function bodies(wanted: (at: number) => boolean): [orders: string[], corrections: string[]] {
  const all = Array.from({ length: 2 * orders }, (_, at) => at).filter(wanted)
  const time = (at: number): string => new Date(Date.now() - (at % 5) * day).toISOString()
  const named = (at: number) => ({ user_id: `u${at % 50}`, order_id: `o${at}`, order_timestamp: time(at + 1) })
  const source = (at: number): string => (isBad(at) ? 'twice' : 'shop')
  return [
    all.map((at) => JSON.stringify({ ...named(at), order_timestamp: time(at), order_value: at, source: source(at) })),
    all
      .filter((at) => at % 7 < 2)
      .map((at) =>
        JSON.stringify(
          at % 7 === 0
            ? { event: 'order.cancelled', event_id: 'e', ...named(at) }
            : { event: 'order.refunded', amount: at / 2, event_id: 'e', ...named(at) },
        ),
      ),
  ]
}

/** Sends orders, then corrections; processes count them. */
async function send(world: UndoWorld, wanted: (at: number) => boolean): Promise<void> {
  for (const wave of bodies(wanted)) await sendBodies(world, wave)
}

/** Kills one of the workers at a time, while and after the job runs. */
async function killAll(workers: readonly Worker[]): Promise<void> {
  for (let kill = 0; kill < kills; kill++) {
    await sleep(Math.random() * 1_000)
    await workers[kill % workers.length]?.kill()
  }
}

async function ended({ queues }: UndoWorld, jobId: string): Promise<void> {
  const found = await until(
    `job ${jobId}`,
    () => readJob(queues, jobId),
    (one) => one?.state === 'completed' || one?.state === 'failed',
    120_000,
  )
  expect(found?.job.failedReason).toBeUndefined()
}

test('an undo and its redo that are killed again and again change each number once', {
  timeout: 600_000,
}, async (context) => {
  requireRedisServer(context)
  const without = await (async () => {
    await using world = await openUndoWorld(2)
    await send(world, (at) => !isBad(at))
    return await readNumbers(world.redis)
  })()
  await using world = await openUndoWorld(2, 'elsewhere')
  await using stages = employ(world.app.pipeline.names, world.env)
  await using jobs = employ(['jobs'], world.env)
  await Promise.all([stages.started(), jobs.started()])
  await send(world, () => true)
  const before = await readNumbers(world.redis)
  const window = { fromMs: Date.now() - day, toMs: Date.now(), where: { source: 'twice' }, dryRun: false }
  const by = { by: 'ann', jobId: newUndoId() }
  expect(await addUndo(world.app, world.queues, { name: 'twice', ...window }, by)).toBeUndefined()
  await killAll([jobs, stages])
  await ended(world, by.jobId)
  await settled(world)
  expect(await readNumbers(world.redis)).toEqual(without)
  expect(await readUndo(world.app, 'twice')).toMatchObject({ state: 'undone', undone: { orders, left: 0 } })
  const again = { by: 'ann', jobId: newUndoId() }
  expect(await addRedo(world.app, world.queues, 'twice', again)).toBeUndefined()
  await killAll([jobs, stages])
  await ended(world, again.jobId)
  await settled(world)
  expect(await readNumbers(world.redis)).toEqual(before)
  expect(await readUndo(world.app, 'twice')).toMatchObject({ state: 'redone', redone: { orders, left: 0 } })
})
