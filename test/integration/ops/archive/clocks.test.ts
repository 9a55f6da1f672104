import { expect, test } from 'vitest'
import { leaveArchive } from '../../../../src/ops/archive/leave.ts'
import { verifyArchive } from '../../../../src/ops/archive/verify.ts'
import { flip } from '../../../../src/ops/rebuild/flip/flip.ts'
import { requireSound } from '../../../../src/ops/rebuild/rebuild.ts'
import type { Line } from '../../../../src/stages/archive/manifest.ts'
import { readArchive } from '../../../support/archive.ts'
import {
  type ArchiveWorld,
  aheadBy,
  archiveOnce,
  backup,
  openArchiveWorld,
  soon,
} from '../../../support/archive-world.ts'
import { rebuilt } from '../../../support/rebuilding.ts'
import { requireRealRedis } from '../../../support/requires.ts'

const verdict = async ({ app, store }: ArchiveWorld) => (await verifyArchive({ app, store, signal: soon() })).verdict
const total = ({ app, redis }: ArchiveWorld) => redis.hget(app.keys.globalStats, 'total_orders')

test.for([
  ['two minutes', 120_000],
  ['no time', 0],
] as const)(
  'after a failover from a master that is %s fast, and the loss of Redis, a rebuild has every order',
  async ([, ms], context) => {
    requireRealRedis(context)
    await using world = await openArchiveWorld()
    await archiveOnce(world, 1, 10)
    const replica = await backup(world)
    await archiveOnce(aheadBy(world, ms), 10, 12) // this line is lost, and its orders come again
    await replica()
    await archiveOnce(world, 10, 40)
    expect((await readArchive(world.store, world.app)).records).toHaveLength(39)
    await world.redis.flushdb()
    await archiveOnce(world, 50, 52)
    const { build, compared } = await rebuilt(world, ['aggregate'])
    requireSound(compared, false)
    await flip(build, compared, undefined)
    expect([await total(world), await verdict(world)]).toEqual(['41', 'right'])
  },
)

test('orders of a fast master count after the archive has left and returned on one whose clock is right', async () => {
  await using world = await openArchiveWorld()
  const { app, store } = world
  await archiveOnce(aheadBy(world, 120_000), 1, 10)
  await leaveArchive(app)
  await archiveOnce(world, 10, 20)
  for (const known of [app, undefined]) expect((await readArchive(store, known)).records).toHaveLength(19)
  expect((await rebuilt(world, ['aggregate'])).compared.lacks).toEqual(new Map([['aggregate', 0]]))
})

test('a chain begins later than every line of the store, also than those that Redis has lost', async (context) => {
  requireRealRedis(context)
  await using world = await openArchiveWorld()
  const { store } = world
  await archiveOnce(world, 1, 5)
  const restore = await backup(world)
  const fast = aheadBy(world, 300_000)
  await archiveOnce(fast, 5, 10)
  await archiveOnce(world, 10, 15) // its clock goes back
  await restore()
  await archiveOnce(world, 15, 20)
  const { chains } = await readArchive(store, undefined)
  const timesOf = (lines: readonly Line[]) => lines.toSorted((one, other) => one.seq - other.seq).map(({ at }) => at)
  const [first, second, lost] = [chains[0]?.lines, chains[1]?.lines, chains[0]?.abandoned].map((all) =>
    timesOf(all ?? []),
  )
  expect(lost).toHaveLength(2)
  for (const times of [first, [...(lost ?? []), ...(second ?? [])]]) expect(times).toEqual([...new Set(times)].sort())
})
