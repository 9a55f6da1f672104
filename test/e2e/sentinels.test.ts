import { expect, type TestContext, test } from 'vitest'
import { readConfig } from '../../src/config/config.ts'
import { openApp } from '../../src/ops/open/open-app.ts'
import { writing } from '../support/jobs.ts'
import { type Sentinels, spawnSentinels } from '../support/redis-sentinels.ts'
import { freePort, spawnRedisServer } from '../support/redis-server.ts'
import { requireRedisServer } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { type Env, emptySqs, envOf } from '../support/world.ts'

async function sentinelsOf(context: TestContext): Promise<Sentinels> {
  requireRedisServer(context)
  const sentinels = await spawnSentinels()
  context.onTestFinished(() => sentinels[Symbol.asyncDispose]())
  return sentinels
}

/** The host in REDIS_URL is nowhere: only its database counts. */
const envAt = ({ addresses, name, password }: Sentinels): Env => ({
  REDIS_SENTINELS: addresses,
  REDIS_SENTINEL_NAME: name,
  REDIS_SENTINEL_PASSWORD: password,
  REDIS_URL: 'redis://nowhere.invalid/2',
})

async function refusal(env: Env): Promise<string> {
  try {
    await using _ = await openApp(readConfig(env), 'ask')
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return 'it was taken'
}

test('through a planned failover and the death of a master work goes on by itself, and every order is counted once', async (context) => {
  const sentinels = await sentinelsOf(context)
  await using sqs = await emptySqs()
  const env = envOf('', sqs, {
    ...envAt(sentinels),
    SQS_DELETE_AFTER: 'replicas:1', // what one server alone has may be lost with it
    SQS_VISIBILITY_TIMEOUT_SECONDS: '5',
    CLAIM_IDLE_MS: '1000',
  })
  await using all = runOrders(['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'jobs', 'api'], env)
  await all.started()
  const url = await all.apiUrl()
  const read = async (path: string): Promise<Record<string, unknown>> => {
    const response = await fetch(`${url}${path}`)
    return (await response.json()) as Record<string, unknown>
  }
  let sent = 0
  const send = async (count: number): Promise<void> => {
    const orders = Array.from({ length: count }, () => ({
      user_id: `u${sent % 7}`,
      order_id: ++sent,
      order_value: sent,
    }))
    await sendBodies(
      env,
      orders.map((order) => JSON.stringify(order)),
    )
  }
  const allCounted = async (): Promise<void> => {
    await until(
      `${sent} orders to be counted: ${all.stderr()}`,
      async () => (await read('/stats/global').catch(() => ({}))) as { total_orders?: number },
      ({ total_orders }) => total_orders === sent,
    )
  }
  const settled = async (): Promise<void> => {
    await allCounted()
    await sentinels.settled()
    await until('SQS to be empty', () => sqs.depth() === 0)
    expect(await read('/stats/global')).toEqual({ total_orders: sent, total_revenue: (sent * (sent + 1)) / 2 })
    expect(await read('/integrity')).toMatchObject({ balanced: true })
  }
  const retried = await fetch(`${url}/orders/replay`, {
    method: 'POST',
    headers: { ...writing, 'x-operator': 'ann' },
    body: '{"limit":1}',
  })
  expect(retried.status).toBe(202) // BullMQ's connections are open

  await send(200)
  await allCounted()
  const flowing = send(200)
  await sentinels.failOver()
  await flowing
  await send(50)
  await settled()

  const master = await sentinels.master()
  const dying = send(200)
  await master.stop('SIGKILL')
  await dying
  await until('the other to be master', sentinels.master, ({ port }) => port !== master.port)
  await allCounted()
  await master.start()
  await settled()

  const again = await fetch(`${url}/orders/replay`, {
    method: 'POST',
    headers: { ...writing, 'x-operator': 'ann' },
    body: '{"limit":1}',
  })
  const { job_id } = (await again.json()) as { job_id: string }
  await until(
    'a job to be done',
    () => read(`/jobs/${job_id}`),
    ({ state }) => state === 'completed',
  )
  expect(await all.stop()).toEqual({ code: 0, signal: null })
})

test('sentinels that cannot be used are said in a sentence', async (context) => {
  const sentinels = await sentinelsOf(context)
  const env = envAt(sentinels)
  const { addresses } = sentinels
  expect(await refusal(env)).toBe('it was taken')
  expect(await refusal({ ...env, REDIS_SENTINEL_NAME: 'stranger' })).toBe(
    `The sentinels ${addresses} know no master named stranger (ERR No such master with that name): set REDIS_SENTINEL_NAME.`,
  )
  expect(await refusal({ ...env, REDIS_SENTINEL_PASSWORD: 'wrong-word' })).toMatch(
    /^The sentinels \S+ refuse the user or password \(WRONGPASS.*\): fix REDIS_SENTINEL_USERNAME and REDIS_SENTINEL_PASSWORD\.$/,
  )
  expect(await refusal({ ...env, REDIS_URL: 'redis://nowhere.invalid/99' })).toBe(
    `Redis at orders of the sentinels ${addresses} has no such database (ERR DB index is out of range): put another number at the end of REDIS_URL, or raise databases in the configuration of Redis; for a cluster, take it out and set REDIS_CLUSTER=true.`,
  )
  const port = await freePort()
  expect(await refusal({ ...env, REDIS_SENTINELS: `127.0.0.1:${port}` })).toBe(
    `The sentinels 127.0.0.1:${port} do not answer (Connection is closed): start them or fix REDIS_SENTINELS.`,
  )
  await using redis = await spawnRedisServer()
  expect(await refusal({ REDIS_SENTINELS: `127.0.0.1:${redis?.port}` })).toMatch(
    /^The sentinels 127\.0\.0\.1:\d+ are no sentinels \(ERR unknown command.*\): put host:port of each sentinel in REDIS_SENTINELS, or set REDIS_URL instead\.$/,
  )
})
