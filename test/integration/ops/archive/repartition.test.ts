import { expect, test } from 'vitest'
import { openQueues } from '../../../../src/control/job-queues.ts'
import { holdLock } from '../../../../src/control/lock.ts'
import { readPauses } from '../../../../src/control/pauses.ts'
import { type Keys, makeControlKeys, makePartitions } from '../../../../src/keys.ts'
import { verifyArchive } from '../../../../src/ops/archive/verify.ts'
import { readRepartition } from '../../../../src/ops/manifest/repartition.ts'
import { bare } from '../../../../src/ops/manifest/settings.ts'
import { repartition } from '../../../../src/ops/repartition/phases.ts'
import { readArchive, replaceByFile } from '../../../support/archive.ts'
import {
  type ArchiveWorld,
  archiveOrders,
  backup,
  openArchiveWorld,
  running,
  soon,
} from '../../../support/archive-world.ts'
import { rebuilt } from '../../../support/rebuilding.ts'
import { requireRealRedis } from '../../../support/requires.ts'

/** Moves from no partitions to two, as `orders repartition` does. @returns the app with these */
async function toTwo({ app }: Pick<ArchiveWorld, 'app'>): Promise<ArchiveWorld['app']> {
  await using queues = openQueues(app.redis)
  await using lock = await holdLock(app.redis, () => {}, soon())
  const run = { app, queues, lock, timeoutMs: 20_000, force: false, print: () => {} }
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
