import { expect, test } from 'vitest'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { batchCommitter } from '../../../../src/stages/runner/commit-batch.ts'
import { decodeEntry, type Entry } from '../../../../src/stages/runner/entry.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { maxRequest } from '../../../support/arguments.ts'
import { recordTracing } from '../../../support/record-tracing.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { validate } from '../../../support/stages.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

/** Opens a system, and reads entries of one order each: that of entry `bad` cannot be committed, that of `invalid` is rejected. */
async function open(count: number, bad?: number, invalid?: number) {
  const { redis, [Symbol.asyncDispose]: close } = await emptyRedis()
  const { tracing, sources } = recordTracing()
  const app = appOn(redis, undefined, { tracing })
  await ensureGroups(app)
  for (let at = 0; at < count; at++) {
    const body = JSON.stringify({ user_id: 'u', order_id: `o${at}`, order_value: at === invalid ? -1 : 1 })
    // The outcome of a job is a hash: a text in its place makes the script fail.
    await enqueue(redis, app.keys, [{ id: `m${at}`, body, ...(at === bad && { jobId: 'odd' }) }], {
      traceparent: `parent ${at}`,
    })
  }
  await redis.set(app.keys.outcome('odd'), 'text')
  const reply = await redis.xreadgroupBuffer('GROUP', 'validate', 'c', 'STREAMS', 'orders:raw', '>')
  const [, read] = (reply as [Buffer, [Buffer, Buffer[]][]][])[0] ?? [undefined, []]
  const entries = read.map(([id, fields]): Entry => decodeEntry(app.pipeline, String(id), fields, 'raw'))
  const commit = batchCommitter(app, { stage: validate, stream: 'orders:raw', name: 'c', reader: redis })
  const pending = async (): Promise<unknown[]> => {
    const all = (await redis.xpending('orders:raw', 'validate', '-', '+', 10)) as [id: string][]
    return all.map(([id]) => id)
  }
  return { redis, entries, commit, pending, sources, [Symbol.asyncDispose]: close }
}

test.each([0, 1, 2, 3, 4])('of five entries only number %i, which cannot be committed, stays pending', async (bad) => {
  await using world = await open(5, bad)
  await expect(world.commit(world.entries)).rejects.toThrow('WRONGTYPE')
  expect(await world.pending()).toEqual([world.entries[bad]?.id])
  expect(await world.redis.hget('pipeline:counters', 'admitted')).toBe('4')
})

test('while another client keeps a text in invalid_orders, what is rejected stays pending, and all else is committed', async () => {
  await using world = await open(5, undefined, 3)
  await world.redis.set('invalid_orders', 'text')
  await expect(world.commit(world.entries)).rejects.toThrow('WRONGTYPE')
  expect(await world.pending()).toEqual([world.entries[3]?.id])
  expect(await world.redis.hget('pipeline:counters', 'admitted')).toBe('4')
  await world.redis.del('invalid_orders')
  await world.commit(world.entries.slice(3, 4))
  expect(await world.pending()).toEqual([])
  expect(await world.redis.llen('invalid_orders')).toBe(1)
})

test('the span of a batch names the spans of all its entries', async () => {
  await using world = await open(2)
  await world.commit(world.entries)
  expect(world.sources).toEqual([['parent 0', 'parent 1']])
  expect(await world.pending()).toEqual([])
})

test('a batch that needs more than 3,999 arguments is committed in several requests, all of it once', async (context) => {
  requireRealRedis(context)
  await using test = await emptyRedis()
  const { redis } = test
  const app = appOn(redis)
  await ensureGroups(app)
  const entries = 12
  for (let at = 0; at < entries; at++) {
    const records = Array.from({ length: 100 }, (_, nth) => ({ id: `m${at}-${nth}`, body: 'no JSON' }))
    await enqueue(redis, app.keys, records)
  }
  const reply = await redis.xreadgroupBuffer('GROUP', 'validate', 'c', 'COUNT', entries, 'STREAMS', 'orders:raw', '>')
  const [, read] = (reply as [Buffer, [Buffer, Buffer[]][]][])[0] ?? [undefined, []]
  const batch = read.map(([id, fields]): Entry => decodeEntry(app.pipeline, String(id), fields, 'raw'))
  const longest = maxRequest(app.redis)
  await batchCommitter(app, { stage: validate, stream: 'orders:raw', name: 'c', reader: redis })(batch)
  expect(longest()).toBeGreaterThan(1_500) // no smaller than it has to be
  expect(longest()).toBeLessThanOrEqual(3_999)
  expect(await redis.hget('pipeline:counters', 'rejected')).toBe(`${100 * entries}`)
  expect(await redis.xlen('orders:invalid')).toBe(100 * entries)
  expect(await redis.xpending('orders:raw', 'validate')).toEqual([0, null, null, null])
})
