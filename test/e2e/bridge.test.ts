import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { expect, type TestContext, test } from 'vitest'
import { openProxy } from '../support/proxy.ts'
import { type RedisServer, spawnRedisServer } from '../support/redis-server.ts'
import { requireRedisServer } from '../support/requires.ts'
import { type OrdersRun, runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { type Answer, openSqsProxy } from '../support/sqs-proxy.ts'
import { stopwatch } from '../support/stopwatch.ts'
import { until } from '../support/until.ts'
import { hasWaitAof } from '../support/waitaof.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

async function serverOf(context: TestContext, ...options: string[]): Promise<RedisServer> {
  requireRedisServer(context)
  const server = await spawnRedisServer(...options)
  if (!server) throw new Error('no redis-server')
  return server
}

/** Returns the options of a server as before 7.2, which has no such command. */
async function withoutWaitAof(): Promise<string[]> {
  await using place = await emptyRedis()
  return (await hasWaitAof(place.redis)) ? ['--rename-command', 'WAITAOF', ''] : []
}

const bodies = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => JSON.stringify({ user_id: `u${i % 5}`, order_id: i, order_value: 2 }))

const line = ['run', 'bridge', 'validate', 'aggregate', 'leaderboard']
const debug: Env = { LOG_LEVEL: 'debug' }

/** A test of how SQS is called, with either client. */
function overBoth(name: string, run: (transport: Env, context: TestContext) => Promise<void>): void {
  for (const transport of ['sdk', 'thin']) {
    test(`${name}: SQS_TRANSPORT=${transport}`, (context) => run({ SQS_TRANSPORT: transport }, context))
  }
}

async function counted(redis: Redis): Promise<Record<string, string>> {
  return redis.hgetall('pipeline:counters')
}

/** Returns the number of messages in all events of a kind. */
function messages(process: OrdersRun, event: string): number {
  return process.events(event).reduce((sum, { messages }) => sum + Number(messages), 0)
}

async function ranked(redis: Redis, count: number): Promise<void> {
  await until(
    `${count} to be ranked`,
    () => counted(redis),
    ({ ranked }) => ranked === String(count),
  )
}

test('fsync without WAITAOF: a message is deleted two seconds after its write, and the pollers do not wait for it', async (context) => {
  await using server = await serverOf(context, '--appendfsync', 'everysec', ...(await withoutWaitAof()))
  await using sqs = await emptySqs()
  const env = envOf(server.url, sqs, { ...debug, BRIDGE_POLLERS: '1' })
  await sendBodies(env, bodies(300))
  await using all = runOrders(line, env)
  await until(
    'all to be deleted',
    () => messages(all, 'deleted'),
    (deleted) => deleted === 300,
  )
  const times = (event: string): number[] => all.events(event).map(({ time }) => Number(time))
  const [wrote, durable] = [times('enqueued'), times('durable')]
  expect(messages(all, 'enqueued')).toBe(300)
  expect(Math.min(...durable) - Math.min(...wrote)).toBeGreaterThanOrEqual(1_990)
  // The poller had read on meanwhile: it has not waited two seconds after each write.
  expect(Math.max(...wrote) - Math.min(...wrote)).toBeLessThan((wrote.length - 1) * 1_990)
  expect(sqs.depth()).toBe(0)
})

test('write, or an append-only file with fsync always: a message is deleted at once', async (context) => {
  for (const [option, more] of [
    ['everysec', { SQS_DELETE_AFTER: 'write' }],
    ['always', {}],
  ] as const) {
    await using server = await serverOf(context, '--appendfsync', option)
    await using sqs = await emptySqs()
    const env = envOf(server.url, sqs, { ...debug, ...more })
    await using all = runOrders(line, env)
    const timeOf = (event: string, at: number): number => Number(all.events(event)[at]?.['time'])
    const waits: number[] = []
    for (const [at, body] of bodies(3).entries()) {
      await sendBodies(env, [body])
      await until('it to be deleted', () => messages(all, 'deleted') === at + 1)
      waits.push(timeOf('durable', at) - timeOf('enqueued', at))
    }
    expect(Math.min(...waits)).toBeLessThan(1_900) // one of them: others use this machine too
  }
})

test('what Redis loses before it was on disk comes again from SQS, and is counted once', async (context) => {
  await using server = await serverOf(context)
  await using sqs = await emptySqs()
  const env = envOf(server.url, sqs, { ...debug, SQS_VISIBILITY_TIMEOUT_SECONDS: '5' })
  const redis = new Redis(server.url, { maxRetriesPerRequest: null })
  redis.on('error', () => {})
  let killed: Promise<void> | undefined
  // At once: two seconds after its write a message is deleted.
  await using all = runOrders(line, env, (text) => {
    if (text.includes('"msg":"enqueued"')) killed ??= server.stop('SIGKILL')
  })
  await all.started()
  await sendBodies(env, bodies(40))
  await until('some to be written', () => killed !== undefined)
  await killed
  expect(messages(all, 'deleted')).toBe(0)
  await server.loseData() // the machine went with it: nothing of the last second had reached the disk
  await server.start()
  await ranked(redis, 40)
  await until(
    'the queue to be empty',
    () => sqs.depth(),
    (depth) => depth === 0,
  )
  expect(await counted(redis)).toMatchObject({ admitted: '40', ranked: '40' })
  redis.disconnect()
})

test('replicas:1: a message is deleted when a replica has it, and not before', async (context) => {
  await using server = await serverOf(context, '--repl-diskless-sync-delay', '0')
  await using replica = await serverOf(context, '--replicaof', '127.0.0.1', String(server.port))
  await using sqs = await emptySqs()
  const env = envOf(server.url, sqs, { ...debug, SQS_DELETE_AFTER: 'replicas:1' })
  const [redis, second] = [new Redis(server.url), new Redis(replica.url)]
  await until(
    'the replica to be in step',
    () => redis.info('replication'),
    (info) => /slave0:.*state=online/.test(info),
  )
  await using all = runOrders(line, env)
  await all.started()
  await second.replicaof('NO', 'ONE')
  await until(
    'the replica to be away',
    () => redis.info('replication'),
    (info) => info.includes('connected_slaves:0'),
  )
  await sendBodies(env, bodies(30))
  await ranked(redis, 30)
  await until('the outage to be reported', () => all.events('bridgeFailed')[0])
  expect(all.events('bridgeFailed')).toMatchObject([
    { component: 'confirm', error: expect.stringContaining('0 of 1 replicas') },
  ])
  expect(sqs.depth()).toBe(30)
  await second.replicaof('127.0.0.1', server.port)
  await until(
    'all to be deleted',
    () => messages(all, 'deleted'),
    (deleted) => deleted === 30,
  )
  expect(await second.hget('pipeline:counters', 'received')).toBe('30')
  for (const client of [redis, second]) client.disconnect()
})

test('while it waits, SQS is kept from handing a message out again', async (context) => {
  await using server = await serverOf(context)
  await using sqs = await emptySqs()
  await using proxy = await openSqsProxy(sqs.url)
  // Renewed at half time: this process may stall for seconds.
  const env = envOf(server.url, sqs, { ...debug, SQS_VISIBILITY_TIMEOUT_SECONDS: '10' })
  const redis = new Redis(server.url)
  await using all = runOrders(line, { ...env, AWS_ENDPOINT_URL: proxy.url })
  await all.started()
  await until('the bridge to have proved a write, and to receive', () => redis.exists('pipeline:barrier'))
  await redis.config('SET', 'min-replicas-to-write', '1') // it refuses every write
  await sendBodies(env, bodies(10))
  await until('the write to be refused', () => all.events('bridgeFailed').length)
  const held = messages(all, 'received')
  await sleep(12_000) // the fault itself: longer than the visibility timeout
  await redis.config('SET', 'min-replicas-to-write', '0')
  await ranked(redis, 10)
  await until(
    'the queue to be empty',
    () => sqs.depth(),
    (depth) => depth === 0,
  )
  expect(proxy.calls.map(({ name }) => name)).toContain('ChangeMessageVisibilityBatch')
  expect(held).toBeGreaterThan(0)
  expect(messages(all, 'received')).toBe(10)
  expect(await counted(redis)).toMatchObject({ received: '10' })
  redis.disconnect()
})

overBoth(
  'messages that SQS fails to delete are deleted again; what it will never delete is let go',
  async (transport, context) => {
    await using server = await serverOf(context, '--appendfsync', 'always')
    await using sqs = await emptySqs()
    let deletes = 0
    const failFirst: Answer = (name, { Entries }) => {
      if (name !== 'DeleteMessageBatch' || deletes++ > 0) return undefined
      const [first, second, ...rest] = Entries as { Id: string }[]
      return {
        Successful: [],
        Failed: [
          { ...second, SenderFault: true, Code: 'ReceiptHandleIsInvalid' },
          ...[first, ...rest].map((entry) => ({ ...entry, SenderFault: false, Code: 'InternalError' })),
        ],
      }
    }
    await using proxy = await openSqsProxy(sqs.url, failFirst)
    const env = envOf(server.url, sqs, { ...debug, ...transport })
    await sendBodies(env, bodies(10))
    await using _ = runOrders(line, { ...env, AWS_ENDPOINT_URL: proxy.url })
    await until('a second try', () => proxy.calls.filter(({ name }) => name === 'DeleteMessageBatch')[1])
    await until(
      'all but one to be deleted',
      () => sqs.depth(),
      (depth) => depth === 1,
    )
  },
)

overBoth('a stop deletes first what has been written, in under five seconds', async (transport, context) => {
  await using server = await serverOf(context)
  await using sqs = await emptySqs()
  const env = envOf(server.url, sqs, { ...debug, ...transport, STOP_GRACE_MS: '60000' })
  await sendBodies(env, bodies(200))
  let stopping: Promise<unknown> | undefined
  using watch = stopwatch()
  let [askedMs, deletedBefore] = [0, -1]
  // At once: two seconds after its write a message is deleted.
  await using all = runOrders(line, env, (text) => {
    if (stopping || !text.includes('"msg":"enqueued"')) return
    ;[askedMs, deletedBefore] = [watch.ms(), messages(all, 'deleted')]
    stopping = all.stop()
  })
  await until('some to be written', () => stopping !== undefined)
  expect(deletedBefore).toBe(0)
  expect(await stopping).toEqual({ code: 0, signal: null })
  expect(watch.ms() - askedMs).toBeLessThan(5_000)
  const written = messages(all, 'enqueued')
  expect([messages(all, 'deleted'), sqs.depth()]).toEqual([written, 200 - written])
})

test('above the high-water mark of waiting orders the bridge receives no more, and goes on when stages have worked', async (context) => {
  await using server = await serverOf(context, '--appendfsync', 'always')
  await using sqs = await emptySqs()
  const env = envOf(server.url, sqs, { ...debug, HIGH_WATER_ORDERS: '500' })
  const redis = new Redis(server.url)
  await sendBodies(env, bodies(4_000))
  await using bridge = runOrders(['run', 'bridge'], env)
  await until('it to be under backpressure', () => bridge.events('backpressureOn').length)
  const received = await until(
    'its pollers to stop',
    async () => {
      const [before, after] = [await redis.hget('pipeline:counters', 'received'), await sleep(600)]
      return { before, after: (await redis.hget('pipeline:counters', 'received')) ?? after }
    },
    ({ before, after }) => before === after,
  )
  expect(Number(received.after)).toBeGreaterThanOrEqual(500)
  expect(Number(received.after)).toBeLessThan(4_000)
  await using stages = runOrders(['run', 'validate', 'aggregate', 'leaderboard'], env)
  await ranked(redis, 4_000)
  expect(stages.events('loopFailed')).toEqual([])
  expect(bridge.events('backpressureOff').length).toBeGreaterThan(0)
  expect(bridge.events('backlogMeasured').length).toBeGreaterThan(2)
  redis.disconnect()
})

test('above the high-water mark of memory the bridge receives no more, and goes on when there is room', async (context) => {
  await using server = await serverOf(context, '--appendfsync', 'always')
  await using sqs = await emptySqs()
  const redis = new Redis(server.url)
  const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
  await redis.config('SET', 'maxmemory', String(Math.round(used / 0.5)))
  const env = envOf(server.url, sqs, { ...debug, HIGH_WATER_MEMORY: '20' })
  await sendBodies(env, bodies(100))
  await using all = runOrders(line, env)
  await until('it to be under backpressure', () => all.events('backpressureOn').length)
  await all.started()
  await until(
    'some looks at the load',
    () => all.events('backlogMeasured').length,
    (count) => count > 3,
  )
  expect(messages(all, 'received')).toBe(0)
  await redis.config('SET', 'maxmemory', '0')
  await ranked(redis, 100)
  expect(all.events('backpressureOff')).toHaveLength(1)
  redis.disconnect()
})

test('connections that are open but dead are replaced: reads, commits and the bridge go on by themselves', async (context) => {
  await using server = await serverOf(context, '--appendfsync', 'always')
  await using sqs = await emptySqs()
  await using proxy = await openProxy(server.port)
  const redis = new Redis(server.url)
  const env = envOf(`redis://127.0.0.1:${proxy.port}`, sqs, debug)
  await using all = runOrders(line, env)
  await all.started()
  await sendBodies(env, bodies(20))
  await ranked(redis, 20)
  proxy.abandon()
  await sendBodies(env, bodies(40))
  await ranked(redis, 40)
  expect(all.events('redisAway').length + all.events('loopFailed').length).toBeGreaterThan(0)
  expect(await all.stop()).toEqual({ code: 0, signal: null })
  redis.disconnect()
})
