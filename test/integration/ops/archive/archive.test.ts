import { appendFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { expireSegments } from '../../../../src/ops/archive/expire.ts'
import { replaceSegment, unlessGone } from '../../../../src/ops/archive/replace.ts'
import { sweepArchive } from '../../../../src/ops/archive/sweep.ts'
import { verifyArchive } from '../../../../src/ops/archive/verify.ts'
import { readRecords } from '../../../../src/reads/archive/records.ts'
import type { LiveSegment } from '../../../../src/reads/archive/segments.ts'
import type { ArchivedRecord } from '../../../../src/stages/archive/record.ts'
import { readObject } from '../../../../src/stages/archive/store/store.ts'
import { readArchive } from '../../../support/archive.ts'
import { type ArchiveWorld, archiveOrders, openArchiveWorld, running, soon } from '../../../support/archive-world.ts'

const verify = ({ app, store }: ArchiveWorld) => verifyArchive({ app, store, signal: soon() })

test('an archive is right: its segments have their bytes, its chain is whole, and the books agree', async () => {
  await using world = await openArchiveWorld()
  await using _ = running(world.app)
  await archiveOrders(world, 1, 30)
  await archiveOrders(world, 30, 50)
  expect(await verify(world)).toEqual({
    ...{ verdict: 'right', chains: 1, segments: 2, records: 49, bytes: expect.any(Number), waiting: 0, before: 0 },
    ...{ differences: [], notes: [] },
  })
})

test.each<[string, (world: ArchiveWorld, segment: string) => Promise<unknown> | unknown, RegExp]>([
  ['a segment has another byte', ({ folder }, name) => appendFileSync(join(folder, name), 'x'), /bytes|unpacked/],
  ['a segment is missing', ({ folder }, name) => rmSync(join(folder, name)), /is missing/],
  ['the counter is another', ({ redis, app }) => redis.hincrby(app.keys.counters, 'archived', 1), /counter archived/],
  ['a line was changed', ({ folder }) => changeLine(folder), /is missing, or was changed|no line/],
])('an archive is wrong if %s', async (_title, change, message) => {
  await using world = await openArchiveWorld()
  {
    await using _ = running(world.app)
    await archiveOrders(world, 1, 30)
  }
  await world.redis.ltrim(world.app.keys.archiveLines, 1, 0) // the store alone has them
  const { segments } = await readArchive(world.store, world.app)
  await change(world, segments[0]?.segment.name ?? '')
  const { verdict, differences } = await verify(world)
  expect({ verdict, text: differences.join('\n') }).toEqual({ verdict: 'wrong', text: expect.stringMatching(message) })
})

function changeLine(folder: string): void {
  const names = readdirSync(join(folder, 'manifest'), { recursive: true, encoding: 'utf8' })
  const [name = ''] = names.filter((one) => one.includes('000000000001-'))
  writeFileSync(join(folder, 'manifest', name), '{}')
}

async function* anonymous(user: string, records: AsyncIterable<ArchivedRecord>): AsyncIterable<ArchivedRecord> {
  for await (const record of records) yield record.user_id === user ? { ...record, user_id: 'erased:0' } : record
}

test('a segment is replaced once; its object is deleted; the archive stays right', async () => {
  await using world = await openArchiveWorld()
  const { app, store } = world
  await using _ = running(app)
  await archiveOrders(world, 1, 31)
  await archiveOrders(world, 31, 40)
  const before = await readArchive(store, app)
  const [first] = before.segments as [LiveSegment]
  const records = anonymous('u1', readRecords(store, first.segment))
  const replaced = await replaceSegment(app, store, first, { kind: 'erased', receipt: 'r1', records })
  const after = await readArchive(store, app)
  expect(after.segments.map(({ segment }) => segment.name)).toEqual([
    replaced?.name,
    ...before.segments.slice(1).map(({ segment }) => segment.name),
  ])
  expect(after.records).toEqual(
    before.records.map((record) =>
      record.user_id === 'u1' && Number(record.order_id.slice(1)) <= 30 ? { ...record, user_id: 'erased:0' } : record,
    ),
  )
  expect(await readObject(store, first.segment.name)).toBeUndefined()
  const again = replaceSegment(app, store, first, { kind: 'expired' })
  await expect(again.catch(unlessGone)).resolves.toBe(false)
  await archiveOrders(world, 40, 45)
  expect(await verify(world)).toMatchObject({ verdict: 'right', segments: 3 })
})

test('segments expire; objects that no line names are swept after a day, and never the others', async () => {
  await using world = await openArchiveWorld()
  const { app, store, folder } = world
  await using _ = running(app)
  await archiveOrders(world, 1, 11)
  const { segments } = await readArchive(store, app)
  const name = segments[0]?.segment.name ?? ''
  await store.put(`${name}.left`, Buffer.from('x'))
  await store.put(`${name}.old`, Buffer.from('x'))
  const [nowMs, old] = [Date.now(), new Date('2026-01-01')]
  for (const one of [name, `${name}.old`]) utimesSync(join(folder, one), old, old)
  expect(await sweepArchive(app, store, nowMs)).toEqual({ removed: 0, orphans: 1 })
  expect(await readObject(store, name)).toBeDefined()
  expect(await expireSegments(app, store, { days: 1, nowMs })).toBe(0)
  expect(await expireSegments(app, store, { days: 1, nowMs: nowMs + 2 * 86_400_000 })).toBe(1)
  expect(await readObject(store, name)).toBeUndefined()
  expect(await verify(world)).toMatchObject({ verdict: 'right', segments: 0 })
  expect(await readArchive(store, app)).toMatchObject({ segments: [], records: [] })
})
