import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { openQueues } from '../../../../src/control/job-queues.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { openDurable } from '../../../../src/ingest/proof/durable.ts'
import { makeControlKeys, makePartitions } from '../../../../src/keys.ts'
import { leaveArchive } from '../../../../src/ops/archive/leave.ts'
import { verifyArchive } from '../../../../src/ops/archive/verify.ts'
import { archivePlace } from '../../../../src/ops/erase/archive.ts'
import { partitionFor } from '../../../../src/partitions.ts'
import { readBooks } from '../../../../src/reads/books.ts'
import { flushArchive } from '../../../../src/stages/archive/flush.ts'
import { openStore } from '../../../../src/stages/archive/store/store.ts'
import { erase, previewErasure } from '../../../../src/stages/erasure/erase.ts'
import { accountOf } from '../../../../src/stages/erasure/erasures.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { archiveFolder, readArchive } from '../../../support/archive.ts'
import {
  type ArchiveWorld,
  archiveOrders,
  openArchiveWorld,
  running as runningOf,
} from '../../../support/archive-world.ts'
import { keysNaming } from '../../../support/dump-redis.ts'
import { openS3Recorder } from '../../../support/s3-recorder.ts'
import { createBucket } from '../../../support/s3-server.ts'
import { withArchive } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis, emptySqs } from '../../../support/world.ts'

const person = 'person-of-this-test'
const never = new AbortController().signal

function running(app: PartitionScope): AsyncDisposable {
  const stop = new AbortController()
  const loops = app.partitions.flatMap((keys) =>
    withArchive.stages.map((stage) => runStage({ ...app, keys }, stage, () => {}, stop.signal)),
  )
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await Promise.all(loops)
    },
  }
}

async function send(app: PartitionScope, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at++) {
    const userId = at % 2 ? person : `user_${at}`
    const body = JSON.stringify({
      user_id: userId,
      order_id: `${userId} ${at}`,
      order_value: at,
      shipping_address: person,
    })
    await enqueue(app.redis, partitionFor(app.partitions, userId), [{ id: `m${at}`, body }])
  }
}

const admitted = (app: PartitionScope, orders: number): Promise<unknown> =>
  until(
    'every order to be admitted',
    () => readBooks(app),
    (books) => books.admitted === orders,
  )

/** Returns the objects whose text names the person as a user. */
function objectsNaming(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile())
  return files
    .map((file) => join(file.parentPath, file.name))
    .filter((path) => {
      const bytes = readFileSync(path)
      return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes)
        .toString()
        .replaceAll('\\', '')
        .includes(`"user_id":"${person}"`)
    })
}

test.each([undefined, 4])(
  'a user is erased from the segments of the archive, whose sums stay; partitions: %s',
  async (count) => {
    await using world = await emptyRedis()
    using place = archiveFolder()
    const more = { BLOCK_MS: '20', CLAIM_IDLE_MS: '1000', ARCHIVE_SEGMENT_SECONDS: '240' }
    const config = readConfig({ ARCHIVE_URL: place.url, ...more })
    const partitions = makePartitions(count)
    const keys = partitions[0] as PartitionScope['keys']
    const app = appOn(world.redis, config, {
      pipeline: withArchive,
      partitions,
      keys,
      control: makeControlKeys(partitions),
    })
    await using queues = openQueues(app.redis)
    using store = await openStore(config)
    await using _ = running(app)
    await send(app, 0, 20)
    await admitted(app, 20)
    await flushArchive(app, AbortSignal.timeout(20_000))
    await send(app, 20, 30)
    await admitted(app, 30)
    const before = await until(
      'segments',
      () => readArchive(store, app),
      ({ segments }) => segments.length > 0,
    )
    // An object that a killed process has left.
    const [some] = before.segments.map(({ segment }) => segment.name)
    await store.put(
      `${some?.replace('.ndjson.gz', '0.ndjson.gz')}`,
      gzipSync(`${JSON.stringify({ ...before.records[1], user_id: person })}\n`),
    )
    const preview = await previewErasure({ app, queues, archive: archivePlace, userId: person })
    const named = objectsNaming(place.folder).length // a flush may take two cuts
    expect(named).toBeGreaterThan(1)
    expect(preview.records.archive).toBe(named)

    const receipt = await erase(
      { app, queues, archive: archivePlace, openDurable },
      person,
      { by: 'ann', timeoutMs: 20_000 },
      never,
    )
    expect(receipt).toMatchObject({ complete: true, waiting: 0 })
    expect(receipt.removed.archive).toBeGreaterThan(named)
    expect(objectsNaming(place.folder)).toEqual([])
    expect(await keysNaming(world.redis, person)).toEqual([])
    const after = await readArchive(store, app)
    expect(after.records).toHaveLength(30)
    const own = after.records.filter(({ user_id }) => user_id === accountOf(partitionFor(partitions, person)))
    expect(own).toHaveLength(15)
    expect(own.filter(({ body }) => body !== undefined)).toEqual([])
    const sumOf = (records: readonly { minor: number }[]): number => records.reduce((sum, { minor }) => sum + minor, 0)
    expect(sumOf(after.records)).toBe((100 * (29 * 30)) / 2)
    expect(
      new Set(
        after.records.map(({ entry, at, user_id }) => `${entry} ${at} ${partitionFor(partitions, user_id).partition}`),
      ).size,
    ).toBe(30)
    const check = await verifyArchive({ app, store, signal: never })
    expect(check.differences).toEqual([])
  },
)

test('without the archive that Redis goes on with no one is erased, and the error says which it is', async () => {
  await using world = await openArchiveWorld()
  const { app, folder, store } = world
  await using queues = openQueues(app.redis)
  await using _ = runningOf(app)
  await archiveOrders(world, 0, 6)
  const eraseIn = (of: PartitionScope, archive: typeof archivePlace | undefined) =>
    erase({ app: of, queues, archive, openDurable }, 'u1', { by: 'ann', timeoutMs: 20_000 }, never).catch(
      ({ code, message }) => [code, message],
    )
  const missing = [
    'ORD_ARCHIVE',
    expect.stringMatching(/^The archive at .* lacks lines of the chain .*: mount it, or set ARCHIVE_URL/),
  ]
  renameSync(folder, `${folder}-away`)
  mkdirSync(folder)
  expect(await eraseIn(app, archivePlace)).toEqual(missing)
  using other = archiveFolder()
  const elsewhere = { ...app, config: { ...app.config, archiveUrl: other.url } }
  expect(await eraseIn(elsewhere, archivePlace)).toEqual(missing)
  rmSync(folder, { recursive: true })
  renameSync(`${folder}-away`, folder)
  const without = { ...app, pipeline: withArchive.without('archive') }
  expect(await eraseIn(without, undefined)).toEqual([
    'ORD_CONFIG',
    'This system keeps an archive: set ARCHIVE_URL as its processes have it.',
  ])
  expect((await readArchive(store, app)).records.filter(({ user_id }) => user_id === 'u1')).toHaveLength(2)
  expect(await eraseIn(app, archivePlace)).toMatchObject({ complete: true, removed: { archive: 1 } })
  expect((await readArchive(store, app)).records.filter(({ user_id }) => user_id === 'u1')).toEqual([])
})

const eraser = { by: 'ann', timeoutMs: 20_000 }

/** Packs a record of the person as a segment has it. */
async function segmentOfPerson({ app, store }: ArchiveWorld): Promise<{ near: string; body: Buffer }> {
  const { segments, records } = await readArchive(store, app)
  const text = `${JSON.stringify({ ...records[0], user_id: person })}\n`
  return { near: segments[0]?.segment.name ?? '', body: gzipSync(text) }
}

test('where the store does not give an object that may name the user, there is no receipt', async () => {
  await using sqs = await emptySqs()
  await createBucket(sqs.url, 'orders-archive')
  let isAway = false
  const orphan = (name: string): string => name.replace('.ndjson.gz', '0.ndjson.gz')
  await using recorder = await openS3Recorder(
    sqs.url,
    ({ action, resource }) => isAway && action === 's3:GetObject' && resource.endsWith('0.ndjson.gz'),
  )
  await using world = await openArchiveWorld({ ARCHIVE_URL: 's3://orders-archive', AWS_ENDPOINT_URL: recorder.url })
  const { app, store } = world
  await using queues = openQueues(app.redis)
  await using _ = runningOf(app)
  await archiveOrders(world, 0, 6)
  const { near, body } = await segmentOfPerson(world)
  await store.put(orphan(near), body)
  const erasing = { app, queues, archive: archivePlace, openDurable }
  isAway = true
  await expect(erase(erasing, person, eraser, never)).rejects.toMatchObject({ code: 'ORD_ARCHIVE' })
  isAway = false
  expect(await erase(erasing, person, eraser, never)).toMatchObject({ complete: true, removed: { archive: 1 } })
  expect(await store.get(orphan(near))).toBeUndefined()
})

test('what a killed process has left of a segment goes with its user, and so does a removed one that is damaged', async () => {
  await using world = await openArchiveWorld()
  const { app, folder, store } = world
  await using queues = openQueues(app.redis)
  await using _ = runningOf(app)
  await archiveOrders(world, 0, 6)
  const erasing = { app, queues, archive: archivePlace, openDurable }
  const [removed] = (await readArchive(store, app)).segments.map(({ segment }) => segment.name)
  await erase(erasing, 'u1', eraser, never)
  const { near, body } = await segmentOfPerson(world)
  const folderOf = join(folder, dirname(near))
  writeFileSync(join(folderOf, '.writing-whole'), body)
  writeFileSync(join(folderOf, '.writing-part'), body.subarray(0, body.length - 20))
  writeFileSync(join(folder, String(removed)), body.subarray(0, body.length - 20))
  writeFileSync(join(folderOf, 'notes.txt'), 'of another program')
  expect(await erase(erasing, person, eraser, never)).toMatchObject({ complete: true, removed: { archive: 3 } })
  expect(readdirSync(folderOf).sort()).toEqual([near.split('/').at(-1), 'notes.txt'].sort())
})

test('after the archive has left, a user is erased from it where it is, or an operator says that it is gone', async () => {
  await using world = await openArchiveWorld()
  const { app, folder, store } = world
  await using queues = openQueues(app.redis)
  {
    await using _ = runningOf(app)
    await archiveOrders(world, 0, 6)
  }
  await leaveArchive(app)
  const without = { ...app, pipeline: withArchive.without('archive') }
  await using _ = runningOf(without, without.pipeline.names)
  const refusal = {
    code: 'ORD_CONFIG',
    message: expect.stringMatching(/set ARCHIVE_URL to where it is. If it is gone,/),
  }
  await expect(erase({ app: without, queues, openDurable }, 'u1', eraser, never)).rejects.toMatchObject(refusal)
  await expect(previewErasure({ app: without, queues, userId: 'u1' })).rejects.toMatchObject(refusal)
  const gone = { queues, archive: 'gone', openDurable } as const
  await expect(erase({ ...gone, app }, 'u1', eraser, never)).rejects.toMatchObject({ code: 'ORD_USAGE' })

  const receipt = await erase({ app, queues, archive: archivePlace, openDurable }, 'u1', eraser, never)
  expect(receipt).toMatchObject({ complete: true, removed: { archive: 1 } })
  expect(receipt).not.toHaveProperty('without_archive')
  expect((await readArchive(store, app)).records.map(({ user_id }) => user_id).sort()).toEqual([
    'erased:0',
    'erased:0',
    'u0',
    'u0',
    'u2',
    'u2',
  ])
  expect((await verifyArchive({ app, store, signal: never })).differences).toEqual([])

  rmSync(folder, { recursive: true })
  const blind = await erase({ ...gone, app: without }, 'u2', eraser, never)
  expect(blind).toMatchObject({ complete: true, without_archive: true, removed: { archive: 0 } })
  expect(await previewErasure({ app: without, queues, archive: 'gone', userId: 'u2' })).toMatchObject({
    erased_at: blind.erased_at,
  })
})

test('where a segment is missing, an erasure says that it is not complete, what it has done, and that it goes on', async () => {
  await using world = await openArchiveWorld()
  const { app, folder, store } = world
  await using queues = openQueues(app.redis)
  await using _ = runningOf(app)
  await archiveOrders(world, 1, 11)
  const [segment] = (await readArchive(store, app)).segments
  const path = join(folder, segment?.segment.name ?? '')
  renameSync(path, `${folder}-segment`)
  const run = () =>
    erase({ app, queues, archive: archivePlace, openDurable }, 'u1', { by: 'ann', timeoutMs: 20_000 }, never)
  const missing = `The segment ${segment?.segment.name} is missing.`
  const erasing = { app, queues, archive: archivePlace, userId: 'u1' }
  await expect(previewErasure(erasing)).rejects.toThrow(
    `${missing} Nothing of the user is erased yet: run it again once the archive is whole.`,
  )
  await expect(run()).rejects.toThrow(
    `${missing} The erasure is not complete. The totals of 4 orders are moved, and 0 records are found: run it again once`,
  )
  await expect(previewErasure(erasing)).rejects.toThrow(
    / The erasure that began at 20.*Z is not complete: run it again/,
  )
  renameSync(`${folder}-segment`, path)
  expect(await run()).toMatchObject({ complete: true, moved: { orders: 4 }, removed: { archive: 1 } })
})
