import { expect, test } from 'vitest'
import { openDurable } from '../../../../src/ingest/proof/durable.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

test('what Redis has written is durable, and a stop ends the wait for it', async () => {
  await using world = await emptyRedis()
  const stop = new AbortController()
  using durable = await openDurable(appOn(world.redis), stop.signal)
  await durable.confirm()
  stop.abort(new Error('a stop'))
  await expect(durable.confirm()).rejects.toThrow()
})
