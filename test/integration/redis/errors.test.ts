import { expect, test } from 'vitest'
import { failure } from '../../../src/api/http/failure.ts'
import { readConfig } from '../../../src/config/config.ts'
import { enqueue } from '../../../src/ingest/enqueue.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

test('a write by partitions that have changed since fails with ORD_LAYOUT, and is a 503 of the API', async () => {
  await using world = await emptyRedis()
  const { redis, keys } = appOn(world.redis, readConfig({}))
  await redis.set(keys.layoutKey, 8)
  const error: unknown = await enqueue(redis, keys, [{ id: 'm', body: '{}' }]).catch((refusal: unknown) => refusal)
  expect(error).toMatchObject({ code: 'ORD_LAYOUT' })
  expect((error as Error).message).toBe(
    'Redis has 8 partitions now, but this process was started with none: set PARTITIONS=8 and start it again.',
  )
  expect(failure(error)).toMatchObject({ status: 503, detail: expect.stringContaining('moved to other partitions') })
  expect(await redis.xlen(keys.stream('raw'))).toBe(0)
})
