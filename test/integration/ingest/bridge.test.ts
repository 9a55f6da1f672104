import { expect, test } from 'vitest'
import { readConfig } from '../../../src/config/config.ts'
import { openBridge } from '../../../src/ingest/bridge.ts'
import { openQueue } from '../../../src/ingest/sqs/queue.ts'
import { recordTracing } from '../../support/record-tracing.ts'
import { sendBodies } from '../../support/send.ts'
import { openSqsProxy } from '../../support/sqs-proxy.ts'
import { until } from '../../support/until.ts'
import { appOn, type Env, emptyRedis, emptySqs, envOf } from '../../support/world.ts'

const bodies = Array.from({ length: 40 }, (_, at) =>
  JSON.stringify({ user_id: `u${at}`, order_id: at, order_value: 1 }),
)

/** A bridge in this process, with two pollers, before an emulator that answers through a proxy. */
async function openWorld(answer?: Parameters<typeof openSqsProxy>[1], more: Env = {}) {
  const stack = new AsyncDisposableStack()
  const { redis, url } = stack.use(await emptyRedis())
  const sqs = stack.use(await emptySqs())
  const proxy = stack.use(await openSqsProxy(sqs.url, answer))
  const env = envOf(url, { url: proxy.url, queueName: sqs.queueName }, { SQS_DELETE_AFTER: 'write', ...more })
  const config = readConfig({ ...env })
  const app = appOn(redis, config, { tracing: recordTracing().tracing })
  const events: (readonly [name: string, fields: Readonly<Record<string, unknown>>])[] = []
  app.telemetry.listen((name, fields) => void events.push([name, fields as Record<string, unknown>]))
  const queue = stack.use(await openQueue(config))
  const bridge = stack.use(await openBridge(app, queue, async () => 0))
  const stop = new AbortController()
  const poll = async (): Promise<void> => {
    await bridge
      .poll(() => {}, stop.signal)
      .catch((error: unknown) => {
        if (!stop.signal.aborted) throw error
      })
  }
  const run = (): Promise<unknown> => Promise.all([bridge.delete(() => {}, stop.signal), poll(), poll()])
  const sum = (event: string, field = 'messages'): number =>
    events.filter(([name]) => name === event).reduce((all, [, fields]) => all + Number(fields[field]), 0)
  return {
    ...{ app, redis, sqs, proxy, env: envOf(url, sqs), events, run, sum },
    stop: () => stop.abort(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

test('messages are received, written once and deleted; a stop ends as soon as none is left', async () => {
  await using world = await openWorld(undefined, { STOP_GRACE_MS: '600000' })
  const { app, redis, sqs, sum } = world
  await sendBodies(world.env, bodies)
  const running = world.run()
  await until('all to be deleted', () => sum('deleted') === bodies.length)
  expect([sum('received'), sum('received', 'redelivered'), sum('enqueued')]).toEqual([bodies.length, 0, bodies.length])
  const entries = await redis.xrange(app.keys.stream('raw'), '-', '+')
  const orders = entries.flatMap(([, fields]) => Number(fields[fields.indexOf('n') + 1]))
  expect(orders.reduce((all, count) => all + count)).toBe(bodies.length)
  expect(sqs.depth()).toBe(0)
  world.stop()
  await running
})

test('a message is written with the time since it was sent', async () => {
  await using world = await openWorld()
  await sendBodies(world.env, bodies.slice(0, 3))
  const running = world.run()
  await until('all to be written', () => world.sum('enqueued') === 3)
  const hops = world.events.filter(([name]) => name === 'hop').map(([, { hop, waits, atMs }]) => [hop, waits, atMs])
  expect(hops.length).toBeGreaterThan(0)
  for (const [hop, waits, atMs] of hops) {
    expect(hop).toBe('bridge')
    expect((waits as number[])[0]).toBeLessThan(Number(atMs) / 2) // not the time since 1970
  }
  const [[, fields = []] = []] = await world.redis.xrange(world.app.keys.stream('raw'), '-', '+')
  const [sentMs] = JSON.parse(fields[fields.indexOf('t') + 1] ?? '')
  expect(Math.abs(sentMs - Date.now())).toBeLessThan(86_400_000)
  world.stop()
  await running
})

test('where it is traced, each receive asks for what names the span that sent a message', async () => {
  await using world = await openWorld()
  await sendBodies(world.env, bodies.slice(0, 1))
  const running = world.run()
  await until('it to be deleted', () => world.sum('deleted') === 1)
  const receive = world.proxy.calls.find(({ name }) => name === 'ReceiveMessage')
  expect(receive?.input).toMatchObject({
    MessageAttributeNames: ['traceparent', 'tracestate'],
    MessageSystemAttributeNames: ['SentTimestamp', 'ApproximateReceiveCount', 'AWSTraceHeader'],
  })
  world.stop()
  await running
})

test('while receives fail one outage is reported; after one that works it is over, and all is received', async () => {
  let failing = 3
  await using world = await openWorld((name) =>
    name === 'ReceiveMessage' && failing-- > 0 ? { Messages: 'none' } : undefined,
  )
  await sendBodies(world.env, bodies)
  const running = world.run()
  await until('the outage to be over', () => world.events.some(([name]) => name === 'bridgeBack'))
  const reported = world.events
    .filter(([name]) => name.startsWith('bridge'))
    .map(([name, fields]) => [name, fields['component']])
  expect(reported).toEqual([
    ['bridgeFailed', 'receive'],
    ['bridgeBack', 'receive'],
  ])
  await until('all to be deleted', () => world.sum('deleted') === bodies.length)
  world.stop()
  await running
})
