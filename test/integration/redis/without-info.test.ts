import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { readConfig } from '../../../src/config/config.ts'
import { openGate } from '../../../src/ingest/backpressure.ts'
import { openDurability } from '../../../src/ingest/durability.ts'
import { makeKeys } from '../../../src/keys.ts'
import { allow, rulesFor } from '../../../src/ops/rights/acl.ts'
import { extrasOf } from '../../../src/ops/rights/commands.ts'
import { fullestOf } from '../../../src/redis/info.ts'
import { localEmulator } from '../../support/emulator.ts'
import { type RedisServer, spawnRedisServer } from '../../support/redis-server.ts'
import { requireRedisServer } from '../../support/requires.ts'
import { until } from '../../support/until.ts'
import { appOn } from '../../support/world.ts'

/** A client of a user without INFO and CONFIG. */
async function limited(server: RedisServer): Promise<Redis & AsyncDisposable> {
  await using admin = disposed(new Redis(server.url))
  const extras = extrasOf(['bridge']).map(allow)
  const rules = rulesFor(['bridge'], { cluster: false, partitioned: false }).filter((rule) => !extras.includes(rule))
  await admin.call('ACL', 'SETUSER', 'bridge', 'on', '>secret', ...rules)
  return disposed(new Redis(server.url.replace('//', '//bridge:secret@'), { enableReadyCheck: false }))
}

const disposed = (redis: Redis): Redis & AsyncDisposable =>
  Object.assign(redis, { [Symbol.asyncDispose]: async () => redis.disconnect() })

test('memory that a server does not say, as the emulator, is not known', async () => {
  const { url, stop } = await localEmulator()
  const redis = new Redis(url)
  const memory = await fullestOf(redis, [makeKeys()])
  redis.disconnect()
  await stop()
  expect(memory).toBe(undefined)
})

test('replicas:1 is confirmed by WAIT, and what was written before a reconnect is not', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) return
  await using _replica = await spawnRedisServer('--replicaof', '127.0.0.1', String(server.port))
  await using redis = await limited(server)
  const app = appOn(redis, readConfig({ SQS_DELETE_AFTER: 'replicas:1' }))
  using durability = await openDurability(app)
  const confirmed = (): Promise<string> => durability.confirm(app.keys).catch(() => '')
  const before = durability.incarnation(app.keys)
  expect(await until('the replica to have it', confirmed)).toBe(before)
  redis.disconnect(true)
  const after = await until(
    'another connection',
    () => durability.incarnation(app.keys),
    (incarnation) => incarnation !== before,
  )
  expect(await until('the replica to have it', confirmed)).toBe(after)
})

test('fsync is refused where nothing says what is on the disk; without a wish it is the reply', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) return
  await using redis = await limited(server)
  await expect(openDurability(appOn(redis, readConfig({ SQS_DELETE_AFTER: 'fsync' })))).rejects.toThrow(
    /^SQS_DELETE_AFTER=fsync, but neither INFO nor WAITAOF .* Allow INFO, or set SQS_DELETE_AFTER=write\.$/,
  )
  const app = appOn(redis)
  using durability = await openDurability(app)
  expect([durability.settleMs, await durability.confirm(app.keys)]).toEqual([0, ''])
  const gate = openGate(app, async () => 0)
  await gate.pass(() => {}, new AbortController().signal) // memory is not known, and holds nothing back
})
