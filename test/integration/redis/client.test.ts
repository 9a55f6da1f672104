import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { type Cluster, Redis } from 'ioredis'
import { pino } from 'pino'
import { beforeEach, expect, type TestContext, test, vi } from 'vitest'
import { readConfig } from '../../../src/config/config.ts'
import { blockingConnection, closeRedis, openRedis, type RedisClient } from '../../../src/redis/client.ts'
import { openTelemetry } from '../../../src/telemetry.ts'
import { type RedisCluster, spawnRedisCluster } from '../../support/redis-cluster.ts'
import { spawnRedisServer } from '../../support/redis-server.ts'
import { requireRedisServer } from '../../support/requires.ts'
import { until } from '../../support/until.ts'

beforeEach(requireRedisServer)

const telemetry = openTelemetry(pino({ level: 'silent' }))

async function clientOf(cluster: RedisCluster, purpose: 'work' | 'ask', context: TestContext): Promise<RedisClient> {
  const redis = await openRedis(readConfig({ REDIS_URL: cluster.url, REDIS_CLUSTER: 'true' }), purpose, telemetry)
  context.onTestFinished(() => closeRedis(redis))
  return redis
}

/** Against hanging for ever, which is what these commands did. */
const limitMs = 100_000

test('a command in flight when its connection breaks fails when the client is closed before the next one is up', {
  timeout: limitMs,
}, async (context) => {
  const server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  await using _ = server
  const other = new Redis(server.url)
  context.onTestFinished(() => other.disconnect())
  const redis = await openRedis(readConfig({ REDIS_URL: server.url }), 'work', telemetry)
  context.onTestFinished(() => closeRedis(redis))
  const reported = redis.blpop('nothing', 0).then(
    () => 'answered',
    () => 'failed',
  )
  await until('the command to be with Redis', async () => String(await other.client('LIST')).includes('cmd=blpop'))
  const reconnecting = once(redis, 'reconnecting')
  await other.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  await reconnecting
  closeRedis(redis)
  expect(await reported).toBe('failed')
})

test('a stream that is deleted under a read is no replica: the reader stays connected, and nothing says that Redis is away', {
  timeout: limitMs,
}, async (context) => {
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  const reported = openTelemetry(pino({ level: 'silent' }))
  const events: string[] = []
  reported.listen((event) => events.push(event))
  const redis = await openRedis(readConfig({ REDIS_URL: server.url }), 'work', reported)
  context.onTestFinished(() => closeRedis(redis))
  await redis.xgroup('CREATE', 'stream', 'group', '0', 'MKSTREAM')
  using reader = blockingConnection(redis, limitMs)
  const id = await reader.client('ID')
  const read = reader.xreadgroup('GROUP', 'group', 'one', 'BLOCK', limitMs, 'STREAMS', 'stream', '>').catch(String)
  await until('the read to wait', async () => String(await redis.client('LIST')).includes('cmd=xreadgroup'))
  await redis.del('stream')
  expect(await read).toMatch(/UNBLOCKED|NOGROUP/)
  expect(await reader.client('ID')).toBe(id)
  expect(events).toEqual([])
})

test('a command that is sent while a connection is being set up fails when that connection breaks', {
  timeout: limitMs,
}, async (context) => {
  const redisServer = await spawnRedisServer()
  if (!redisServer) throw new Error('no redis-server')
  await using _ = redisServer
  // The second connection takes everything and answers nothing.
  const sockets: Socket[] = []
  const proxy = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    if (sockets.length === 2) return void socket.resume()
    const onward = createConnection(redisServer.port, '127.0.0.1')
    onward.on('error', () => {})
    socket.pipe(onward).pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  context.onTestFinished(() => void proxy.close())
  const { port } = proxy.address() as AddressInfo
  const redis = await openRedis(readConfig({ REDIS_URL: `redis://127.0.0.1:${port}` }), 'work', telemetry)
  context.onTestFinished(() => closeRedis(redis))
  const connected = once(redis, 'connect')
  sockets[0]?.destroy()
  await connected
  const reported = redis.info('server').then(
    () => 'answered',
    () => 'failed',
  )
  sockets[1]?.destroy()
  expect(await reported).toBe('failed')
  expect(await redis.set('and', 'on')).toBe('OK')
})

test('a client of a cluster that is reconnected while a command is sent to another server answers it and what comes after', {
  timeout: limitMs,
}, async (context) => {
  await using cluster = await spawnRedisCluster({ masters: 2 })
  const redis = await clientOf(cluster, 'work', context)
  const client = redis as unknown as Cluster & { slots: string[][] }
  const slot = await cluster.node.cluster('KEYSLOT', 'here')
  const [own] = client.slots[slot] ?? []
  const wrong = client.nodes().find(({ options }) => `${options.host}:${options.port}` !== own)?.options
  client.slots[slot] = [`${wrong?.host}:${wrong?.port}`] // as it is for a moment after the slot has moved
  const reported = redis.set('here', 'and now')
  while (!delayed(client)) await turn()
  // Then closing takes long enough for the command to be sent on meanwhile.
  for (const { pid } of cluster.nodes) process.kill(pid(), 'SIGSTOP')
  client.disconnect(true)
  while (delayed(client)) await turn()
  for (const { pid } of cluster.nodes) process.kill(pid(), 'SIGCONT')
  expect(await reported).toBe('OK')
  expect(await redis.get('here')).toBe('and now')
})

test('a client of a cluster whose try is closed while it looks up names tries again', {
  timeout: limitMs,
}, async (context) => {
  await using cluster = await spawnRedisCluster({ masters: 1 })
  const url = cluster.url.replace('127.0.0.1', 'localhost')
  const redis = await openRedis(readConfig({ REDIS_URL: url, REDIS_CLUSTER: 'true' }), 'work', telemetry)
  context.onTestFinished(() => closeRedis(redis))
  const connecting = once(redis, 'connecting')
  redis.disconnect(true)
  await connecting
  // ioredis emits this when the last connection of the previous try has ended, by chance too late.
  ;(redis as unknown as { connectionPool: NodeJS.EventEmitter }).connectionPool.emit('drain')
  expect(await redis.set('and', 'on')).toBe('OK')
})

test('with no server up, a client of a cluster for who wants an answer, and its duplicates, fail in time', {
  timeout: limitMs,
}, async (context) => {
  await using cluster = await spawnRedisCluster({ masters: 1 })
  const redis = await clientOf(cluster, 'ask', context)
  using reader = blockingConnection(redis, 20)
  await reader.get('x')
  for (const node of cluster.nodes) await node.stop('SIGKILL')
  for (const client of [redis, reader]) await expect(client.get('x')).rejects.toThrow()
})

test('ioredis prints no error of a duplicate without a listener, as when BullMQ closes it', {
  timeout: limitMs,
}, async (context) => {
  await using cluster = await spawnRedisCluster({ masters: 1 })
  const redis = await clientOf(cluster, 'work', context)
  const duplicate = redis.duplicate()
  context.onTestFinished(() => duplicate.disconnect())
  const printed = vi.spyOn(console, 'error')
  context.onTestFinished(() => printed.mockRestore())
  const failed = once(duplicate, 'node error')
  for (const node of cluster.nodes) await node.stop('SIGKILL')
  duplicate.get('x').catch(() => {})
  await failed
  await until('the duplicate to try again', () => duplicate.status === 'reconnecting')
  expect(printed.mock.calls).toEqual([])
})

/** Returns whether a command waits until it is sent to the node that a slot has moved to. */
function delayed(client: Cluster): boolean {
  const { delayQueue } = client as unknown as { delayQueue: { queues: Record<string, { length: number } | null> } }
  return (delayQueue.queues['moved']?.length ?? 0) > 0
}

test('a process that stalls again and again while it connects waits for Redis as long as one that runs', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  let stalling = true
  void (async () => {
    while (stalling) {
      const until = performance.now() + 100
      while (performance.now() < until);
      await turn()
    }
  })()
  try {
    const redis = await openRedis(readConfig({ REDIS_URL: server.url }), 'ask', telemetry, 100)
    closeRedis(redis)
  } finally {
    stalling = false
  }
})

test('a connection that many replies ask to replace is ended once, and the next one works', async () => {
  await using server = await spawnRedisServer()
  await using stack = new AsyncDisposableStack()
  const redis = await openRedis(readConfig({ REDIS_URL: server?.url ?? '' }), 'work', telemetry)
  stack.defer(() => closeRedis(redis))
  const { stream } = (redis as unknown as { connector: { stream: Socket } }).connector
  const before = stream.listenerCount('close')
  const closed = once(redis, 'close')
  for (let replies = 0; replies < 20; replies++) redis.disconnect(true) // as each READONLY of a pipeline does
  expect(stream.listenerCount('close')).toBe(before + 1)
  await closed
  expect(await redis.set('and', 'on')).toBe('OK')
})
