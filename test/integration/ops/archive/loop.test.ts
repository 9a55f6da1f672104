import { utimesSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { archiveLoop, tidyArchive } from '../../../../src/ops/archive/loop.ts'
import type { KnownLines } from '../../../../src/reads/archive/chains.ts'
import { readObject } from '../../../../src/stages/archive/store/store.ts'
import { archiveOrders, openArchiveWorld, running } from '../../../support/archive-world.ts'
import { until } from '../../../support/until.ts'

const orphan = 'dt=2026-01-01/partition=none/left.ndjson.gz'

test('each line that a turn reads is progress of the loop, and is read once', async () => {
  await using world = await openArchiveWorld({ ARCHIVE_DAYS: '1' })
  const { app, store } = world
  await using _ = running(app)
  for (const from of [1, 11, 21, 31]) await archiveOrders(world, from, from + 10)
  const read: string[] = []
  const counted = {
    ...store,
    get: (name: string) => {
      read.push(name)
      return store.get(name)
    },
  }
  const known: KnownLines = new Map()
  await tidyArchive(app, counted, known)
  await tidyArchive(app, counted, known)
  expect(read).toHaveLength(5)
  const stop = new AbortController()
  let ticks = 0
  const ended = archiveLoop(app).run(() => ticks++, stop.signal)
  await until('its turn has come', () => app.redis.exists(app.control.archiveTurn))
  await until(
    'it has read the lines',
    () => ticks,
    (found) => found > 8,
    2_500,
  )
  stop.abort()
  await ended
})

test('an object is a day old by both clocks before it is swept', async () => {
  await using world = await openArchiveWorld()
  const { app, store, folder } = world
  await store.put(orphan, Buffer.from('x'))
  const written = new Date(Date.now() - 3 * 86_400_000)
  utimesSync(join(folder, orphan), written, written)
  const tidy = (now: Date) => tidyArchive({ ...app, now: () => now }, store, new Map())
  await tidy(written)
  expect(await readObject(store, orphan)).toBeDefined()
  await tidy(new Date(Date.now() + 3 * 86_400_000))
  expect(await readObject(store, orphan)).toBeUndefined()
})
