import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { readConfig } from '../../../src/config/config.ts'
import { openDurability } from '../../../src/ingest/durability.ts'
import { readDurabilityFacts } from '../../../src/ingest/proof/facts.ts'
import { spawnRedisServer } from '../../support/redis-server.ts'
import { requireRedisServer } from '../../support/requires.ts'
import { until } from '../../support/until.ts'
import { appOn } from '../../support/world.ts'

test('a write is durable in the file that Redis keeps, not without one, and not on a replica that is not there', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer('--appendonly', 'yes', '--appendfsync', 'everysec')
  const redis = new Redis(server?.url ?? '')
  const { keys } = appOn(redis)
  const openFor = (SQS_DELETE_AFTER: string) => openDurability(appOn(redis, readConfig({ SQS_DELETE_AFTER })))
  using byFile = await openFor('')
  expect(await byFile.confirm(keys)).toBe(byFile.incarnation(keys))
  using byReply = await openFor('write')
  expect([byReply.settleMs, await byReply.confirm(keys)]).toEqual([0, ''])
  using byReplica = await openFor('replicas:1')
  await expect(byReplica.confirm(keys)).rejects.toThrow('(on 0 of 1 replicas): messages stay in SQS')
  await redis.config('SET', 'appendonly', 'no')
  await expect(byFile.confirm(keys)).rejects.toThrow('messages stay in SQS until they are')
  redis.disconnect()
})

test('after a restart of Redis the next write can be confirmed', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  const redis = new Redis(server?.url ?? '', { retryStrategy: () => 20, maxRetriesPerRequest: null })
  redis.on('error', () => {})
  const app = appOn(redis)
  using durability = await openDurability(app)
  const before = durability.incarnation(app.keys)
  await server?.stop('SIGKILL')
  await server?.start()
  const after = await until(
    'the restart to be noticed',
    () => durability.incarnation(app.keys),
    (incarnation) => incarnation !== before,
  )
  await redis.set('k', 'written by the server of now')
  expect(await until('the write to be on disk', () => durability.confirm(app.keys).catch(() => undefined))).toBe(after)
  redis.disconnect()
})

test('a restart is noticed where the server names its replication as before', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  const redis = new Redis(server?.url ?? '', { retryStrategy: () => 20, maxRetriesPerRequest: null })
  redis.on('error', () => {})
  rewriteReplies(redis, (info) => info.replace(/^master_replid:.*$/m, 'master_replid:same'))
  const app = appOn(redis)
  using durability = await openDurability(app)
  const before = durability.incarnation(app.keys)
  await server?.stop('SIGKILL')
  await server?.start()
  await until('the restart to be noticed', () => durability.incarnation(app.keys) !== before, Boolean, 20_000)
  expect(durability.incarnation(app.keys).split(' ').at(-1)).toBe(before.split(' ').at(-1))
  redis.disconnect()
})

test('where INFO has no section about files, or none about the server, Redis hides them', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  const redis = new Redis(server?.url ?? '', { retryStrategy: () => 20, maxRetriesPerRequest: null })
  rewriteReplies(redis, (info) => info.replaceAll(/^(aof_|run_id|master_replid).*\r\n/gm, ''))
  expect(await readDurabilityFacts(appOn(redis))).toMatchObject({ file: 'hidden', wait: true })
  const app = appOn(redis, readConfig({ SQS_DELETE_AFTER: 'replicas:1' }))
  using durability = await openDurability(app)
  const before = durability.incarnation(app.keys)
  redis.disconnect(true)
  await until('another connection', () => durability.incarnation(app.keys) !== before)
  redis.disconnect()
})

test('a server that has become a replica decides nothing: it cannot be asked what its master has', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  const redis = new Redis(server?.url ?? '')
  await redis.replicaof('127.0.0.1', 1)
  await expect(openDurability(appOn(redis))).rejects.toMatchObject({ code: 'ORD_REDIS_UNREACHABLE' })
  redis.disconnect()
})

/** Changes each text that a pipeline replies. */
function rewriteReplies(redis: Redis, rewrite: (reply: string) => string): void {
  const pipeline = redis.pipeline.bind(redis)
  redis.pipeline = () => {
    const commands = pipeline()
    const exec = commands.exec.bind(commands)
    const rewritten = (reply: unknown): unknown => (typeof reply === 'string' ? rewrite(reply) : reply)
    commands.exec = async () => (await exec())?.map(([error, reply]) => [error, rewritten(reply)]) ?? null
    return commands
  }
}
