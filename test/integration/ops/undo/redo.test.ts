import { UnrecoverableError, Worker } from 'bullmq'
import { expect, test } from 'vitest'
import { bullConnection } from '../../../../src/control/job-queues.ts'
import { addRedo, addUndo, newUndoId } from '../../../../src/control/undo/add-undo.ts'
import type { UndoResult } from '../../../../src/control/undo/undo-job.ts'
import { readUndo } from '../../../../src/control/undo/undos.ts'
import { expireSegments } from '../../../../src/ops/archive/expire.ts'
import { sendReversals } from '../../../../src/ops/undo/send.ts'
import { flushArchive } from '../../../../src/stages/archive/flush.ts'
import { openStore } from '../../../../src/stages/archive/store/store.ts'
import { cancelJob } from '../../../../src/stages/invalid/cancel.ts'
import { requireRedisServer } from '../../../support/requires.ts'
import {
  forgetOrder,
  openUndoWorld,
  readNumbers,
  runUndo,
  sendBodies,
  settled,
  type UndoWorld,
} from '../../../support/undo.ts'
import { until } from '../../../support/until.ts'

const day = 86_400_000
const by = 'ann'
const ids = ['o1', 'o2', 'o3'] as const
const bodies = ids.map((order_id, at) => JSON.stringify({ user_id: 'ann', order_id, order_value: 10 * (at + 1) }))

async function asked(world: UndoWorld, name = 'twice'): Promise<string> {
  const jobId = newUndoId()
  const window = { name, fromMs: Date.now() - day, toMs: Date.now() + day, dryRun: false }
  expect(await addUndo(world.app, world.queues, window, { by, jobId })).toBeUndefined()
  return jobId
}

async function ended(world: UndoWorld, jobId: string): Promise<UndoResult> {
  const result = await runUndo(world, jobId)
  await (await world.queues.undo.getJob(jobId))?.remove() // no worker has it, so it would wait for ever
  await settled(world)
  return result
}

const redo = async (world: UndoWorld, name = 'twice') => {
  const jobId = newUndoId()
  const failed = await addRedo(world.app, world.queues, name, { by, jobId })
  return failed ?? (await ended(world, jobId))
}

const totals = ({ redis }: UndoWorld) => redis.hmget('user:ann', 'order_count', 'total_spend_minor')

test('a redo finds what the undo took, whatever the clock of the process says', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld()
  const ahead = { ...world, app: { ...world.app, now: () => new Date(Date.now() + 120_000) } }
  await sendBodies(world, bodies)
  expect(await ended(ahead, await asked(ahead))).toMatchObject({ orders: 3, left: 0 })
  expect(await redo(ahead)).toMatchObject({ orders: 3, left: 0 })
  expect(await totals(world)).toEqual(['3', '6000'])
})

test('a redo says what it has not found and why, and stays open as long as something is left', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld()
  const { app } = world
  await sendBodies(world, bodies)
  await ended(world, await asked(world))
  await forgetOrder(world, 'ann', 'o1')
  expect(await redo(world)).toMatchObject({
    ...{ orders: 2, left: 1 },
    left_reason: 'Not put back: 1. Of them the ledger has forgotten 1.',
  })
  expect(await totals(world)).toEqual(['2', '5000'])
  expect(await readUndo(app, 'twice')).toMatchObject({ state: 'redoing', redone: null })
  await flushArchive(app, AbortSignal.timeout(30_000))
  using store = await openStore(app.config)
  expect(await expireSegments(app, store, { days: 1, nowMs: Date.now() + 2 * day })).toBeGreaterThan(0)
  expect(await redo(world)).toMatchObject({
    ...{ orders: 0, left: 3 },
    left_reason: 'Not put back: 3. Of them the archive no longer has 3.',
  })
  expect(await readUndo(app, 'twice')).toMatchObject({ state: 'redoing', redone: null })
})

test('an undo that was cancelled can be redone, and its job never takes these orders again', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld()
  const { app, redis, queues } = world
  await sendBodies(world, bodies)
  const before = await readNumbers(redis)
  const jobId = await asked(world)
  const part = (at: number) => ({ records: -1, minor: -1_000 * (at + 1), sent: Date.now(), at: Date.now() })
  const orders = ids.map((orderId, at) => ({ userId: 'ann', orderId, parts: [part(at)] }))
  const sending = { name: 'twice', jobId, redo: false }
  expect(await sendReversals(app, orders.slice(0, 1), sending)).toBe(true)
  await settled(world)
  expect(await totals(world)).toEqual(['2', '5000'])
  expect(await redo(world)).toMatchObject({ refused: expect.stringContaining('has not ended') })
  expect(await cancelJob(app, queues, jobId)).toMatchObject({ result: 'stopping' })
  expect(await ended(world, jobId)).toMatchObject({ cancelled: true, orders: 1 })
  expect(await readUndo(app, 'twice')).toMatchObject({ state: 'undoing' })
  expect(await redo(world)).toMatchObject({ orders: 1, left: 0 })
  expect(await readUndo(app, 'twice')).toMatchObject({ state: 'redone', undone: null })
  expect(await readNumbers(redis)).toEqual(before)
  // The ledger knows that this undo has had the order.
  expect(await sendReversals(app, orders.slice(0, 1), { ...sending, jobId: newUndoId() })).toBe(true)
  await settled(world)
  expect(await readNumbers(redis)).toEqual(before)
})

test('an undo whose job has failed can be redone; what the job had sent is waited for, and it takes nothing when it is retried', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld()
  const { app, redis, queues } = world
  await sendBodies(world, bodies)
  const jobId = await asked(world)
  await failsForGood(world, jobId)
  const redoId = newUndoId()
  expect(await addRedo(app, queues, 'twice', { by, jobId: redoId })).toBeUndefined()
  await redis.hset(app.keys.outcome(jobId), 'sent', 1)
  const hasty = { ...world, app: { ...app, config: { ...app.config, jobVerdictMs: 100 } } }
  await expect(runUndo(hasty, redoId)).rejects.toThrow('1 of 1 orders have no verdict yet')
  await redis.hset(app.keys.outcome(jobId), 'duplicate', 1)
  await expect(runUndo(world, jobId)).rejects.toThrow(
    'A redo of the undo "twice" was asked for: it takes no more orders.',
  )
  expect(await ended(world, redoId)).toMatchObject({ orders: 0, left: 0 })
  expect(await readUndo(app, 'twice')).toMatchObject({ state: 'redone' })
  expect(await totals(world)).toEqual(['3', '6000'])
})

/** A worker takes the job, and fails. */
async function failsForGood({ redis, queues }: UndoWorld, jobId: string): Promise<void> {
  const connection = redis.duplicate({ maxRetriesPerRequest: null })
  const fail = async (): Promise<never> => {
    throw new UnrecoverableError('as ever')
  }
  const worker = new Worker('undo', fail, bullConnection(connection))
  await until(
    'the job to fail',
    () => queues.undo.getJobState(jobId),
    (state) => state === 'failed',
  )
  await worker.close()
  connection.disconnect()
}
