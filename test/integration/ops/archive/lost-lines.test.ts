import { expect, test } from 'vitest'
import { makePartitions } from '../../../../src/keys.ts'
import { closeChains } from '../../../../src/ops/archive/close-chains.ts'
import { leaveArchive } from '../../../../src/ops/archive/leave.ts'
import { replaceSegment } from '../../../../src/ops/archive/replace.ts'
import { sweepArchive } from '../../../../src/ops/archive/sweep.ts'
import { verifyArchive } from '../../../../src/ops/archive/verify.ts'
import type { Chain } from '../../../../src/reads/archive/chains.ts'
import { readRecords } from '../../../../src/reads/archive/records.ts'
import { type LiveSegment, liveSegments } from '../../../../src/reads/archive/segments.ts'
import { append } from '../../../../src/stages/archive/append.ts'
import { openChain, storeLines } from '../../../../src/stages/archive/lines.ts'
import type { Line, Segment } from '../../../../src/stages/archive/manifest.ts'
import { readObject } from '../../../../src/stages/archive/store/store.ts'
import { readArchive, replaceByFile } from '../../../support/archive.ts'
import {
  type ArchiveWorld,
  appendRemoval,
  archiveOrders,
  backup,
  openArchiveWorld,
  running,
  soon,
} from '../../../support/archive-world.ts'
import { requireRealRedis } from '../../../support/requires.ts'

const dayMs = 86_400_000
const verify = ({ app, store }: ArchiveWorld) => verifyArchive({ app, store, signal: soon() })
const firstOf = async ({ app, store }: ArchiveWorld): Promise<LiveSegment> =>
  (await readArchive(store, app)).segments[0] as LiveSegment

/** Does something while all stages run. */
async function whileRunning<T>({ app }: ArchiveWorld, act: () => Promise<T>): Promise<T> {
  await using _ = running(app)
  return await act()
}

/** Writes the same records again. */
async function rewrite({ app, store }: ArchiveWorld, live: LiveSegment): Promise<Segment> {
  const records = readRecords(store, live.segment)
  return (await replaceSegment(app, store, live, { kind: 'erased', receipt: 'r', records })) as Segment
}

test('the objects of lines that Redis has just lost stay, before and after a new chain begins', async (context) => {
  requireRealRedis(context)
  await using world = await openArchiveWorld()
  const { app, store } = world
  await whileRunning(world, () => archiveOrders(world, 1, 10))
  const restore = await backup(world)
  await whileRunning(world, () => archiveOrders(world, 10, 20))
  await restore()
  const { chains, segments } = await readArchive(store, undefined)
  expect(segments).toHaveLength(2)
  const sweep = () => sweepArchive(app, store, Date.now() + 2 * dayMs)
  expect(await sweep()).toEqual({ removed: 0, orphans: 0 })
  expect(await readArchive(store, app)).toMatchObject({ segments: segments.slice(0, 1) })
  expect(await verify(world)).toMatchObject({ verdict: 'right', notes: [] })
  await openChain(app, store)
  expect(await sweep()).toEqual({ removed: 0, orphans: 0 })
  expect((await verify(world)).notes.join()).toContain(`Redis has lost 1 lines of the chain ${chains[0]?.chain}`)
})

/** Brings Redis back to a moment before the last of two segments. */
async function restoreOld(world: ArchiveWorld): Promise<void> {
  await whileRunning(world, () => archiveOrders(world, 1, 10))
  const restore = await backup(world)
  await whileRunning(world, () => archiveOrders(world, 10, 20))
  await restore()
}

test.for([
  ['a repartition', closeChains],
  ['a leave', leaveArchive],
] as const)('lines that Redis has lost do not count once %s has ended the chains', async ([, end], context) => {
  requireRealRedis(context)
  await using world = await openArchiveWorld()
  const { app, store } = world
  await restoreOld(world)
  await end(app)
  for (const known of [app, undefined]) expect((await readArchive(store, known)).records).toHaveLength(9)
  await whileRunning(world, () => archiveOrders(world, 10, 20))
  expect(await verify(world)).toMatchObject({ verdict: 'right', records: 19 })
})

test('a chain that Redis has lost whole does not count: it began after the line where Redis goes on', async (context) => {
  requireRealRedis(context)
  await using world = await openArchiveWorld()
  const { app, store } = world
  const archived = async (known: typeof app | undefined) => (await readArchive(store, known)).records.length
  await whileRunning(world, () => archiveOrders(world, 1, 10))
  const older = await backup(world)
  await whileRunning(world, () => archiveOrders(world, 10, 20))
  const newer = await backup(world)
  for (const [at, restore, left] of [
    [20, older, 9],
    [30, older, 9],
    [40, newer, 19],
    [50, older, 9],
    [60, newer, 19],
  ] as const) {
    await restore()
    expect(await archived(app)).toBe(left)
    await whileRunning(world, () => archiveOrders(world, at, at + 5))
    for (const known of [app, undefined]) expect(await archived(known)).toBe(left + 5)
    expect(await verify(world)).toMatchObject({ verdict: 'right' })
  }
  await newer()
  await closeChains(app) // at once: no line shows that the chains of the older one are lost
  expect(await archived(undefined)).toBe(19)
})

test('the chains of a repartition do not count once Redis is restored to before it', async (context) => {
  requireRealRedis(context)
  await using world = await openArchiveWorld()
  const { app, store } = world
  await whileRunning(world, () => archiveOrders(world, 1, 10))
  const restore = await backup(world)
  await closeChains(app)
  const partitions = makePartitions(2)
  for (const keys of partitions) await openChain({ ...app, partitions, keys }, store)
  const linesOf = async (known: typeof app | undefined) =>
    (await readArchive(store, known)).chains.map(({ partition, lines }) => [partition, lines.length])
  expect(await linesOf(undefined)).toEqual([['none', 2], ...['0of2', '1of2'].map((name) => [name, 1])])
  await restore()
  const alone = ['0of2', '1of2'].map((name) => [name, 0])
  expect(await linesOf(app)).toEqual([['none', 2], ...alone])
  await whileRunning(world, () => archiveOrders(world, 10, 20))
  for (const known of [app, undefined]) expect(await linesOf(known)).toEqual([['none', 3], ...alone])
})

test('a segment that was taken out stays out when Redis loses the line: its object is gone', async (context) => {
  requireRealRedis(context)
  await using world = await openArchiveWorld()
  const { app, store } = world
  await whileRunning(world, () => archiveOrders(world, 1, 10))
  const restore = await backup(world)
  const { name } = await rewrite(world, await firstOf(world))
  await restore()
  const found = async () => (await readArchive(store, app)).segments.map(({ segment }) => segment.name)
  expect(await found()).toEqual([name])
  await whileRunning(world, () => archiveOrders(world, 10, 20))
  expect(await found()).toEqual([name, expect.anything()])
  expect((await readArchive(store, app)).chains).toHaveLength(2)
  expect(await verify(world)).toMatchObject({ verdict: 'right', records: 19 })
})

test('a writer that runs on sees that Redis has lost a line of another process, and begins a chain', async (context) => {
  requireRealRedis(context)
  await using world = await openArchiveWorld()
  const { app, store } = world
  await using _ = running(app)
  await archiveOrders(world, 1, 10)
  const restore = await backup(world, [app.keys.archive, app.keys.archiveLines])
  const replaced = await rewrite(world, await firstOf(world))
  await rewrite(world, { ...(await firstOf(world)), segment: replaced })
  await restore()
  await archiveOrders(world, 10, 20)
  const { chains, segments } = await readArchive(store, app)
  expect(chains).toHaveLength(2)
  expect(segments).toHaveLength(2)
  expect((await readArchive(store, undefined)).segments).toEqual(segments)
})

test('a line that another process has appended in the place of a lost one is found at the next cut', async (context) => {
  requireRealRedis(context)
  await using world = await openArchiveWorld()
  const { app, store } = world
  await using _ = running(app)
  await archiveOrders(world, 1, 10)
  const restore = await backup(world, [app.keys.archive, app.keys.archiveLines])
  const head = await openChain(app, store)
  await rewrite(world, await firstOf(world))
  await restore()
  await append(app, head, { content: { kind: 'expired', removes: 'another segment' } })
  const { chain, seq } = await openChain(app, store)
  expect({ isNew: chain !== head.chain, seq }).toEqual({ isNew: true, seq: 1 })
  const { chains } = await readArchive(store, undefined)
  expect(chains.map(({ lines, abandoned }) => [lines.length, abandoned.length])).toEqual([
    [3, 1],
    [1, 0],
  ])
})

test('an object is deleted only once the store has the line that takes it out', async () => {
  await using world = await openArchiveWorld()
  const { app, store } = world
  await using _ = running(app)
  await archiveOrders(world, 1, 10)
  const { segment } = await firstOf(world)
  await appendRemoval(world, segment.name)
  const sweep = () => sweepArchive(app, store, Date.now() + 2 * dayMs)
  expect(await sweep()).toEqual({ removed: 0, orphans: 0 })
  await storeLines(app, store)
  expect(await sweep()).toEqual({ removed: 1, orphans: 0 })
})

test('an object stays when Redis loses the line that takes it out before the store has it', async (context) => {
  requireRealRedis(context)
  await using world = await openArchiveWorld()
  const { app, store } = world
  await using _ = running(app)
  await archiveOrders(world, 1, 10)
  const live = await firstOf(world)
  const restore = await backup(world, [app.keys.archive, app.keys.archiveLines])
  let puts = 0
  const losing = {
    ...store,
    put: async (...args: Parameters<typeof store.put>) => {
      if (args[0].startsWith('manifest/') && ++puts === 1) return await restore() // nothing is stored, and the line is lost
      await store.put(...args)
    },
    delete: async (name: string) => {
      expect((await readArchive(store, undefined)).chains[0]?.lines).toHaveLength(3)
      await store.delete(name)
    },
  }
  await replaceSegment(app, losing, live, { kind: 'expired' })
  expect(puts).toBe(2)
  expect((await readArchive(store, app)).segments).toEqual([])
})

test('a segment that was written again too long ago is not committed: its object may be swept', async () => {
  await using world = await openArchiveWorld()
  const { app, store, redis } = world
  await using _ = running(app)
  await archiveOrders(world, 1, 10)
  const live = await firstOf(world)
  const behind = new Proxy(redis, {
    get: (of, name) => (name === 'time' ? async () => [Date.now() / 1_000 - 7_200, 0] : Reflect.get(of, name, of)),
  })
  const late = rewrite({ ...world, app: { ...app, redis: behind } }, live)
  await expect(late).rejects.toMatchObject({ code: 'ORD_ARCHIVE', message: expect.stringContaining('an hour ago') })
  expect((await readArchive(store, app)).segments).toEqual([live])
})

test('an entry that is in segments of two chains is found', async () => {
  await using world = await openArchiveWorld()
  const { app, store, redis } = world
  await whileRunning(world, () => archiveOrders(world, 1, 10))
  const { segment, chain } = await firstOf(world)
  const again = { ...segment, name: segment.name.replace('.ndjson', '0.ndjson') }
  await store.put(again.name, (await readObject(store, segment.name)) ?? Buffer.of())
  await redis.del(app.keys.archive, app.keys.archiveLines)
  const head = await openChain(app, store)
  expect(head.chain).not.toBe(chain)
  await append(app, head, { content: { kind: 'segment', segment: again } })
  const { verdict, differences } = await verify(world)
  expect({ verdict, text: differences.join('\n') }).toEqual({
    verdict: 'wrong',
    text: expect.stringMatching(/The entry \S+ is in \S+ and in \S+\./),
  })
})

test('an erasure that changes how many records there are is found', async () => {
  await using world = await openArchiveWorld()
  const { app, store } = world
  await using _ = running(app)
  await archiveOrders(world, 1, 10)
  const live = await firstOf(world)
  const fewer = async function* () {
    for await (const record of readRecords(store, live.segment)) if (record.user_id !== 'u1') yield record
  }
  await replaceSegment(app, store, live, { kind: 'erased', receipt: 'r', records: fewer() })
  const { differences } = await verify(world)
  expect(differences).toEqual([
    expect.stringMatching(/^The segment .* has other records than .*, whose place it took\.$/),
  ])
})

test('an archive that leaves while lines cannot be written says what is left to do', async () => {
  await using world = await openArchiveWorld()
  const { app, folder, redis } = world
  {
    await using _ = running(app)
    await archiveOrders(world, 1, 10)
  }
  await appendRemoval(world, 'a segment')
  const putBack = await replaceByFile(folder)
  await expect(leaveArchive(app)).rejects.toThrow(
    /^Redis keeps no orders .* cannot be written: .*\. Run this again .* delete these keys .*: pipeline:archive, /,
  )
  await putBack()
  await leaveArchive(app)
  expect(await redis.hkeys(app.keys.archive)).toEqual(['left'])
})

const sample: Segment = { name: '', first: '1-0', last: '1-0', entries: 1, orders: 1, records: 1, bytes: 1, sha256: '' }
const named = (name: string): Segment => ({ ...sample, name })
const chainOf = (chain: string, lines: readonly object[], abandoned: readonly object[] = []): Chain => ({
  ...{ chain, partition: 'none', head: '', isOpen: false, unstored: [] },
  lines: lines as Line[],
  abandoned: abandoned as Line[],
})

test('a segment that was replaced twice is followed to the end, in whatever order the chains come', () => {
  const added = { kind: 'segment', segment: named('one') }
  const first = { kind: 'erased', removes: 'one', segment: named('two') }
  const second = { kind: 'erased', removes: 'two', segment: named('three') }
  const names = (chains: readonly Chain[]) => liveSegments(chains).map(({ segment }) => segment.name)
  expect(names([chainOf('a', [added, second]), chainOf('b', [first])])).toEqual(['three'])
  expect(names([chainOf('a', [added], [second]), chainOf('b', [], [first])])).toEqual(['three'])
  const lost = { kind: 'erased', removes: 'one', segment: named('lost') }
  expect(names([chainOf('a', [added, first]), chainOf('b', [], [lost])])).toEqual(['two'])
  expect(names([chainOf('a', [added]), chainOf('b', [{ kind: 'expired', removes: 'one' }])])).toEqual([])
})
