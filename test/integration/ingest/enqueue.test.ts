import { expect, test } from 'vitest'
import { enqueue, enqueueOnce } from '../../../src/ingest/enqueue.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

const raw = (id: string, length: number) => ({ id, body: 'x'.repeat(length) })

test('records are written in order, counted, and split where they exceed a million characters', async () => {
  await using world = await emptyRedis()
  const { redis, keys } = appOn(world.redis)
  const enveloped = { ...raw('e', 1), envelope: { layers: [], text: 'x'.repeat(999_997) } } // and []
  const records = [raw('a', 400_000), raw('b', 600_000), raw('c', 1), raw('d', 1_000_001), enveloped, raw('f', 1)]
  const ids = await enqueue(redis, keys, records)
  const entries = await redis.xrange(keys.stream('raw'), '-', '+')
  expect(entries.map(([id]) => id)).toEqual(ids)
  const batches = entries.map(([, [, n, , , , r = '']]) => [
    n,
    JSON.parse(r).map((record: { id: string }) => record.id),
  ])
  expect(batches).toEqual([
    ['2', ['a', 'b']],
    ['1', ['c']],
    ['1', ['d']],
    ['1', ['e']],
    ['1', ['f']],
  ])
  expect(await redis.hgetall(keys.counters)).toEqual({ received: '6' })
})

test('what an order came in counts, too: 4,000 orders of many in three envelopes each', async () => {
  await using world = await emptyRedis()
  const { redis, keys } = appOn(world.redis)
  const layer = { kind: 'sns' as const, source: 's'.repeat(256), id: 'i'.repeat(256) }
  const records = Array.from({ length: 4_000 }, (_, at) => ({
    ...raw(`m/${at}`, 10),
    envelope: { layers: [layer, layer, layer] },
  }))
  await enqueue(redis, keys, records)
  const entries = await redis.xrange(keys.stream('raw'), '-', '+')
  const lengths = entries.map(([, fields]) => fields[5]?.length ?? 0)
  expect(Math.max(...lengths)).toBeLessThan(1_100_000)
  expect(await redis.hgetall(keys.counters)).toEqual({ received: '4000' })
})

test('a job that is tried again sends its order once', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  const { redis, keys } = app
  for (let attempt = 0; attempt < 2; attempt++) await enqueueOnce(app, 'job', raw('a', 1))
  expect(await redis.xlen(keys.stream('raw'))).toBe(1)
  expect(await redis.hgetall(keys.counters)).toEqual({ received: '1' })
  expect(await redis.hgetall(keys.outcome('job'))).toEqual({ sent: '1' })
})

test('a job sends all of a write or nothing: nothing once it has sent enough, and nothing after it was cancelled', async () => {
  await using world = await emptyRedis()
  const { redis, keys } = appOn(world.redis)
  const send = (jobId: string, limit: number, ...ids: string[]) =>
    enqueue(
      redis,
      keys,
      ids.map((id) => raw(id, 1)),
      { sender: { jobId, limit } },
    )
  expect(await send('job', 3, 'a', 'b')).toHaveLength(1)
  expect(await send('job', 2, 'c')).toEqual([])
  expect(await send('job', 3, 'c', 'd')).toHaveLength(1)
  expect(await send('job', 3, 'e')).toEqual([])
  await redis.hset(keys.outcome('cancelled'), 'cancelled', '1')
  expect(await send('cancelled', 3, 'f')).toEqual([])
  expect(await redis.hgetall(keys.counters)).toEqual({ received: '4' })
  expect(await redis.hgetall(keys.outcome('job'))).toEqual({ sent: '4' })
  const records = (await redis.xrange(keys.stream('raw'), '-', '+')).flatMap(([, fields]) =>
    JSON.parse(fields[fields.indexOf('r') + 1] ?? ''),
  )
  expect(records.map(({ id, jobId }) => `${id} ${jobId}`)).toEqual(['a job', 'b job', 'c job', 'd job'])
})
