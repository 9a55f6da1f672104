import { appendFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { readRecords } from '../../../../src/reads/archive/records.ts'
import { readBooks } from '../../../../src/reads/books.ts'
import { flushArchive } from '../../../../src/stages/archive/flush.ts'
import type { Segment } from '../../../../src/stages/archive/manifest.ts'
import { readArchive } from '../../../support/archive.ts'
import {
  admitted,
  allStored,
  backup,
  bodyOf,
  counter,
  openArchiveWorld,
  running,
  send,
  soon,
} from '../../../support/archive-world.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { until } from '../../../support/until.ts'

test('every admitted order is in one segment, with its body, the id of its message and when it was sent', async () => {
  await using world = await openArchiveWorld()
  const { app, store } = world
  await using _ = running(app)
  await send(world, 1, 40, 1_700_000_000_123)
  await admitted(app, 39)
  await flushArchive(app, soon())
  await allStored(app)
  const { chains, segments, records } = await readArchive(store, app)
  expect(chains.map(({ lines }) => lines.map(({ kind }) => kind))).toEqual([
    ['begin', ...segments.map(() => 'segment')],
  ])
  expect(records.map(({ order_id, body, message_id, sent }) => [order_id, body, message_id, sent])).toEqual(
    Array.from({ length: 39 }, (_, at) => [`o${at + 1}`, bodyOf(at + 1), `m${at + 1}`, 1_700_000_000_123]),
  )
  expect(await readBooks(app)).toMatchObject({ balanced: true })
  expect(await readArchive(store, undefined)).toEqual({ chains: [{ ...chains[0], isOpen: false }], segments, records })
})

test('a correction is archived as it was passed on; the records after the archive have no body', async () => {
  await using world = await openArchiveWorld()
  const { app, store, redis } = world
  await using _ = running(app, ['validate', 'archive', 'aggregate'])
  await send(world, 5, 6)
  await admitted(app, 1)
  const body = JSON.stringify({ event: 'order.refunded', user_id: 'u2', order_id: 'o5', amount: 2, event_id: 'e1' })
  await enqueue(redis, app.keys, [{ id: 'm2', body }])
  await until(
    'it is corrected',
    () => counter(app, 'corrected'),
    (found) => found === 1,
  )
  await flushArchive(app, soon())
  const { records } = await readArchive(store, app)
  expect(records.at(-1)).toMatchObject({ order_id: 'o5', minor: -200, correction: 'refunded', event_id: 'e1', body })
  await until(
    'both are counted',
    () => redis.xlen('orders:counted'),
    (found) => found === 2,
  )
  expect(JSON.stringify(await redis.xrange('orders:counted', '-', '+'))).not.toContain('body')
})

test('entries that another consumer has committed meanwhile are in its segment alone; the rest come again', async () => {
  await using world = await openArchiveWorld()
  const { app, store, redis } = world
  await using _ = running(app, ['validate', 'aggregate', 'leaderboard'])
  await send(world, 1, 30)
  await admitted(app, 29)
  const stream = app.keys.stream('valid')
  await using first = running(app, ['archive'])
  const pending = () => redis.xpending(stream, 'archive') as Promise<[number, string]>
  const [held, id] = await until('it holds entries', pending, ([count]) => count > 0)
  await redis.xack(stream, 'archive', id)
  await redis.zadd(app.keys.committed('archive'), Number.parseInt(id, 10), id)
  await send(world, 30, 40)
  await admitted(app, 39)
  await flushArchive(app, soon())
  const { records } = await readArchive(store, app)
  const entries = new Set(records.map(({ entry }) => entry))
  expect(entries).not.toContain(id)
  expect(held).toBeGreaterThan(0)
  expect(new Set(records.map(({ order_id }) => order_id)).size).toBe(records.length)
  await first[Symbol.asyncDispose]()
})

test('a consumer that was killed is taken over: its entries are archived once', async () => {
  await using world = await openArchiveWorld()
  const { app, store, redis } = world
  await using _ = running(app)
  const stream = app.keys.stream('valid')
  await redis.xgroup('CREATE', stream, 'archive', '0', 'MKSTREAM').catch(() => {})
  await send(world, 1, 100)
  await admitted(app, 99)
  await flushArchive(app, soon())
  await send(world, 100, 150)
  await admitted(app, 149)
  await until(
    'it holds them',
    () => redis.xpending(stream, 'archive') as Promise<[number]>,
    ([count]) => count > 0,
  )
  const [, first] = (await redis.xpending(stream, 'archive')) as [number, string]
  await redis.xclaim(stream, 'archive', 'dead', 0, first, 'JUSTID')
  await flushArchive(app, soon())
  const { records } = await readArchive(store, app)
  expect(records.map(({ order_id }) => order_id).sort()).toEqual(
    Array.from({ length: 149 }, (_, at) => `o${at + 1}`).sort(),
  )
})

test('while the store is away entries wait, that is written down, and nothing is lost', async () => {
  await using world = await openArchiveWorld()
  const { app, store, redis, folder } = world
  writeFileSync(join(folder, 'manifest'), 'a file where a folder must be')
  await using _ = running(app)
  await send(world, 1, 20)
  await admitted(app, 19)
  await redis.set(app.keys.archiveFlush, '99999999999999-0')
  const failure = await until('it is written down', () => redis.hget(app.keys.archive, 'failure'))
  await redis.hdel(app.keys.archive, 'failure') // as the commit of another process does, whose object was written before
  expect(await until('it is written down again', () => redis.hget(app.keys.archive, 'failure'))).toBe(failure)
  expect(JSON.parse(failure ?? '')).toMatchObject({ error: expect.stringContaining('manifest') })
  expect(await counter(app, 'archived')).toBe(0)
  rmSync(join(folder, 'manifest'))
  await flushArchive(app, soon())
  expect((await readArchive(store, app)).records).toHaveLength(19)
  expect(await redis.hget(app.keys.archive, 'failure')).toBeNull()
})

test('after Redis went back to an earlier line, what came later does not count, and a new chain begins', async (context) => {
  requireRealRedis(context)
  await using world = await openArchiveWorld()
  const { app, store } = world
  {
    await using _ = running(app)
    await send(world, 1, 10)
    await admitted(app, 9)
    await flushArchive(app, soon())
  }
  const restore = await backup(world)
  {
    await using _ = running(app)
    await send(world, 10, 20)
    await admitted(app, 19)
    await flushArchive(app, soon())
  }
  await restore()
  await using _ = running(app)
  await send(world, 20, 30)
  await admitted(app, 19)
  await flushArchive(app, soon())
  const { chains, records } = await readArchive(store, app)
  expect(chains).toHaveLength(2)
  expect(chains[0]?.abandoned.map(({ kind }) => kind)).toEqual(['segment'])
  expect(records.map(({ order_id }) => order_id)).toEqual(
    [...Array(9).keys(), ...Array.from({ length: 10 }, (_, at) => at + 19)].map((at) => `o${at + 1}`),
  )
})

test.each([
  ['a changed object', (path: string) => appendFileSync(path, 'x'), /bytes|unpacked/],
  ['a missing object', (path: string) => rmSync(path), /is missing/],
  ['an object of another text', (path: string) => writeFileSync(path, gzipSync('{}\n')), /no record/],
])('%s is no segment', async (_title, change, message) => {
  await using world = await openArchiveWorld()
  const { app, store, folder } = world
  await using _ = running(app)
  await send(world, 1, 5)
  await admitted(app, 4)
  await flushArchive(app, soon())
  const { segments } = await readArchive(store, app)
  const segment = segments[0]?.segment as Segment
  change(join(folder, segment.name))
  const reading = async () => {
    for await (const _ of readRecords(store, segment));
  }
  await expect(reading()).rejects.toThrow(message)
})
