import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetQueueAttributesCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { readConfig } from '../../src/config/config.ts'
import { openQueue, type Queue } from '../../src/ingest/sqs/queue.ts'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { expectStats, getFrom } from '../support/expected.ts'
import { Oracle } from '../support/oracle.ts'
import { spawnOrders } from '../support/process.ts'
import { spawnRedisServer } from '../support/redis-server.ts'
import { requireRedisServer } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { emptySqs, envOf } from '../support/world.ts'

const roles = ['bridge', 'validate', 'aggregate', 'leaderboard']

/** A message that is received once more goes to the dead-letter queue. */
async function setMaxReceiveCount({ sqs, url }: Queue, maxReceiveCount: number): Promise<void> {
  const arn = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: `${url}-dlq`, AttributeNames: ['QueueArn'] }))
  const redrive = { deadLetterTargetArn: arn.Attributes?.['QueueArn'], maxReceiveCount }
  await sqs.send(
    new SetQueueAttributesCommand({ QueueUrl: url, Attributes: { RedrivePolicy: JSON.stringify(redrive) } }),
  )
}

async function messagesIn({ sqs }: Queue, url: string): Promise<{ ready: number; received: number }> {
  const names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [...names] }))
  return { ready: Number(Attributes?.[names[0]]), received: Number(Attributes?.[names[1]]) }
}

/** Make a Redis answer and refuse each write, and end that. */
const outages: Readonly<
  Record<string, { begin(redis: Redis): Promise<unknown>; end(redis: Redis): Promise<unknown> }>
> = {
  NOREPLICAS: {
    begin: (redis) => redis.config('SET', 'min-replicas-to-write', '1'),
    end: (redis) => redis.config('SET', 'min-replicas-to-write', '0'),
  },
  OOM: {
    begin: (redis) => redis.config('SET', 'maxmemory', '1'),
    end: (redis) => redis.config('SET', 'maxmemory', '0'),
  },
  MISCONF: {
    begin: async (redis) => {
      const gone = await mkdtemp(join(tmpdir(), 'orders-test-gone-'))
      await redis.config('SET', 'dir', gone, 'save', '3600 1')
      await rm(gone, { recursive: true })
      await redis.bgsave()
      await until(
        'the snapshot to fail',
        () => redis.info('persistence'),
        (info) => /rdb_last_bgsave_status:err/.test(info),
      )
    },
    end: (redis) => redis.config('SET', 'dir', tmpdir(), 'save', ''),
  },
}

for (const [code, { begin, end }] of Object.entries(outages)) {
  test(`${code}: a bridge that is started again and again receives nothing until Redis takes a write`, async (context) => {
    requireRedisServer(context)
    await using server = await spawnRedisServer('--appendonly', 'no', '--enable-protected-configs', 'yes')
    if (!server) throw new Error('no redis-server')
    await using sqs = await emptySqs()
    const env = envOf(server.url, sqs, { SQS_DELETE_AFTER: 'write', HIGH_WATER_MEMORY: '100' })
    using queue = await openQueue(readConfig(env))
    await setMaxReceiveCount(queue, 2)
    using redis = Object.assign(new Redis(server.url), { [Symbol.dispose]: () => redis.disconnect() })
    {
      await using first = runOrders(['run', 'validate'], env) // sets Redis up
      await first.started()
      await first.stop()
    }
    await begin(redis)
    const oracle = new Oracle()
    const bodies = [...sampleOrders({ valid: 60, invalid: 6, users: 10, seed: 1 })].map(({ body }) => body)
    for (const body of bodies) oracle.take(body)
    await sendBodies(env, bodies)
    // One life more than a message may be received.
    for (let life = 0; life < 3; life++) {
      await using bridge = spawnOrders(['run', 'bridge'], env)
      const failed = await until(
        'the refusal to be said',
        () => bridge.events('bridgeFailed'),
        (events) => events.length > 0,
      )
      expect(failed).toEqual([expect.objectContaining({ component: 'write', error: expect.stringContaining(code) })])
      await bridge.kill('SIGKILL')
    }
    expect(await messagesIn(queue, queue.url)).toEqual({ ready: bodies.length, received: 0 })
    await using bridge = runOrders(['run', 'bridge'], env)
    await until('the refusal to be said', () => bridge.events('bridgeFailed').length > 0)
    await end(redis)
    await using all = runOrders(['run', ...roles.slice(1), 'api'], env)
    await until(
      'all to be ranked',
      () => redis.hgetall('pipeline:counters'),
      ({ ranked, rejected }) => Number(ranked) === oracle.admitted && Number(rejected) === oracle.rejected,
    )
    expect(await messagesIn(queue, `${queue.url}-dlq`)).toEqual({ ready: 0, received: 0 })
    await expectStats(getFrom(await all.apiUrl()), oracle)
    await until('the bridge to be back', () => bridge.events('bridgeBack').length === 1)
  })
}
