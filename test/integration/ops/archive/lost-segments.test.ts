import { expect, test } from 'vitest'
import { openQueues } from '../../../../src/control/job-queues.ts'
import { leaveArchive } from '../../../../src/ops/archive/leave.ts'
import { tidyArchive } from '../../../../src/ops/archive/loop.ts'
import { archivePlace } from '../../../../src/ops/erase/archive.ts'
import { archiveOf } from '../../../../src/ops/rebuild/open-archive.ts'
import { stagesToBuild } from '../../../../src/ops/rebuild/rebuild.ts'
import { buildFrom } from '../../../../src/ops/rebuild/session.ts'
import { readChains } from '../../../../src/reads/archive/chains.ts'
import { readRecords } from '../../../../src/reads/archive/records.ts'
import { lostSegments } from '../../../../src/reads/archive/segments.ts'
import { segmentPrefix } from '../../../../src/stages/archive/manifest.ts'
import { readArchive } from '../../../support/archive.ts'
import {
  type ArchiveWorld,
  aheadBy,
  archiveOnce,
  backup,
  openArchiveWorld,
  soon,
} from '../../../support/archive-world.ts'
import { requireRealRedis } from '../../../support/requires.ts'

const dayMs = 86_400_000

async function objectsOf({ store }: ArchiveWorld): Promise<string[]> {
  const names: string[] = []
  for await (const { name } of store.list(segmentPrefix)) names.push(name)
  return names
}

/** Archives in a chain that Redis loses, and in the one before and after. */
async function loseChain(world: ArchiveWorld): Promise<void> {
  await archiveOnce(world, 1, 10)
  const restore = await backup(world)
  await leaveArchive(world.app)
  await archiveOnce(world, 10, 20)
  await restore()
  await archiveOnce(world, 20, 30)
}

async function usersOfLost({ app, store }: ArchiveWorld): Promise<string[]> {
  const users: string[] = []
  for (const { segment } of lostSegments(await readChains(store, app)))
    for await (const { user_id } of readRecords(store, segment)) users.push(user_id)
  return users
}

test('an erasure writes segments that Redis has lost again, and keeps the records of others in them', async (context) => {
  requireRealRedis(context)
  await using world = await openArchiveWorld()
  const { app } = world
  await loseChain(world)
  const before = await usersOfLost(world)
  expect(before).toContain('u1')
  await using queues = openQueues(app.redis)
  const found: string[] = []
  for await (const { record, remove } of archivePlace({ app, queues, userId: 'u1' })) {
    found.push(record)
    await remove()
  }
  expect(found).toHaveLength(3)
  expect((await usersOfLost(world)).sort()).toEqual(before.map((user) => (user === 'u1' ? 'erased:0' : user)).sort())
  expect(await objectsOf(world)).toHaveLength(3)
  expect((await readArchive(world.store, app)).records).toHaveLength(19)
})

test('segments that Redis has lost are removed after ARCHIVE_DAYS, as the others', async (context) => {
  requireRealRedis(context)
  await using world = await openArchiveWorld({ ARCHIVE_DAYS: '1' })
  await loseChain(world)
  const { app } = aheadBy(world, 400 * dayMs)
  expect(await objectsOf(world)).toHaveLength(3)
  await tidyArchive({ ...app, now: () => new Date(Date.now() + 400 * dayMs) }, world.store, new Map())
  expect(await objectsOf(world)).toEqual([])
})

test('a rebuild says how many segments and records it leaves out', async (context) => {
  requireRealRedis(context)
  await using world = await openArchiveWorld({ START_WAIT_MS: '0' })
  const { app, store } = world
  await loseChain(world)
  expect(await archiveOf([{ store, app }]).lost()).toMatchObject([{ records: 10 }])
  const lines: string[] = []
  const session = { from: undefined, untilMs: undefined, mayReplace: async () => {}, read: () => {} }
  const stages = stagesToBuild(app.pipeline, ['aggregate'])
  await using _ = await buildFrom(app, { ...session, stages, print: (line) => void lines.push(line) }, soon())
  expect(lines.join()).toContain('Leaves out 1 segment with 10 records: Redis has lost their lines')
})
