import { expect, test } from 'vitest'
import { judgeData, openMemory } from '../../../../src/ops/incidents/data.ts'
import { scanPartition } from '../../../../src/ops/incidents/scan.ts'
import { flip } from '../../../../src/ops/rebuild/flip/flip.ts'
import { revertFlip } from '../../../../src/ops/rebuild/flip/revert.ts'
import { partitionFor } from '../../../../src/partitions.ts'
import { readBooks } from '../../../../src/reads/books.ts'
import { openRebuildWorld, rebuilt, runningStages, sendOrders, settled } from '../../../support/rebuilding.ts'

const isRefused = { code: 'ORD_USAGE', message: expect.stringContaining('run this again') }

test.each([
  ['a key of another type', async (redis, name) => void (await redis.multi().del(name).set(name, 'text').exec())],
  ['a field that is no number', async (redis, name) => void (await redis.hset(name, 'order_count', 'many'))],
] satisfies [string, (redis: Awaited<ReturnType<typeof openRebuildWorld>>['redis'], name: string) => Promise<void>][])(
  '%s that was fixed after the comparison is not deleted by a flip',
  async (_name, damage) => {
    await using world = await openRebuildWorld(undefined)
    const { app, redis } = world
    {
      await using _ = await runningStages(app)
      await sendOrders(world, 0, 40)
      await settled(world)
    }
    const user = partitionFor(app.partitions, 'u1').userStats('u1')
    const right = await redis.hgetall(user)
    await damage(redis, user)
    const { build, compared } = await rebuilt(world)
    expect(compared.partitions.flatMap(({ differences }) => [...differences.keys()])).toEqual([user])
    await redis.multi().del(user).hset(user, right).exec()
    await expect(flip(build, compared, undefined)).rejects.toMatchObject(isRefused)
    expect(await redis.hgetall(user)).toEqual(right)
    const { compared: again } = await rebuilt(world)
    expect(again.partitions.flatMap(({ differences }) => [...differences.keys()])).toEqual([])
  },
)

test('a flip that is reverted lowers counters, and no process takes that for a loss of data', async () => {
  await using world = await openRebuildWorld(undefined)
  const { app, redis } = world
  {
    await using _ = await runningStages(app)
    await sendOrders(world, 0, 40)
    await settled(world)
  }
  await redis.flushdb()
  await using _ = await runningStages(app)
  await sendOrders(world, 40, 50)
  await settled(world)
  const { build, compared } = await rebuilt(world)
  await flip(build, compared, 'kept')
  const [keys] = app.partitions
  if (!keys) throw new Error('There is no partition.')
  const memory = openMemory()
  const look = async () => judgeData(memory, await scanPartition(app, keys), keys)
  expect(await look()).toBeUndefined()
  const received = Number(await redis.hget(keys.counters, 'received'))
  await revertFlip(app, 'kept', async () => {})
  expect(Number(await redis.hget(keys.counters, 'received'))).toBeLessThan(received)
  expect(await look()).toBeUndefined()
  expect((await readBooks(app)).differences).toEqual([])
  await redis.hincrby(keys.counters, 'received', -1)
  expect(await look()).toMatchObject({ kind: 'data', orders: 1 })
})

test('a flip of many users takes steps of a bounded size, and all of them are reverted', async () => {
  await using world = await openRebuildWorld(undefined)
  const { app, redis } = world
  const [keys] = app.partitions
  if (!keys) throw new Error('There is no partition.')
  await using _ = await runningStages(app)
  await sendOrders(world, 0, 10)
  await settled(world)
  const foreign = Array.from({ length: 2_100 }, (_, at) => keys.userStats(`foreign${at}`))
  const write = redis.pipeline()
  for (const name of foreign) write.hset(name, 'order_count', 1, 'total_spend_minor', 5)
  await write.exec()
  const there = () => redis.exists(...foreign)
  const { build, compared } = await rebuilt(world)
  expect((await flip(build, compared, 'kept')).keys).toBe(foreign.length)
  const steps = Object.values(await redis.hgetall(keys.rebuildKept('kept'))).map((text) => JSON.parse(text).length)
  expect([steps.length, Math.max(...steps)]).toEqual([5, 500]) // two fields and two scores of each user, 2,000 in a step
  expect(await there()).toBe(0)
  expect(await revertFlip(app, 'kept', async () => {})).toBe(foreign.length)
  expect(await there()).toBe(foreign.length)
  expect(await redis.exists(keys.rebuildKept('kept'))).toBe(0)
})
