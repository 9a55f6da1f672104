import { once } from 'node:events'
import { createServer } from 'node:net'
import { GetQueueAttributesCommand, ListQueuesCommand } from '@aws-sdk/client-sqs'
import { expect, test } from 'vitest'
import { readConfig } from '../../src/config/config.ts'
import { openQueue } from '../../src/ingest/sqs/queue.ts'
import { spawnOrders } from '../support/process.ts'
import { freePort } from '../support/redis-server.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

/** One clear line on stderr, this exit code, nothing else. A command that logs writes it as JSON. */
async function refusal(code: number, args: readonly string[], env: Env): Promise<string[]> {
  await using orders = spawnOrders(args, env)
  expect(await orders.exit()).toEqual({ code, signal: null })
  expect(orders.stdout()).toBe('')
  const lines = orders.stderr().trimEnd().split('\n')
  if (!['run', 'start'].includes(args[0] ?? '')) return lines
  const ended = orders.events('ended')
  expect(ended).toEqual(lines.map(() => expect.objectContaining({ level: 60, exitCode: code })))
  return ended.map(({ code, error }) => `${code}: ${error}`)
}

test('Redis missing at start is one line and exit code 3', async () => {
  const port = await freePort()
  const lines = await refusal(3, ['run', 'validate'], envOf(`redis://user:secret@127.0.0.1:${port}`))
  expect(lines).toEqual([
    `ORD_REDIS_UNREACHABLE: Redis does not answer at redis://***@127.0.0.1:${port} (connect ECONNREFUSED 127.0.0.1:${port}): start it or set REDIS_URL.`,
  ])
})

test('SQS missing at start is one line and exit code 3', async () => {
  await using redis = await emptyRedis()
  const port = await freePort()
  const lines = await refusal(
    3,
    ['run', 'bridge'],
    envOf(redis.url, { url: `http://127.0.0.1:${port}`, queueName: 'orders' }),
  )
  expect(lines).toEqual([
    `ORD_SQS: SQS cannot open the queue orders at http://127.0.0.1:${port} (connect ECONNREFUSED 127.0.0.1:${port}): check AWS_ENDPOINT_URL and the credentials.`,
  ])
})

test('an API port that is taken is one line and exit code 1', async () => {
  await using redis = await emptyRedis()
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? String(address?.port) : ''
  try {
    expect(await refusal(1, ['run', 'api'], envOf(redis.url, undefined, { API_PORT: port }))).toEqual([
      `ORD_PORT_TAKEN: Cannot listen on 127.0.0.1:${port} (listen EADDRINUSE: address already in use 127.0.0.1:${port}): stop what uses it or set API_PORT.`,
    ])
  } finally {
    server.close()
  }
})

test('bad variables are one line each and exit code 1, before anything is started', async () => {
  const env = { API_PORT: 'abc', REDIS_URL: 'http://x', AWS_ENDPOINT_URL: 'nowhere' }
  expect(await refusal(1, ['start'], env)).toEqual([
    'ORD_CONFIG: AWS_ENDPOINT_URL is "nowhere": expected an http:// or https:// URL.',
    'ORD_CONFIG: REDIS_URL is "http://x": expected a redis:// or rediss:// URL, or the path of a socket.',
    'ORD_CONFIG: API_PORT is "abc": expected a port number from 0 to 65535.',
  ])
})

test.each([
  [['dance'], 'There is no command "dance": see orders --help.'],
  [['statu'], 'There is no command "statu": did you mean status? See orders --help.'],
  [
    ['run'],
    'ORD_USAGE: orders run: no role: expected bridge, validate, calendar, archive, aggregate, leaderboard, jobs, api.',
  ],
  [
    ['run', 'cook'],
    'ORD_USAGE: There is no role "cook": expected bridge, validate, calendar, archive, aggregate, leaderboard, jobs, api.',
  ],
  [
    ['populate', '--valid', 'many'],
    'orders populate: --valid is "many", expected a whole number from 0 to 100000000: see orders populate --help.',
  ],
  [
    ['populate', '--valid', '-5'],
    'orders populate: --valid is "-5", expected a whole number from 0 to 100000000: see orders populate --help.',
  ],
  [['status', '--wacth'], "orders status: Unknown option '--wacth': did you mean --watch? See orders status --help."],
  [['status', '--loud'], "orders status: Unknown option '--loud': see orders status --help."],
])('orders %s says what is wrong', async (args, line) => {
  expect(await refusal(2, args, {})).toEqual([line])
})

test('settings that must not change under a running system are refused', async () => {
  await using redis = await emptyRedis()
  await redis.redis.hset('pipeline:manifest', { LEDGER_DAYS: 14, LEDGER_BUCKETS: 65_536 })
  const [line, ...rest] = await refusal(1, ['run', 'validate'], envOf(redis.url, undefined, { LEDGER_DAYS: '7' }))
  expect(line).toMatch(/^ORD_MANIFEST: .*was set up with LEDGER_DAYS=14, this process has 7: set LEDGER_DAYS=14\.$/)
  expect(rest).toEqual([])
})

test('a queue that is missing is created with its dead-letter queue, once, however many bridges start', async () => {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(redis.url, sqs)
  await using one = spawnOrders(['run', 'bridge'], env)
  await using two = spawnOrders(['run', 'bridge'], env)
  await Promise.all([one.started(), two.started()])
  using queue = await openQueue(readConfig({ ...env }))
  const { QueueUrls = [] } = await queue.sqs.send(new ListQueuesCommand({}))
  expect(QueueUrls.map((url) => url.split('/').at(-1)).sort()).toEqual([sqs.queueName, `${sqs.queueName}-dlq`])
  const asked = new GetQueueAttributesCommand({ QueueUrl: queue.url, AttributeNames: ['RedrivePolicy'] })
  const { Attributes } = await queue.sqs.send(asked)
  expect(JSON.parse(Attributes?.['RedrivePolicy'] ?? '')).toMatchObject({ maxReceiveCount: 5 })
})
