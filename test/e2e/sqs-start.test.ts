import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { openHttpScript, type Reply } from '../support/http-script.ts'
import { spawnOrders } from '../support/process.ts'
import { freePort } from '../support/redis-server.ts'
import { type OrdersRun, runOrders } from '../support/run-orders.ts'
import { openSqsProxy } from '../support/sqs-proxy.ts'
import { spawnSqsServer } from '../support/sqs-server.ts'
import { until } from '../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

const patient: Env = { START_WAIT_MS: '60000' }
const transports = ['sdk', 'thin'] as const
const mute: Reply = () => {}
const page: Reply = (response) =>
  void response.writeHead(503, { 'content-type': 'text/html' }).end('<html>Sorry</html>')

async function waiting(process: OrdersRun): Promise<Record<string, unknown> | undefined> {
  const [event] = await until(
    'the process to say that it waits',
    () => {
      const events = process.events('waiting')
      if (events.length === 0 && !process.isRunning()) throw new Error(`it ended: ${process.stderr()}`)
      return events
    },
    (events) => events.length > 0,
  )
  return event
}

async function health(port: number): Promise<number[]> {
  return Promise.all(['livez', 'readyz'].map(async (path) => (await fetch(`http://127.0.0.1:${port}/${path}`)).status))
}

test('an SQS endpoint that never answers: the process says so after one try, is alive and not ready, and stops at once', async () => {
  await using redis = await emptyRedis()
  await using server = await openHttpScript(mute)
  const check = async (transport: string): Promise<void> => {
    const port = await freePort()
    const env = envOf(redis.url, { url: server.url, queueName: 'orders' })
    const more: Env = { ...patient, METRICS_PORT: String(port), SQS_TRANSPORT: transport }
    await using orders = runOrders(['run', 'bridge'], { ...env, ...more })
    const error = (await waiting(orders))?.['error']
    // 5 s, and more where the machine is busy.
    expect(`${error}`.replace(/for \d+ s/, 'for some s')).toBe(
      `SQS cannot open the queue orders: ${server.url} has not answered for some s: check AWS_ENDPOINT_URL and the network.`,
    )
    expect(await health(port)).toEqual([200, 503])
    expect(await orders.stop()).toEqual({ code: 0, signal: null })
    expect(orders.events('waiting')).toHaveLength(1)
  }
  const before = server.requests.length
  await Promise.all(transports.map(check))
  expect(server.requests.length - before).toBeLessThan(8) // a stop does not wait for the tries that are left
})

test('credentials that never come are waited for as long as an SQS that never answers', async () => {
  await using redis = await emptyRedis()
  await using server = await openHttpScript(mute)
  const role: Env = {
    ...patient,
    AWS_ENDPOINT_URL_STS: server.url,
    AWS_ROLE_ARN: 'arn:aws:iam::000000000000:role/bridge',
    AWS_WEB_IDENTITY_TOKEN_FILE: fileURLToPath(import.meta.url),
  }
  await using orders = spawnOrders(['run', 'bridge'], envOf(redis.url, undefined, role)) // the SDK reads its own variables
  expect(await waiting(orders)).toMatchObject({
    error:
      'SQS cannot open the queue orders: AWS, region us-east-1 has not answered for 5 s: check AWS_REGION, the source of the credentials and the network.',
  })
  expect(server.requests.length).toBeGreaterThan(0)
  expect(await orders.stop()).toEqual({ code: 0, signal: null })
})

test('SQS away at start: the process waits, alive and not ready, and starts by itself when SQS is there', async () => {
  await using redis = await emptyRedis()
  await using sqs = await spawnSqsServer()
  await sqs.kill()
  const port = await freePort()
  const env = envOf(redis.url, { url: sqs.url, queueName: 'orders' }, { ...patient, API_PORT: String(port) })
  await using orders = runOrders(['run', 'bridge', 'api'], env)
  await waiting(orders)
  expect(await health(port)).toEqual([200, 503])
  await sqs.start()
  await orders.started()
  expect(await health(port)).toEqual([200, 200])
})

test('SQS answers: the port opens once, so that no probe that succeeds is followed by a refused connection', async () => {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  const port = await freePort()
  const isOpen = (): Promise<boolean> => health(port).then(Boolean, () => false)
  const seen: Promise<boolean>[] = []
  await using proxy = await openSqsProxy(sqs.url, () => void seen.push(isOpen()))
  const env = envOf(redis.url, { ...sqs, url: proxy.url }, { ...patient, METRICS_PORT: String(port) })
  await using orders = runOrders(['run', 'bridge'], env)
  await orders.started()
  expect(await isOpen()).toBe(true)
  expect(await seen[0]).toBe(false)
})

test('SQS away for longer than START_WAIT_MS: the process ends with the sentence', async () => {
  await using redis = await emptyRedis()
  await using server = await openHttpScript(page)
  const env = envOf(redis.url, { url: server.url, queueName: 'orders' }, { START_WAIT_MS: '5000' })
  await using orders = runOrders(['run', 'bridge'], env)
  expect(await orders.exit()).toEqual({ code: 3, signal: null })
  expect(orders.events('waiting')).toHaveLength(1)
  expect(orders.stderr().trimEnd().split('\n').at(-1)).toBe(
    `SQS cannot open the queue orders: ${server.url} answered 503 Service Unavailable with text/html, which is no answer of SQS: check AWS_ENDPOINT_URL.`,
  )
})

test('an endpoint that is not SQS is refused without a wait', async () => {
  await using redis = await emptyRedis()
  await using server = await openHttpScript((response) => void response.writeHead(404).end())
  const env = envOf(redis.url, { url: server.url, queueName: 'orders' }, patient)
  await using orders = runOrders(['run', 'bridge'], env)
  expect(await orders.exit()).toEqual({ code: 1, signal: null })
  expect(orders.events('waiting')).toEqual([])
  expect(orders.stderr()).toBe(
    `SQS cannot open the queue orders: ${server.url} answered 404 Not Found, which is no answer of SQS: check AWS_ENDPOINT_URL.\n`,
  )
})
