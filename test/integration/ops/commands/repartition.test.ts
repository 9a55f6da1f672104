import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { makeKeys } from '../../../../src/keys.ts'
import { localEmulator } from '../../../support/emulator.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { runOrders } from '../../../support/run-orders.ts'
import { until } from '../../../support/until.ts'
import { emptyRedis } from '../../../support/world.ts'

test('the ledger expires by the LEDGER_DAYS of Redis after orders repartition, whatever its own are', async (context) => {
  requireRealRedis(context)
  await using place = await emptyRedis()
  const { redis, url } = place
  const days = 30
  const generation = Math.floor(Date.now() / (days * 86_400_000))
  {
    await using stages = runOrders(['run', 'validate', 'calendar', 'aggregate', 'leaderboard'], {
      REDIS_URL: url,
      LEDGER_DAYS: `${days}`,
    })
    await stages.started()
    await enqueue(redis, makeKeys(), [{ id: 'm', body: '{"user_id":"u","order_id":1,"order_value":1}' }])
    await until('the order to be ranked', () => redis.zscore('leaderboard:spend', 'u'))
    expect(await stages.stop()).toEqual({ code: 0, signal: null })
  }
  await using run = runOrders(['repartition', '--to', '4'], { REDIS_URL: url })
  expect([await run.exit(), run.stderr()]).toEqual([{ code: 0, signal: null }, ''])
  const ledger = await redis.keys('{p?}:ledger:[0-9]*')
  expect(ledger).toEqual([expect.stringContaining(`:ledger:${generation}:`)])
  expect(await redis.expiretime(ledger[0] ?? '')).toBe((generation + 2) * days * 86_400)
})

test.each([['--to', '8'], ['--undo']])(
  'orders repartition %s %s refuses the emulator, whose data ends with the processes that it ends',
  async (...args) => {
    const { url, stop } = await localEmulator()
    await using stack = new AsyncDisposableStack()
    stack.defer(stop)
    const redis = stack.adopt(new Redis(url), (client) => client.disconnect())
    const settings = { PARTITIONS: 'none', LEDGER_DAYS: '14', LEDGER_BUCKETS: '65536' }
    await redis.hset('pipeline:manifest', settings)
    const given = args.filter((arg) => arg !== undefined)
    await using run = runOrders(['repartition', ...given], { REDIS_URL: url })
    expect(await run.exit()).toMatchObject({ code: 2 })
    expect(run.stderr()).toMatch(/forgets everything.*Nothing was changed.*REDIS_URL/s)
    expect(await redis.hgetall('pipeline:manifest')).toEqual(settings)
  },
)
