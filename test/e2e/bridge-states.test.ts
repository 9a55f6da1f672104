import { Redis } from 'ioredis'
import { expect, type TestContext, test } from 'vitest'
import { spawnRedisServer } from '../support/redis-server.ts'
import { requireRedisServer } from '../support/requires.ts'
import { type OrdersRun, runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { type Answer, openSqsProxy, type SqsProxy } from '../support/sqs-proxy.ts'
import { until } from '../support/until.ts'
import { type Env, emptySqs, envOf } from '../support/world.ts'

const bodies = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => JSON.stringify({ user_id: `u${i % 5}`, order_id: i, order_value: 2 }))

interface Fault {
  readonly answer: Answer
  run(running: Running): Promise<void>
}

interface Running {
  readonly bridge: OrdersRun
  readonly proxy: SqsProxy
  readonly redis: Redis
  send(bodies: readonly string[]): Promise<void>
}

/** A bridge of four pollers with either client, before an SQS of which some calls are answered by the test. */
function overBoth(name: string, open: () => Fault): void {
  for (const SQS_TRANSPORT of ['sdk', 'thin']) {
    test.concurrent(`${name}: SQS_TRANSPORT=${SQS_TRANSPORT}`, async (context: TestContext) => {
      requireRedisServer(context)
      const fault = open()
      await using server = await spawnRedisServer('--appendfsync', 'always')
      if (!server) throw new Error('no redis-server')
      await using sqs = await emptySqs()
      await using proxy = await openSqsProxy(sqs.url, fault.answer)
      const more: Env = { SQS_TRANSPORT, BRIDGE_POLLERS: '4' }
      const env = envOf(server.url, sqs, more)
      await using bridge = runOrders(['run', 'bridge'], { ...env, AWS_ENDPOINT_URL: proxy.url })
      await bridge.started()
      using redis = connect(server.url)
      await fault.run({ bridge, proxy, redis, send: (bodies) => sendBodies(env, bodies) })
    })
  }
}

function connect(url: string): Redis & Disposable {
  const redis = new Redis(url)
  return Object.assign(redis, { [Symbol.dispose]: () => redis.disconnect() })
}

const receives = ({ calls }: SqsProxy): number => calls.filter(({ name }) => name === 'ReceiveMessage').length

async function receivedBy(redis: Redis, count: number): Promise<void> {
  await until(
    `${count} to be received`,
    () => redis.hget('pipeline:counters', 'received'),
    (received) => Number(received) >= count,
  )
}

const damaged = { Messages: [{ MessageId: 'm', ReceiptHandle: 'r', Body: 'body', MD5OfBody: '0'.repeat(32) }] }

overBoth('while some receives fail and others work, the bridge is failing once, and back once', () => {
  let [wrong, count] = [0, 0]
  return {
    answer: (name) => {
      if (name !== 'ReceiveMessage' || wrong >= 8 || count++ % 3 > 0) return undefined
      wrong++
      return damaged
    },
    run: async ({ bridge, redis, send }) => {
      await send(bodies(600))
      await until('all of the wrong answers to be given', () => wrong >= 8)
      await receivedBy(redis, 600)
      await until('the bridge to be back', () => bridge.events('bridgeBack').length > 0)
      expect(bridge.events('bridgeFailed')).toMatchObject([
        { component: 'receive', error: expect.stringContaining('Invalid MD5 checksum on messages: m') },
      ])
      expect(bridge.events('bridgeBack')).toMatchObject([{ component: 'receive' }])
    },
  }
})

overBoth('receives that come back empty at once are said, and a second apart', () => {
  let hasty = true
  return {
    answer: (name) => (name === 'ReceiveMessage' && hasty ? {} : undefined),
    run: async ({ bridge, proxy, redis, send }) => {
      await until('it to be said', () => bridge.events('bridgeFailed').length > 0)
      expect(bridge.events('bridgeFailed')).toMatchObject([
        {
          component: 'wait',
          error:
            'SQS answers receives empty at once, though each asks it to wait 1 s and is paid for: see what stands between. Meanwhile each poller asks once a second.',
        },
      ])
      const before = receives(proxy)
      await until('some more', () => receives(proxy) >= before + 4)
      await until('yet some more', () => receives(proxy) >= before + 8)
      expect(receives(proxy)).toBeLessThan(200) // unpaused, some thousand
      hasty = false
      await send(bodies(200))
      await receivedBy(redis, 200)
      await until('the bridge to be back', () => bridge.events('bridgeBack').length > 0)
      expect([bridge.events('bridgeFailed').length, bridge.events('bridgeBack').length]).toEqual([1, 1])
    },
  }
})
