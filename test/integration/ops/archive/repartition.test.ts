import { expect, test } from 'vitest'
import { openQueues } from '../../../../src/control/job-queues.ts'
import { holdLock } from '../../../../src/control/lock.ts'
import { readPauses } from '../../../../src/control/pauses.ts'
import { type Keys, makeControlKeys, makePartitions } from '../../../../src/keys.ts'
import { closeChains, endChains, requireClosable } from '../../../../src/ops/archive/close-chains.ts'
import { leaveArchive } from '../../../../src/ops/archive/leave.ts'
import { verifyArchive } from '../../../../src/ops/archive/verify.ts'
import { readRepartition } from '../../../../src/ops/manifest/repartition.ts'
import { bare } from '../../../../src/ops/manifest/settings.ts'
import { repartition } from '../../../../src/ops/repartition/phases.ts'
import { manifestPrefix } from '../../../../src/stages/archive/manifest.ts'
import { readArchive, replaceByFile } from '../../../support/archive.ts'
import {
  type ArchiveWorld,
  aheadBy,
  archiveOnce,
  archiveOrders,
  backup,
  openArchiveWorld,
  running,
  soon,
} from '../../../support/archive-world.ts'
import { rebuilt } from '../../../support/rebuilding.ts'
import { requireRealRedis } from '../../../support/requires.ts'

/** Moves from no partitions to two, as `orders repartition` does. @returns the app with these */
async function toTwo({ app }: Pick<ArchiveWorld, 'app'>, force = false): Promise<ArchiveWorld['app']> {
  await using queues = openQueues(app.redis)
  await using lock = await holdLock(app.redis, () => {}, soon())
  const run = { app, queues, lock, timeoutMs: 20_000, force, print: () => {} }
  await repartition(run, { id: 'r', from: bare, to: 2, phase: 'drain', queues: [] }, soon())
  const partitions = makePartitions(2)
  return { ...app, partitions, control: makeControlKeys(partitions), keys: partitions[0] as Keys }
}

test('a repartition of a Redis that was restored counts no line that Redis has lost: verify and rebuild agree with it', async (context) => {
  requireRealRedis(context)
  await using world = await openArchiveWorld()
  const { store } = world
  const whileRunning = async (from: number, to: number): Promise<void> => {
    await using _ = running(world.app)
    await archiveOrders(world, from, to)
  }
  await whileRunning(1, 10)
  const restore = await backup(world)
  await whileRunning(10, 20)
  await restore()
  const app = await toTwo(world)
  expect((await readArchive(store, app)).records).toHaveLength(9)
  expect(await verifyArchive({ app, store, signal: soon() })).toMatchObject({ verdict: 'right', differences: [] })
  const { compared } = await rebuilt({ app, store }, ['aggregate'])
  expect(compared.lacks).toEqual(new Map([['aggregate', 0]]))
})

test('a repartition that cannot read the archive is refused before it stops anything', async () => {
  await using world = await openArchiveWorld()
  const { app, folder } = world
  {
    await using _ = running(app)
    await archiveOrders(world, 1, 10)
  }
  const putBack = await replaceByFile(folder)
  await expect(toTwo(world)).rejects.toMatchObject({ code: 'ORD_ARCHIVE' })
  expect(await readRepartition(app.redis)).toBeUndefined()
  expect(await readPauses(app.redis, app.control)).toEqual({})
  await putBack()
})

/** Archives in two chains. @returns what deletes the first line of the one that has ended */
async function twoChains(world: ArchiveWorld): Promise<() => Promise<void>> {
  await archiveOnce(world, 1, 10)
  const names: string[] = []
  for await (const { name } of world.store.list(manifestPrefix)) names.push(name)
  await leaveArchive(world.app)
  await archiveOnce(world, 10, 20)
  return () => world.store.delete(names[0] ?? '')
}

test('where a line of an old chain is missing, a repartition is refused before it stops anything', async () => {
  await using world = await openArchiveWorld()
  const { app } = world
  const lose = await twoChains(world)
  await lose()
  await expect(toTwo(world, true)).rejects.toThrow(/^Line 1 of the chain .* is missing, or was changed\.$/)
  expect(await readRepartition(app.redis)).toBeUndefined()
  expect(await readPauses(app.redis, app.control)).toEqual({})
})

test('once the archive was read, chains end without a look at those that have ended', async () => {
  await using world = await openArchiveWorld()
  const { app, redis } = world
  const lose = await twoChains(world)
  await requireClosable(app, soon())
  await lose()
  await endChains(app)
  expect(await redis.exists(app.keys.archive, app.keys.archiveLines)).toBe(0)
})

test('a line that is lost after the archive was read does not count once the chains have ended', async (context) => {
  requireRealRedis(context)
  await using world = await openArchiveWorld()
  const { app, store } = world
  await archiveOnce(world, 1, 10)
  await requireClosable(app, soon())
  const restore = await backup(world)
  await archiveOnce(world, 10, 20)
  await restore()
  await endChains(app)
  expect((await readArchive(store, undefined)).records).toHaveLength(9)
})

test('a line that a master five minutes fast has lost stops neither a repartition nor its end', async (context) => {
  requireRealRedis(context)
  await using world = await openArchiveWorld()
  const { app, store } = world
  await archiveOnce(world, 1, 10)
  const restore = await backup(world)
  await archiveOnce(aheadBy(world, 300_000), 10, 20)
  await restore()
  await archiveOnce(world, 10, 20)
  await requireClosable(app, soon())
  const before = (await readArchive(store, undefined)).chains
  await closeChains(app)
  const { chains, records } = await readArchive(store, undefined)
  expect([chains.length, records.length]).toEqual([before.length, 19])
})

test('chains end while the archive runs, and no line that comes meanwhile looks lost', async () => {
  await using world = await openArchiveWorld()
  const { app, store } = world
  await using _ = running(app)
  await archiveOrders(world, 1, 10)
  const archiving = archiveOrders(world, 10, 20)
  for (let times = 0; times < 5; times++) await requireClosable(app, soon())
  await archiving
  expect((await readArchive(store, app)).chains).toHaveLength(1)
})
