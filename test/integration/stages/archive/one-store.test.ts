import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { closeChains } from '../../../../src/ops/archive/close-chains.ts'
import { leaveArchive } from '../../../../src/ops/archive/leave.ts'
import { beginChain } from '../../../../src/stages/archive/begin.ts'
import { flushArchive } from '../../../../src/stages/archive/flush.ts'
import { openChain } from '../../../../src/stages/archive/lines.ts'
import { requireSame } from '../../../../src/stages/archive/same-archive.ts'
import { openStore } from '../../../../src/stages/archive/store/store.ts'
import { readTail } from '../../../../src/stages/archive/tail.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { archiveFolder, readArchive } from '../../../support/archive.ts'
import {
  admitted,
  allStored,
  appendRemoval,
  archiveOrders,
  counter,
  openArchiveWorld,
  running,
  send,
  soon,
} from '../../../support/archive-world.ts'
import { until } from '../../../support/until.ts'

test('an empty folder in the place of the archive takes nothing: entries wait until it is mounted again', async () => {
  await using world = await openArchiveWorld()
  const { app, store, folder, redis } = world
  await using _ = running(app)
  await archiveOrders(world, 1, 10)
  renameSync(folder, `${folder}-away`)
  mkdirSync(folder)
  await send(world, 10, 20)
  await admitted(app, 19)
  await redis.set(app.keys.archiveFlush, '99999999999999-0')
  const failure = await until('it is written down', () => redis.hget(app.keys.archive, 'failure'))
  expect(failure).toMatch(/lacks lines of the chain .*: mount it, or set ARCHIVE_URL/)
  expect(await counter(app, 'archived')).toBe(9)
  expect((await readArchive(store, undefined)).chains).toEqual([])
  rmSync(folder, { recursive: true })
  renameSync(`${folder}-away`, folder)
  await flushArchive(app, soon())
  expect((await readArchive(store, app)).records).toHaveLength(19)
})

test('where the chains have ended, another archive is refused too, unless this one has left', async () => {
  await using world = await openArchiveWorld()
  const { app, store } = world
  {
    await using _ = running(app)
    await archiveOrders(world, 1, 10)
  }
  await closeChains(app)
  using other = archiveFolder()
  using elsewhere = await openStore({ ...app.config, archiveUrl: other.url })
  const empty = /is empty, and this system has archived orders: mount it/
  await requireSame(app, store)
  await expect(requireSame(app, elsewhere)).rejects.toThrow(empty)
  await expect(openChain(app, elsewhere)).rejects.toThrow(empty)
  await leaveArchive(app)
  await expect(requireSame(app, elsewhere)).rejects.toThrow(empty)
  expect(await openChain(app, elsewhere)).toMatchObject({ seq: 1 })
})

test('no chain begins while Redis alone has lines of the one before', async () => {
  await using world = await openArchiveWorld()
  const { app, store } = world
  await using _ = running(app)
  await archiveOrders(world, 1, 10)
  await appendRemoval(world, 'a segment')
  const tail = await readTail(app)
  const head = { chain: tail?.chain ?? '', seq: tail?.seq ?? 0, head: tail?.head ?? '' }
  expect(await beginChain(app, head, undefined, head)).toEqual({ status: 'head', head })
  expect(await readTail(app)).toEqual(tail)
  expect(await openChain(app, store)).toEqual(head)
})

test('a line that a killed process has left in Redis is written when the next one starts', async () => {
  await using world = await openArchiveWorld()
  const { app } = world
  {
    await using _ = running(app)
    await archiveOrders(world, 1, 10)
  }
  await appendRemoval(world, 'a segment')
  expect(await readTail(app)).toMatchObject({ seq: 3, stored: 2 })
  await using _ = running(app, ['archive'])
  await allStored(app)
})

test('the beginning of a chain is durable before the first segment follows it', async () => {
  await using world = await openArchiveWorld()
  const { app } = world
  await using _ = running(app, ['validate', 'aggregate', 'leaderboard'])
  await send(world, 1, 10)
  await admitted(app, 9)
  await app.redis.set(app.keys.archiveFlush, '99999999999999-0')
  const seen: (number | undefined)[] = []
  const stage = app.pipeline.stage('archive')
  if (!stage) throw new Error('no archive')
  const refused = runStage(
    app,
    stage,
    () => {},
    soon(),
    async () => {
      seen.push((await readTail(app))?.seq)
      throw new Error('not durable')
    },
  )
  await expect(refused).rejects.toThrow('not durable')
  expect({ seen, archived: await counter(app, 'archived') }).toEqual({ seen: [1], archived: 0 })
})
