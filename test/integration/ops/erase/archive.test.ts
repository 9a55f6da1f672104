import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { openQueues } from '../../../../src/control/job-queues.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { openDurable } from '../../../../src/ingest/proof/durable.ts'
import { makeControlKeys, makePartitions } from '../../../../src/keys.ts'
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
import { keysNaming } from '../../../support/dump-redis.ts'
import { withArchive } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

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
    expect(preview.records.archive).toBe(2)

    const receipt = await erase(
      { app, queues, archive: archivePlace, openDurable },
      person,
      { by: 'ann', timeoutMs: 20_000 },
      never,
    )
    expect(receipt).toMatchObject({ complete: true, waiting: 0, removed: { archive: 3 } })
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
