import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { expect, type TestContext, test } from 'vitest'
import { scrape } from '../support/exposition.ts'
import { type OrdersProcess, spawnOrders } from '../support/process.ts'
import { freePort, type RedisServer, spawnRedisServer } from '../support/redis-server.ts'
import { requireRedisServer } from '../support/requires.ts'
import { until } from '../support/until.ts'
import { envOf } from '../support/world.ts'

async function stoppedRedis(context: TestContext): Promise<RedisServer> {
  requireRedisServer(context)
  const redis = await spawnRedisServer()
  if (!redis) throw new Error('no redis-server')
  context.onTestFinished(() => redis[Symbol.asyncDispose]())
  await redis.stop()
  return redis
}

const waiting = { START_WAIT_MS: '60000' }

const begun = (orders: OrdersProcess): Promise<Record<string, unknown>[]> =>
  until(
    `it to wait: ${orders.stderr()}`,
    () => {
      if (orders.child.exitCode !== null) throw new Error(`it ended: ${orders.stderr()}`)
      return orders.events('waiting')
    },
    ({ length }) => length > 0,
  )

const statusOf = async (url: string): Promise<number> => (await fetch(url)).status

test('a process that is started before Redis says once that it waits, is alive and not ready, and starts when Redis is there', async (context) => {
  const redis = await stoppedRedis(context)
  const [apiPort, metricsPort] = [await freePort(), await freePort()]
  const env = envOf(redis.url, undefined, { ...waiting, API_PORT: `${apiPort}`, METRICS_PORT: `${metricsPort}` })
  await using api = spawnOrders(['run', 'api'], env)
  await using stage = spawnOrders(['run', 'validate'], env)
  for (const [orders, port] of [
    [api, apiPort],
    [stage, metricsPort],
  ] as const) {
    const [event] = await begun(orders)
    const url = `http://127.0.0.1:${port}`
    expect(event).toMatchObject({
      level: 40,
      error: `Redis does not answer at ${redis.url} (connect ECONNREFUSED 127.0.0.1:${redis.port}): start it or set REDIS_URL.`,
      maxMs: 60_000,
      url,
    })
    expect(await (await fetch(`${url}/livez`)).json()).toEqual({ status: 'ok', loops: {} })
    const notReady = await fetch(`${url}/readyz`)
    expect(notReady.headers.get('content-type')).toBe('application/problem+json')
    expect([notReady.status, await notReady.json()]).toEqual([
      503,
      {
        status: 503,
        title: 'Service Unavailable',
        detail: 'Redis does not answer yet: this process waits for it.',
        request_id: notReady.headers.get('x-request-id'),
      },
    ])
    expect(await statusOf(`${url}/stats/global`)).toBe(503)
    expect((await scrape(url)).samples).toEqual([{ name: 'orders_redis_up', labels: {}, value: 0 }])
  }
  await redis.start()
  await Promise.all([api.started(), stage.started()])
  expect(await statusOf(`http://127.0.0.1:${apiPort}/readyz`)).toBe(200)
  expect(await statusOf(`http://127.0.0.1:${metricsPort}/readyz`)).toBe(200)
  expect(await statusOf(`http://127.0.0.1:${apiPort}/stats/global`)).toBe(200)
  expect([api, stage].map((orders) => orders.events('waiting').length)).toEqual([1, 1])
})

test('SIGTERM ends a wait at once, of run and of start', async (context) => {
  const redis = await stoppedRedis(context)
  const folder = { DATA_DIR: `/tmp/orders-test-${process.pid}-wait` }
  for (const [words, more] of [
    [['run', 'validate'], {}],
    [['start'], { ...folder, AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }],
  ] as const) {
    await using orders = spawnOrders(words, envOf(redis.url, undefined, { ...waiting, ...more }))
    await begun(orders)
    expect(await orders.kill('SIGTERM')).toEqual({ code: 0, signal: null })
  }
})

test('when the wait is over the process ends with the sentence', async (context) => {
  const redis = await stoppedRedis(context)
  await using orders = spawnOrders(['run', 'validate'], envOf(redis.url, undefined, { START_WAIT_MS: '5000' }))
  expect(await orders.exit()).toEqual({ code: 3, signal: null })
  expect(orders.events('waiting')).toHaveLength(1)
  const error = `Redis does not answer at ${redis.url} (connect ECONNREFUSED 127.0.0.1:${redis.port}): start it or set REDIS_URL.`
  expect(orders.events('ended')).toMatchObject([{ level: 60, code: 'ORD_REDIS_UNREACHABLE', error, exitCode: 3 }])
})

test('what time does not heal is not waited for: a sentence at once, and doctor has the same', async (context) => {
  const redis = await stoppedRedis(context)
  await redis.start()
  const { url } = redis
  const env = (REDIS_URL: string) => envOf(REDIS_URL, { url: 'http://127.0.0.1:1', queueName: 'orders' }, waiting)
  for (const [REDIS_URL, sentence] of [
    [`${url}/99`, /^Redis at .*\/99 has no such database /],
    [url.replace('//', '//who:hunter2@'), /^Redis at .* refuses the user or password /],
  ] as const) {
    await using orders = spawnOrders(['run', 'validate'], env(REDIS_URL))
    expect(await orders.exit()).toEqual({ code: 3, signal: null })
    const error = expect.stringMatching(sentence)
    expect(orders.events('ended')).toMatchObject([{ code: 'ORD_REDIS_REFUSED', error, exitCode: 3 }])
    expect(orders.stderr()).not.toContain('hunter2')
  }
  await using doctor = spawnOrders(['doctor', '--json'], env(url.replace('redis', 'rediss')))
  expect(await doctor.exit()).toEqual({ code: 1, signal: null })
  const found = `Redis at rediss://127.0.0.1:${redis.port} does not speak TLS: write redis:// in REDIS_URL, or name its TLS port there.`
  expect(JSON.parse(doctor.stdout()).checks[0]).toEqual({ check: 'redis', level: 'error', found })
  expect(doctor.stderr()).toBe('')
})

test('a command for people does not wait', async (context) => {
  const redis = await stoppedRedis(context)
  await using status = spawnOrders(['status'], envOf(redis.url, undefined, waiting))
  expect(await status.exit()).toEqual({ code: 3, signal: null })
  expect(status.stderr()).toMatch(/^Redis does not answer at .*: start it or set REDIS_URL\.\n$/)
})

test('a port that is taken is said before the wait', async (context) => {
  const redis = await stoppedRedis(context)
  const port = await listen(context, createServer())
  await using orders = spawnOrders(['run', 'api'], envOf(redis.url, undefined, { ...waiting, API_PORT: `${port}` }))
  expect(await orders.exit()).toEqual({ code: 1, signal: null })
  const error = expect.stringMatching(
    /^Cannot listen on 127\.0\.0\.1:\d+ \(.*EADDRINUSE.*\): stop what uses it or set API_PORT\.$/,
  )
  expect(orders.events('ended')).toMatchObject([{ code: 'ORD_PORT_TAKEN', error, exitCode: 1 }])
})

async function listen(context: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.onTestFinished(() => void server.close())
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}
