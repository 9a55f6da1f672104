import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { localEmulator } from '../../../support/emulator.ts'
import { runOrders } from '../../../support/run-orders.ts'

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
    expect(await run.exit()).toMatchObject({ code: 1 })
    expect(run.stderr()).toMatch(/forgets everything.*Nothing was changed.*REDIS_URL/s)
    expect(await redis.hgetall('pipeline:manifest')).toEqual(settings)
  },
)
