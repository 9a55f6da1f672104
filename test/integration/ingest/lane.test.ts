import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { openDurability } from '../../../src/ingest/durability.ts'
import { reportOutage } from '../../../src/ingest/failure-log.ts'
import { openLane } from '../../../src/ingest/lane.ts'
import { received } from '../../support/received.ts'
import { spawnRedisServer } from '../../support/redis-server.ts'
import { requireRedisServer } from '../../support/requires.ts'
import { appOn } from '../../support/world.ts'

const { signal } = new AbortController()
const message = (id: string) => received([{ MessageId: id, Body: '{}' }])

test('after a write that Redis refused nothing more is received until it takes one; then all is written, in order', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  const redis = new Redis(server?.url ?? '')
  const app = appOn(redis)
  using durability = await openDurability(app)
  const lane = openLane({ app, keys: app.keys, durability, writing: reportOutage(app, 'write') })
  await lane.ready(() => {}, signal)

  await redis.config('SET', 'min-replicas-to-write', 1)
  const refused = Promise.withResolvers<string>()
  const first = lane.write({ received: await message('a'), tick: () => refused.resolve('refused'), signal })
  await refused.promise
  const second = lane.write({ received: await message('b'), tick: () => {}, signal })
  const asked = Promise.withResolvers<string>()
  const ready = lane.ready(() => asked.resolve('asked'), signal)
  expect(await Promise.race([asked.promise, ready.then(() => 'ready')])).toBe('asked')

  await redis.config('SET', 'min-replicas-to-write', 0)
  await Promise.all([first, second, ready])
  const entries = await redis.xrange(app.keys.stream('raw'), '-', '+')
  const ids = entries.flatMap(([, fields]) =>
    JSON.parse(fields[fields.indexOf('r') + 1] ?? '').map(({ id }: { id: string }) => id),
  )
  expect(ids).toEqual(['a', 'b'])
  redis.disconnect()
})
