import { utimesSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { archiveLoop, tidyArchive } from '../../../../src/ops/archive/loop.ts'
import { supervise } from '../../../../src/ops/process/supervise.ts'
import type { KnownLines } from '../../../../src/reads/archive/chains.ts'
import { readObject } from '../../../../src/stages/archive/store/store.ts'
import { replaceByFile } from '../../../support/archive.ts'
import { archiveOrders, openArchiveWorld, running, send } from '../../../support/archive-world.ts'
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
  let signs = 0
  const pulse = new Map<string, number>()
  pulse.set = () => {
    signs++
    return pulse
  }
  const ended = archiveLoop({ ...app, pulse }).run(() => {}, stop.signal)
  await until('its turn has come', () => app.redis.exists(app.control.archiveTurn))
  await until(
    'it has read the lines',
    () => signs,
    (found) => found > 8,
    2_500,
  )
  stop.abort()
  await ended
})

test('a loop whose turn has failed has recovered once a turn succeeds, not when it starts again', async () => {
  await using world = await openArchiveWorld()
  const { app, folder } = world
  await send(world, 1, 10)
  const back = await replaceByFile(folder)
  const stop = new AbortController()
  const seen: string[] = []
  app.telemetry.on('loopFailed', ({ loop }) => void seen.push(`${loop} failed`))
  app.telemetry.on('loopRecovered', ({ loop }) => void seen.push(`${loop} recovered`))
  const ended = supervise(app, [archiveLoop(app, 2_500)], stop.signal)
  await until('it to fail', () => seen.length)
  const failedAt = app.pulse.get('jobs-archive') ?? 0
  await until(
    'it to run again',
    () => app.pulse.get('jobs-archive') ?? 0,
    (at) => at > failedAt + 1_200,
  )
  expect(seen).toEqual(['jobs-archive failed'])
  await back()
  await until(
    'it to recover',
    () => seen,
    (events) => events.length === 2,
  )
  expect(seen).toEqual(['jobs-archive failed', 'jobs-archive recovered'])
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
