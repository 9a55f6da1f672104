import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { feed } from '../../../../src/ops/rebuild/feed.ts'
import { archiveOf } from '../../../../src/ops/rebuild/open-archive.ts'
import { compareAll, openBuild, stagesToBuild } from '../../../../src/ops/rebuild/rebuild.ts'
import { builtTotals } from '../../../../src/ops/rebuild/totals.ts'
import { flushArchive } from '../../../../src/stages/archive/flush.ts'
import { openRebuildWorld, type RebuildWorld, rebuilt, runningStages, sendOrders } from '../../../support/rebuilding.ts'

/** Copies all that a rebuild has written. @returns what brings Redis back to that, as a failover does */
async function copyOf(redis: Redis): Promise<() => Promise<void>> {
  const names = await redis.keys('*rebuild:*')
  const copies = await Promise.all(names.map(async (name) => [name, await redis.dumpBuffer(name)] as const))
  return async () => {
    for (const name of await redis.keys('*rebuild:*')) await redis.del(name)
    for (const [name, copy] of copies) await redis.restore(name, 0, copy)
  }
}

/** Builds from an archive with two segments. Redis loses the first one after it was added. @param when it is lost */
async function buildLosing({ app, store, redis }: RebuildWorld, when: 'while it reads' | 'at the end') {
  const inner = archiveOf([{ store, app }])
  let lose = async (): Promise<void> => {}
  const archive: typeof inner = {
    ...inner,
    async *steps(after) {
      let segments = 0
      for await (const step of inner.steps(after)) {
        const at = step.records ? ++segments : 0
        if (at === 1) lose = await copyOf(redis)
        if (at === 2 && when === 'while it reads') await lose()
        yield step
      }
      expect(segments).toBeGreaterThan(1)
    },
  }
  const stages = stagesToBuild(app.pipeline, ['aggregate', 'calendar'])
  const at = { untilMs: Number.POSITIVE_INFINITY, read: () => {} }
  const build = await openBuild(app, { archive, stages, ...at, alive: async () => {}, mayReplace: async () => {} })
  const fed = feed(build).then(async () => {
    if (when === 'at the end') await lose()
  })
  return { build, fed }
}

async function openWorld(): Promise<RebuildWorld> {
  await using stack = new AsyncDisposableStack()
  const world = stack.use(await openRebuildWorld(undefined))
  await using _ = await runningStages(world.app)
  for (const from of [0, 40]) {
    await sendOrders(world, from, from + 40)
    await flushArchive(world.app)
  }
  const opened = stack.move()
  return { ...world, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

const gone = { code: 'ORD_USAGE', message: expect.stringContaining('no longer has what this one built') }

async function expectEqualThen(world: RebuildWorld): Promise<void> {
  const { compared } = await rebuilt(world)
  expect(compared.partitions.flatMap(({ differences }) => [...differences.keys()])).toEqual([])
  expect([...compared.lacks.values()]).toEqual([0, 0])
}

test('a rebuild ends where Redis has lost a batch before the next one, and then goes on from what is there', async () => {
  await using world = await openWorld()
  const { fed } = await buildLosing(world, 'while it reads')
  await expect(fed).rejects.toMatchObject(gone)
  await expectEqualThen(world)
})

test('nothing is compared or shown if Redis has lost the last batches', async () => {
  await using world = await openWorld()
  const { build, fed } = await buildLosing(world, 'at the end')
  await fed
  await expect(compareAll(build)).rejects.toMatchObject(gone)
  await expect(builtTotals(build)).rejects.toMatchObject(gone)
  await expectEqualThen(world)
})
