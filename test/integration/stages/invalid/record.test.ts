import { expect, test } from 'vitest'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { type Keys, makePartitions } from '../../../../src/keys.ts'
import { maxPartitions } from '../../../../src/partitions.ts'
import { batchCommitter } from '../../../../src/stages/runner/commit-batch.ts'
import { decodeEntry } from '../../../../src/stages/runner/entry.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { validate } from '../../../support/stages.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

test('with partitions, the id of an invalid order has the time of its commit, or follows the last one of a clock ahead', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const keys = makePartitions(2)[1] as Keys
  const app = appOn(redis, undefined, { keys })
  await ensureGroups(app)
  const stream = keys.stream('raw')
  const commit = batchCommitter(app, { stage: validate, stream, name: 'c', reader: redis })
  const reject = async (id: string): Promise<readonly [ms: number, sequence: number]> => {
    await enqueue(redis, keys, [{ id, body: 'no JSON' }])
    const reply = await redis.xreadgroupBuffer('GROUP', 'validate', 'c', 'STREAMS', stream, '>')
    const [, read] = (reply as [Buffer, [Buffer, Buffer[]][]][])[0] ?? [undefined, []]
    await commit(read.map(([entry, fields]) => decodeEntry(app.pipeline, String(entry), fields, 'raw')))
    const [last] = await redis.xrevrange(keys.invalid, '+', '-', 'COUNT', 1)
    const [ms = 0, sequence = 0] = (last?.[0] ?? '').split('-').map(Number)
    return [ms, sequence]
  }
  await redis.xadd(keys.invalid, '1000-5', 'code', 'bad-value', 'record', '{}')
  const before = Number((await redis.time())[0]) * 1_000
  const [ms, sequence] = await reject('first')
  expect(ms).toBeGreaterThanOrEqual(before)
  expect(sequence % maxPartitions).toBe(keys.partition)
  const ahead = 10 * before
  await redis.xadd(keys.invalid, `${ahead}-7`, 'code', 'bad-value', 'record', '{}')
  expect(await reject('second')).toEqual([ahead, maxPartitions + 1])
})
