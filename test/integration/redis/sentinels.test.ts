import { pino } from 'pino'
import { expect, test } from 'vitest'
import { readConfig } from '../../../src/config/config.ts'
import { closeRedis, openRedis } from '../../../src/redis/client.ts'
import { openTelemetry } from '../../../src/telemetry.ts'
import { spawnSentinels } from '../../support/redis-sentinels.ts'
import { requireRedisServer } from '../../support/requires.ts'
import { until } from '../../support/until.ts'

const telemetry = openTelemetry(pino({ level: 'silent' }))

test('a failover that is announced while a connection asks the sentinels for the master does not end the connection', async (context) => {
  requireRedisServer(context)
  await using sentinels = await spawnSentinels()
  const { addresses, name, password } = sentinels
  const config = readConfig({
    REDIS_SENTINELS: addresses,
    REDIS_SENTINEL_NAME: name,
    REDIS_SENTINEL_PASSWORD: password,
  })
  const redis = await openRedis(config, 'work', telemetry)
  const { announced } = await sentinels.listen()
  const held = sentinels.hold()
  await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'no')
  await held
  const written = redis.set('failover', 'survived')
  written.catch(() => {})
  await sentinels.failOver()
  await announced
  sentinels.release()
  expect(await written).toBe('OK')
  expect(await redis.get('failover')).toBe('survived')
  expect(await redis.role()).toEqual(expect.arrayContaining(['master']))
  await until('every sentinel to be listened to', async () => (await sentinels.subscribers()) === 3)
  closeRedis(redis)
  await until('all sentinels to be left', async () => (await sentinels.subscribers()) === 0)
})
