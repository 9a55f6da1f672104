import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { expect, type TestContext, test } from 'vitest'
import { readConfig } from '../../../src/config/config.ts'
import { blockingConnection, closeRedis, openRedis } from '../../../src/redis/client.ts'
import { isAway } from '../../../src/redis/errors.ts'
import { openTelemetry } from '../../../src/telemetry.ts'
import { removeOnExit } from '../../support/on-exit.ts'
import { spawnRedisCluster } from '../../support/redis-cluster.ts'
import { spawnRedisServer } from '../../support/redis-server.ts'
import { requireRedisServer } from '../../support/requires.ts'
import { until } from '../../support/until.ts'
import type { Env } from '../../support/world.ts'

const telemetry = openTelemetry(pino({ level: 'silent' }))

function fileWith(context: TestContext, text: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'orders-password-'))
  const folder = removeOnExit(dir)
  context.onTestFinished(() => folder[Symbol.dispose]())
  writeFileSync(join(dir, 'password'), text)
  return join(dir, 'password')
}

/** Allows a user a password, and no other. */
const allow = (admins: readonly Redis[], password: string): Promise<unknown> =>
  Promise.all(
    admins.map((admin) => admin.call('ACL', 'SETUSER', 'pipeline', 'reset', 'on', `>${password}`, '~*', '&*', '+@all')),
  )

/** Ends all connections of the user. */
const drop = (admins: readonly Redis[]): Promise<unknown> =>
  Promise.all(admins.map((admin) => admin.call('CLIENT', 'KILL', 'USER', 'pipeline')))

async function expectRotation(admins: readonly Redis[], file: string, env: Env): Promise<void> {
  await allow(admins, 'first')
  const redis = await openRedis(readConfig({ ...env, REDIS_PASSWORD_FILE: file }), 'work', telemetry)
  try {
    using reader = blockingConnection(redis, 100)
    const all = [redis, reader]
    for (const client of all) expect(await client.incr('used')).toBeGreaterThan(0)
    await allow(admins, 'second')
    writeFileSync(file, 'second\n')
    await drop(admins)
    for (const client of all) expect(await client.incr('used')).toBeGreaterThan(2)
    // The password is gone for a moment, as while a file is replaced: the last one is used.
    rmSync(file)
    await drop(admins)
    for (const client of all) expect(await client.incr('used')).toBeGreaterThan(4)
    // While the new one is late, a command waits, or fails as when Redis is away: loops and requests try again.
    await allow(admins, 'third')
    await drop(admins)
    await until('a refused connection', async () => (await counted(admins)) > 0)
    const late = redis.incr('used').then(() => true, isAway)
    writeFileSync(file, 'third')
    expect(await late).toBe(true)
    for (const client of all) await until('the new password to be used', () => client.incr('used').catch(() => 0))
  } finally {
    closeRedis(redis)
    for (const admin of admins) admin.disconnect()
  }
}

async function counted(admins: readonly Redis[]): Promise<number> {
  const logs = await Promise.all(admins.map((admin) => admin.call('ACL', 'LOG') as Promise<unknown[]>))
  return logs.reduce((sum, log) => sum + log.length, 0)
}

test('a password that is renewed in its file is used by each connection that is opened from then on', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  const { port = 0 } = server ?? {}
  const file = fileWith(context, 'first\n')
  await expectRotation([new Redis(port)], file, { REDIS_URL: `redis://pipeline@127.0.0.1:${port}` })
})

test('so it is on a cluster', async (context) => {
  requireRedisServer(context)
  await using cluster = await spawnRedisCluster()
  const file = fileWith(context, 'first')
  const admins = cluster.nodes.map(({ port }) => new Redis(port))
  const { port = 0 } = cluster.nodes[0] ?? {}
  await expectRotation(admins, file, { REDIS_URL: `redis://pipeline@127.0.0.1:${port}`, REDIS_CLUSTER: 'true' })
})

test.each([
  [undefined, 'and cannot be read (ENOENT: no such file or directory, open'],
  ['\n', 'and is empty: write the password of Redis into it.'],
])('a file with %j is refused with a sentence', async (text, sentence) => {
  const dir = mkdtempSync(join(tmpdir(), 'orders-password-'))
  using _ = removeOnExit(dir)
  const file = join(dir, 'password')
  if (text !== undefined) writeFileSync(file, text)
  const opening = openRedis(readConfig({ REDIS_PASSWORD_FILE: file }), 'ask', telemetry)
  await expect(opening).rejects.toThrow(`REDIS_PASSWORD_FILE is ${JSON.stringify(file)} ${sentence}`)
  await expect(opening).rejects.toMatchObject({ code: 'ORD_CONFIG' })
})
