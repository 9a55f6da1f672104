import { expect, test } from 'vitest'
import { addRedo, addUndo, newUndoId } from '../../../../src/control/add-undo.ts'
import { readUndo, readUndos } from '../../../../src/control/undos.ts'
import { requireRedisServer } from '../../../support/requires.ts'
import { openUndoWorld, readNumbers, sendBodies, settled, type UndoWorld, workOff } from '../../../support/undo.ts'

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
  const result = await workOff(world, jobId)
  await settled(world)
  return result
}

async function redo(world: UndoWorld, name: string) {
  const jobId = newUndoId()
  expect(await addRedo(world.app, world.queues, name, { by, jobId })).toBeUndefined()
  const result = await workOff(world, jobId)
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
      return readNumbers(world.redis)
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
      radius: preview?.radius,
      undone: { orders: 20 },
    })
    expect(await redo(world, 'twice')).toMatchObject({ orders: count / 3, left: 0, revenue: result?.revenue })
    expect(await readNumbers(redis)).toEqual(before)
    expect(await readUndo(app, 'twice')).toMatchObject({ state: 'redone' })
    expect(await undo(world, 'again')).toMatchObject({ orders: count / 3 })
    expect(await readNumbers(redis)).toEqual(without)
  })
}
