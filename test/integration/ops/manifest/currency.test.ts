import type { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { manifestKey } from '../../../../src/keys.ts'
import { checkManifest } from '../../../../src/ops/manifest/check.ts'
import { withSettingsOf } from '../../../../src/ops/manifest/settings.ts'
import { emptyRedis } from '../../../support/world.ts'

const configOf = (currency?: string) => readConfig(currency === undefined ? {} : { CURRENCY: currency })
/** Starts a process; undefined is one without CURRENCY. Returns the reason if it is refused. */
const start = (redis: Redis, currency?: string): Promise<string> =>
  checkManifest(redis, configOf(currency)).then(
    () => 'started',
    ({ code, message }) => `${code}: ${message}`,
  )
const fixed = (redis: Redis) => redis.hget(manifestKey, 'CURRENCY')
const refused = (was: string, own: string, advice: string): string =>
  `ORD_MANIFEST: Redis at redis://localhost:6379 was set up with CURRENCY=${was}, this process has ${own}: ${advice}.`

test.each(['JPY', 'KWD', 'EUR'])('a Redis set up in %s takes no process of another currency', async (currency) => {
  await using world = await emptyRedis()
  expect(await start(world.redis, currency)).toBe('started')
  expect(await start(world.redis, currency)).toBe('started')
  for (const other of ['KRW', 'BHD', 'USD', 'CLF']) {
    expect(await start(world.redis, other)).toBe(refused(currency, other, `set CURRENCY=${currency}`))
  }
  expect(await fixed(world.redis)).toBe(currency)
})

test.each(['JPY', 'KWD'])('a Redis set up in %s takes no process without a currency', async (currency) => {
  await using world = await emptyRedis()
  await start(world.redis, currency)
  expect(await start(world.redis)).toBe(refused(currency, 'none', `set CURRENCY=${currency}`))
})

describe.each([
  ['set up without a currency', async (redis: Redis) => expect(await start(redis)).toBe('started')],
  [
    'set up by a release that did not know CURRENCY',
    (redis: Redis) => redis.hset(manifestKey, { LEDGER_DAYS: 14, LEDGER_BUCKETS: 65_536, PARTITIONS: 'none' }),
  ],
])('a Redis %s', (_, setUp) => {
  test.each(['JPY', 'KWD', 'CLF'])('refuses %s, whose minor units are not hundredths', async (currency) => {
    await using world = await emptyRedis()
    await setUp(world.redis)
    expect(await start(world.redis, currency)).toBe(
      refused('none', currency, 'unset CURRENCY, or start with an empty Redis'),
    )
    expect(await start(world.redis)).toBe('started')
  })

  test('takes a currency with two decimals, and from then on no other one', async () => {
    await using world = await emptyRedis()
    await setUp(world.redis)
    expect(await start(world.redis, 'EUR')).toBe('started')
    expect(await start(world.redis)).toBe('started')
    expect(await start(world.redis, 'USD')).toBe(refused('EUR', 'USD', 'set CURRENCY=EUR'))
  })
})

test('a process writes no currency into a Redis set up by a release that did not know CURRENCY', async () => {
  await using world = await emptyRedis()
  const before = { LEDGER_DAYS: '14', LEDGER_BUCKETS: '65536', PARTITIONS: 'none' }
  await world.redis.hset(manifestKey, before)
  expect(await start(world.redis)).toBe('started')
  expect(await world.redis.hgetall(manifestKey)).toEqual({ ...before, REPORT_TIMEZONE: 'UTC' })
})

test('of two processes that set up Redis at once in different currencies, one starts', async () => {
  await using world = await emptyRedis()
  const other = world.redis.duplicate()
  const results = await Promise.all([start(world.redis, 'JPY'), start(other, 'KWD')])
  other.disconnect()
  expect(results.filter((result) => result === 'started')).toHaveLength(1)
})

test.each([
  [{ CURRENCY: 'JPY' }, undefined, 'JPY'],
  [{ CURRENCY: 'KWD' }, 'EUR', 'KWD'],
  [{ CURRENCY: 'none' }, 'JPY', undefined],
  [{}, 'JPY', undefined],
])('a command reads amounts as Redis has them: set up with %o, and started with %s, in %s', async (more, own, used) => {
  await using world = await emptyRedis()
  await world.redis.hset(manifestKey, { LEDGER_DAYS: 14, ...more })
  expect((await withSettingsOf(world.redis, configOf(own))).currency?.code).toBe(used)
})

test('before Redis is set up a command uses its own currency', async () => {
  await using world = await emptyRedis()
  expect((await withSettingsOf(world.redis, configOf('JPY'))).currency?.code).toBe('JPY')
})
