import { expect, test } from 'vitest'
import { holdLock } from '../../../../src/control/lock.ts'
import { addRedo, addUndo, newUndoId } from '../../../../src/control/undo/add-undo.ts'
import { readUndo, readUndos } from '../../../../src/control/undo/undos.ts'
import { flip } from '../../../../src/ops/rebuild/flip/flip.ts'
import { sendReversals } from '../../../../src/ops/undo/send.ts'
import { readCounters } from '../../../../src/reads/counters.ts'
import { flushArchive } from '../../../../src/stages/archive/flush.ts'
import { openStore } from '../../../../src/stages/archive/store/store.ts'
import { pipeline } from '../../../../src/stages/pipeline.ts'
import { trim } from '../../../../src/stages/runner/trim.ts'
import { rebuilt } from '../../../support/rebuilding.ts'
import { requireRedisServer } from '../../../support/requires.ts'
import { runOrders } from '../../../support/run-orders.ts'
import { withArchive } from '../../../support/stages.ts'
import { openUndoWorld, readNumbers, runUndo, sendBodies, settled, type UndoWorld } from '../../../support/undo.ts'
import { until } from '../../../support/until.ts'

const day = 86_400_000
const daysAgo = (days: number): string => new Date(Date.now() - days * day).toISOString()

/** Orders of some users, each third of them from the source that is undone. */
const orders = (count: number): { body: string; isBad: boolean }[] =>
  Array.from({ length: count }, (_, at) => {
    const isBad = at % 3 === 0
    const order = {
      ...{ user_id: `u${at % 7}`, order_id: `o${at}`, order_value: at + 0.25, source: isBad ? 'twice' : 'shop' },
      ...(at % 5 === 0 ? {} : { order_timestamp: daysAgo(at % 4) }),
    }
    return { body: JSON.stringify(order), isBad }
  })

/** Corrections of some of the orders, on days of their own. */
const corrections = (count: number): { body: string; isBad: boolean }[] =>
  Array.from({ length: count }, (_, at) => {
    const order = { user_id: `u${at % 7}`, order_id: `o${at}`, event_id: 'e', order_timestamp: daysAgo(at % 2) }
    const events = [
      { event: 'order.refunded', amount: at / 2 },
      { event: 'order.cancelled' },
      { event: 'order.amended', order_value: at + 3 },
    ]
    const event = events[at % 4]
    return event ? [{ body: JSON.stringify({ ...order, ...event }), isBad: at % 3 === 0 }] : []
  }).flat()

async function sendAll(world: UndoWorld, count: number, wanted: (isBad: boolean) => boolean): Promise<void> {
  for (const wave of [orders(count), corrections(count)]) {
    await sendBodies(
      world,
      wave.flatMap(({ body, isBad }) => (wanted(isBad) ? [body] : [])),
    )
  }
}

const window = (name: string) => ({
  ...{ name, fromMs: Date.now() - day, toMs: Date.now() + day, where: { source: 'twice' }, dryRun: false },
})
const by = 'ann'

async function undo(world: UndoWorld, name: string, more: object = {}) {
  const jobId = newUndoId()
  expect(await addUndo(world.app, world.queues, { ...window(name), ...more }, { by, jobId })).toBeUndefined()
  const result = await runUndo(world, jobId)
  await settled(world)
  return result
}

async function redo(world: UndoWorld, name: string) {
  const jobId = newUndoId()
  expect(await addRedo(world.app, world.queues, name, { by, jobId })).toBeUndefined()
  const result = await runUndo(world, jobId)
  await settled(world)
  return result
}

for (const partitions of [undefined, 3]) {
  test(`after an undo all numbers are as if its orders had never come, and after its redo as before (${partitions ?? 'no'} partitions)`, async (context) => {
    requireRedisServer(context)
    const count = 60
    const without = await (async () => {
      await using world = await openUndoWorld(partitions)
      await sendAll(world, count, (isBad) => !isBad)
      return await readNumbers(world.redis)
    })()
    await using world = await openUndoWorld(partitions)
    const { app, redis } = world
    await sendAll(world, count, () => true)
    const before = await readNumbers(redis)
    expect(before).not.toEqual(without)
    const preview = await undo(world, 'twice', { dryRun: true })
    expect(preview).toMatchObject({ dry_run: true, orders: count / 3, radius: { orders: count / 3, forgotten: 0 } })
    expect(await readNumbers(redis)).toEqual(before)
    expect(await readUndos(app)).toEqual([])
    const result = await undo(world, 'twice')
    expect(result).toMatchObject({ orders: count / 3, left: 0, revenue: preview?.revenue, users: preview?.users })
    expect(await readNumbers(redis)).toEqual(without)
    expect(await readUndo(app, 'twice')).toMatchObject({
      state: 'undone',
      radius: { ...preview?.radius, ranks: [] },
      undone: { orders: 20 },
    })
    expect(await redo(world, 'twice')).toMatchObject({ orders: count / 3, left: 0, revenue: result?.revenue })
    expect(await readNumbers(redis)).toEqual(before)
    expect(await readUndo(app, 'twice')).toMatchObject({ state: 'redone' })
    expect(await undo(world, 'again')).toMatchObject({ orders: count / 3 })
    expect(await readNumbers(redis)).toEqual(without)
  })
}

const order = (fields: object): string => JSON.stringify({ user_id: 'ann', order_id: 'o1', source: 'twice', ...fields })
const reasons = async ({ redis }: UndoWorld): Promise<string[]> =>
  (await redis.lrange('invalid_orders', 0, -1)).map((json) => JSON.parse(json).reason)

test('a correction of an order that is undone is rejected, and counts when it is sent again after the redo', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld()
  await sendBodies(world, [order({ order_value: 10 })])
  await undo(world, 'twice')
  const late = [
    order({ event: 'order.refunded', amount: 0 }),
    order({ event: 'order.cancelled' }),
    order({ event: 'order.amended', order_value: 3 }),
  ]
  await sendBodies(world, [...late, order({ order_value: 10 })])
  expect(await reasons(world)).toEqual(late.map(() => 'Order o1 of user ann is undone'))
  expect(await world.redis.hmget('user:ann', 'order_count', 'total_spend_minor')).toEqual(['0', '0'])
  await redo(world, 'twice')
  await sendBodies(world, [order({ event: 'order.refunded', amount: 4, event_id: 'now' })])
  expect(await world.redis.hmget('user:ann', 'order_count', 'total_spend_minor')).toEqual(['1', '600'])
})

test('a correction that comes while an undo sends an order is taken back with it', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld()
  const { app, redis, queues } = world
  await sendBodies(world, [order({ order_value: 10 })])
  const jobId = newUndoId()
  await addUndo(app, queues, window('twice'), { by, jobId })
  await sendBodies(world, [order({ event: 'order.refunded', amount: 4, order_timestamp: daysAgo(1) })])
  const sent = { records: -1, minor: -1_000, sent: Date.now(), at: Date.now() }
  // As it was read before the refund.
  const stale = [{ userId: 'ann', orderId: 'o1', parts: [sent] }]
  expect(await sendReversals(app, stale, { name: 'twice', jobId, redo: false })).toBe(true)
  await settled(world)
  expect(await redis.hmget('user:ann', 'order_count', 'total_spend_minor')).toEqual(['1', '600'])
  expect(await runUndo(world, jobId)).toMatchObject({ orders: 1, revenue: 6, left: 0 })
  await settled(world)
  expect(await readNumbers(redis)).toEqual({})
})

test('of two undos that overlap each has its own orders, and a redo puts back only those', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld()
  await sendBodies(world, [order({ order_value: 10 }), order({ order_id: 'o2', order_value: 20, version: 2 })])
  expect(await undo(world, 'one', { where: { version: '2' } })).toMatchObject({ orders: 1, revenue: 20 })
  expect(await undo(world, 'all')).toMatchObject({ orders: 1, revenue: 10 })
  expect(await readUndo(world.app, 'all')).toMatchObject({ radius: { orders: 1, undone_before: 1 } })
  expect(await redo(world, 'all')).toMatchObject({ orders: 1, revenue: 10 })
  expect(await world.redis.hmget('user:ann', 'order_count', 'total_spend_minor')).toEqual(['1', '1000'])
  expect(await redo(world, 'one')).toMatchObject({ orders: 1, revenue: 20 })
  expect(await world.redis.hmget('user:ann', 'order_count', 'total_spend_minor')).toEqual(['2', '3000'])
})

test('a name is taken once, a running undo goes on, and only an undo that has ended is redone once', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld()
  const { app, queues } = world
  const add = (name: string, more: object = {}) =>
    addUndo(app, queues, { ...window(name), fromMs: 1, toMs: 2, ...more }, { by, jobId: newUndoId() })
  const redone = (name: string) => addRedo(app, queues, name, { by, jobId: newUndoId() })
  expect(await redone('twice')).toMatchObject({ isUnknown: true })
  expect(await add('twice')).toBeUndefined()
  expect(await add('twice')).toBeUndefined()
  expect(await add('twice', { toMs: 3 })).toMatchObject({ refused: expect.stringContaining('another name') })
  expect(await redone('twice')).toMatchObject({ refused: expect.stringContaining('has not ended') })
  await undo(world, 'ended')
  expect(await add('ended')).toMatchObject({ refused: expect.stringContaining('another name') })
  await redo(world, 'ended')
  expect(await redone('ended')).toMatchObject({ refused: expect.stringContaining('was redone') })
  expect((await readUndos(app)).map(({ name, state }) => [name, state]).sort()).toEqual([
    ['ended', 'redone'],
    ['twice', 'undoing'],
  ])
})

test('orders from before the calendar began are refused, until a backfill has put them on their days', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld(undefined, 'here', withArchive)
  const { app, redis, env } = world
  const dated = (count: number) =>
    until('orders to be dated', async () => (await readCounters(redis, app.partitions))['dated'] === count)
  await sendBodies(world, [order({ order_value: 10 })])
  await flushArchive(app, AbortSignal.timeout(30_000))
  for (const stage of app.pipeline.stages) await trim(app, stage, { thorough: true })
  await using calendar = runOrders(['run', 'calendar'], env)
  await calendar.started()
  await sendBodies(world, [order({ order_id: 'o2', order_value: 5 })])
  await dated(1)
  const on = { ...world, app: { ...app, pipeline } }
  const refused = undo(on, 'early', { dryRun: true })
  await expect(refused).rejects.toThrow(
    /^Some of these orders came before calendar began at \S+, and it has not counted them: run orders backfill calendar first\.$/,
  )
  expect(await undo(world, 'off', { dryRun: true })).toMatchObject({ orders: 2 })
  await using backfill = runOrders(['backfill', 'calendar', '--yes'], env)
  expect([(await backfill.exit()).code, backfill.stderr()]).toEqual([0, ''])
  expect(await undo(on, 'early')).toMatchObject({ orders: 2, left: 0 })
  await dated(4)
  expect(await readNumbers(redis)).toEqual({})
})

test('an undo during a rebuild is as any orders that come: numbers are as if its orders had never come', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld()
  const { app, redis } = world
  await sendBodies(world, [order({ order_value: 10 }), order({ order_id: 'o2', order_value: 5 })])
  await flushArchive(app, AbortSignal.timeout(30_000))
  await redis.hincrby('user:ann', 'order_count', 5)
  await using _ = await holdLock(redis, () => {}, AbortSignal.timeout(30_000)) // as a rebuild does
  using store = await openStore(app.config)
  const { build, compared } = await rebuilt({ app, store })
  expect(await undo(world, 'twice')).toMatchObject({ orders: 2, left: 0 })
  await flip(build, compared, undefined)
  expect(await readNumbers(redis)).toEqual({})
})
