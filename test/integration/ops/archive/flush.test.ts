import { expect, test } from 'vitest'
import { pauseComponent } from '../../../../src/control/pauses.ts'
import { flushOrExplain } from '../../../../src/ops/archive/flush.ts'
import { announceRoles } from '../../../../src/ops/process/presence.ts'
import { admitted, openArchiveWorld, running, send, soon } from '../../../support/archive-world.ts'

const stages = ['validate', 'aggregate', 'leaderboard']

test('a flush says at once that no process runs the archive, who has paused it, or why it cannot be written', async () => {
  await using world = await openArchiveWorld()
  const { app, redis } = world
  await using _ = running(app, stages)
  await send(world, 1, 10)
  await admitted(app, 9)
  const refused = async (): Promise<string> => {
    const error: unknown = await flushOrExplain(app, soon()).catch((thrown: unknown) => thrown)
    return error instanceof Error ? `${'code' in error ? error.code : ''} ${error.message}` : 'flushed'
  }
  const begin = 'ORD_ARCHIVE The archive has not taken all orders. '
  expect(await refused()).toBe(`${begin}No process runs it: start one with the role archive, then try again.`)
  await using _presence = await announceRoles(app, ['archive'])
  const failure = { since: '2026-01-01T00:00:00.000Z', error: 'The disk is full.' }
  await redis.hset(app.keys.archive, 'failure', JSON.stringify(failure))
  expect(await refused()).toBe(`${begin}The archive cannot be written since ${failure.since}: The disk is full.`)
  await pauseComponent(app, 'archive', { by: 'ann', reason: 'a new disk' })
  expect(await refused()).toMatch(
    /It is paused by ann since 20.*Z \(a new disk\): run orders resume archive, then try again\.$/,
  )
})

test('a flush that nothing is left of hinders no one, also while the archive is paused', async () => {
  await using world = await openArchiveWorld()
  await pauseComponent(world.app, 'archive', { by: 'ann' })
  await flushOrExplain(world.app, soon())
})
