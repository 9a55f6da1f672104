import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { uncountedRecords } from '../../../../src/ops/archive/uncounted.ts'
import { verifyArchive } from '../../../../src/ops/archive/verify.ts'
import { archiveAtStart, archiveStore } from '../../../../src/ops/checks/archive.ts'
import { checkAtStart } from '../../../../src/ops/checks/checks.ts'
import { flip } from '../../../../src/ops/rebuild/flip/flip.ts'
import { readStatus } from '../../../../src/reads/status.ts'
import { archiveFolder, replaceByFile } from '../../../support/archive.ts'
import { admitted, archiveOrders, openArchiveWorld, running, send, soon } from '../../../support/archive-world.ts'
import { rebuilt } from '../../../support/rebuilding.ts'
import { runOrders } from '../../../support/run-orders.ts'
import { until } from '../../../support/until.ts'
import { envOf } from '../../../support/world.ts'

const wrong = /^The archive at .* lacks lines of the chain .*: mount it, or set ARCHIVE_URL/

test('a folder that is not mounted is found by doctor, at the start and by verify, and none of them makes it', async () => {
  await using world = await openArchiveWorld()
  const { app, store, folder, redis } = world
  await using _ = running(app)
  await archiveOrders(world, 1, 10)
  expect(await archiveStore(app.config, app)).toMatchObject([{ level: 'ok' }])
  renameSync(folder, `${folder}-away`)
  const advice = expect.stringContaining('that the folder is mounted')
  const finding = { check: 'archive', level: 'error', found: expect.stringMatching(wrong), advice }
  expect(await archiveStore(app.config, app)).toEqual([finding])
  expect(await archiveAtStart(app, ['archive'])).toEqual([finding])
  expect(await archiveAtStart(app, ['validate'])).toEqual([])
  expect(await verifyArchive({ app, store, signal: soon() })).toMatchObject({
    verdict: 'wrong',
    differences: [expect.stringMatching(wrong)],
  })
  expect(readdirSync(join(folder, '..'))).not.toContain(folder.split('/').at(-1))
  mkdirSync(folder)
  expect(await archiveStore(app.config, app)).toEqual([finding])
  expect(readdirSync(folder)).toEqual([])
  await send(world, 10, 12)
  await admitted(app, 11)
  await app.redis.set(app.keys.archiveFlush, '99999999999999-0')
  const { archive } = await until(
    'status to show the outage',
    () => readStatus(redis, app),
    (status) => status.archive?.failure !== null,
  )
  expect(archive?.failure?.error).toMatch(wrong)
  rmSync(folder, { recursive: true })
  renameSync(`${folder}-away`, folder)
})

test('a start warns of an archive that cannot be used, and goes on', async () => {
  await using world = await openArchiveWorld()
  const back = await replaceByFile(world.folder)
  const warned: unknown[] = []
  world.app.telemetry.on('checkWarned', (found) => void (found.check === 'archive' && warned.push(found)))
  await checkAtStart(world.app, ['archive'])
  expect(warned).toEqual([
    {
      check: 'archive',
      found: expect.stringContaining('cannot be written'),
      advice: expect.stringMatching(/ARCHIVE_URL/),
    },
  ])
  await back()
})

test('records of an archive that an emptied Redis has never counted are found, also once a chain has begun again, until a flip', async () => {
  await using world = await openArchiveWorld()
  const { app, store, redis } = world
  {
    await using _ = running(app)
    await archiveOrders(world, 1, 31)
  }
  expect(await uncountedRecords(app, store)).toBe(0)
  const begun = Math.floor(Date.now() / 1_000)
  await redis.flushdb()
  expect(await uncountedRecords(app, store)).toBe(30)
  await until(
    'the next second, which the name of a chain begins with',
    async () => Date.now() / 1_000,
    (now) => now > begun + 1,
  )
  await using _ = running(app)
  await archiveOrders(world, 101, 111)
  expect(await uncountedRecords(app, store)).toBe(30)
  expect(await archiveStore(app.config, app)).toMatchObject([
    { level: 'ok' },
    {
      level: 'warning',
      found: 'has 30 records that this Redis has never counted',
      advice: 'Where Redis was lost, orders rebuild --flip brings them back.',
    },
  ])
  expect(await verifyArchive({ app, store, signal: soon() })).toMatchObject({
    verdict: 'right',
    notes: expect.arrayContaining([expect.stringContaining('has 30 records that this Redis has never counted')]),
  })
  const { build, compared } = await rebuilt(
    { app, store },
    app.pipeline.names.filter((name) => name === 'aggregate'),
  )
  await flip(build, compared, undefined)
  expect(await uncountedRecords(app, store)).toBe(0)
})

test('orders archive and its verify refuse another place than the one that Redis knows; verify shows ten of many differences', async () => {
  await using world = await openArchiveWorld()
  const { app, folder, redis } = world
  const { host = '', port = 0, db = 0 } = redis.options
  {
    await using _ = running(app)
    for (let at = 0; at < 12; at++) await archiveOrders(world, 10 * at, 10 * at + 2)
  }
  const orders = async (url: string, ...words: string[]) => {
    const env = { ...envOf(`redis://${host}:${port}/${db}`), ARCHIVE_URL: url, CALENDAR: 'off' }
    await using command = runOrders(['archive', ...words], env)
    const { code } = await command.exit()
    return { code, text: command.stdout() + command.stderr() }
  }
  using other = archiveFolder()
  for (const words of [[], ['verify']])
    expect(await orders(other.url, ...words)).toEqual({ code: 1, text: expect.stringContaining('or set ARCHIVE_URL') })
  rmSync(join(folder, readdirSync(folder).find((name) => name.startsWith('dt=')) ?? ''), { recursive: true })
  const { code, text } = await orders(app.config.archiveUrl ?? '', 'verify')
  expect({ code, missing: text.match(/ is missing\./g)?.length }).toEqual({ code: 1, missing: 10 })
  expect(text).toContain('and 2 more differences: --json has all.')
})
