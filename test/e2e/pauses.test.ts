import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { send } from '../support/jobs.ts'
import { Oracle } from '../support/oracle.ts'
import { spawnOrders } from '../support/process.ts'
import { requireRealRedis } from '../support/requires.ts'
import { type OrdersRun, runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { expectExact } from '../support/state.ts'
import { traffic } from '../support/traffic.ts'
import { until } from '../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

/** A poll that is cut may have been given messages: they are hidden for so long. A stall may take half of it. */
const brief: Env = { SQS_VISIBILITY_TIMEOUT_SECONDS: '10' }
const debug: Env = { ...brief, LOG_LEVEL: 'debug' }
const stages = ['validate', 'aggregate', 'leaderboard']
const rest = ['run', 'bridge', 'aggregate', 'leaderboard', 'api']

/** Valid orders and invalid ones, others for each seed. */
const orders = (count: number, seed: number): string[] =>
  [...sampleOrders({ valid: count - 10, invalid: 10, users: 20, seed })].map(({ body }) => body)

async function run(env: Env, ...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  await using command = runOrders(args, env)
  const { code } = await command.exit()
  return { code, out: command.stdout(), err: command.stderr() }
}

async function ok(env: Env, ...args: string[]): Promise<string> {
  const { code, out, err } = await run(env, ...args)
  expect([args, code, err]).toEqual([args, 0, ''])
  return out
}

/** Resolves when the process has obeyed so many pauses of the component. */
async function obeyed(process: OrdersRun, component: string, times = 1): Promise<Record<string, unknown>> {
  const found = await until(
    `pause ${times} of ${component}`,
    () => process.events('paused').filter((event) => event['component'] === component),
    ({ length }) => length >= times,
  )
  return found.at(-1) ?? {}
}

/** Returns what it has read since it reported its pause. */
function readSincePause(process: OrdersRun): string[] {
  const lines = process.stderr().split('\n')
  const pausedAt = lines.findLastIndex((line) => line.includes('"msg":"paused"'))
  expect(pausedAt).toBeGreaterThan(-1)
  return lines.slice(pausedAt).filter((line) => /"msg":"(read|claimed|planned|committed|received)"/.test(line))
}

async function counted(redis: Redis): Promise<Record<string, string>> {
  return redis.hgetall('pipeline:counters')
}

/** Before the first one there is no counter. */
async function judged(redis: Redis): Promise<object> {
  const { admitted = '0', rejected = '0' } = await counted(redis)
  return { admitted, rejected }
}

async function received(redis: Redis, count: number): Promise<void> {
  const ask = () => redis.hget('pipeline:counters', 'received')
  await until(`${count} to be received`, ask, (found) => found === String(count))
}

async function audited(env: Env): Promise<string[]> {
  const lines = (await ok(env, 'audit', '--json', '--limit', '100')).trim().split('\n')
  const entries = lines.map((line) => JSON.parse(line) as { action: string; what: unknown })
  return entries.map(({ action, what }) => `${action} ${JSON.stringify(what)}`).reverse()
}

test('a paused stage reads nothing in any process, also after kill -9 and a restart; then all is exact', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs, debug)
  const oracle = new Oracle()
  const sendAll = async (bodies: readonly string[]): Promise<void> => {
    for (const body of bodies) oracle.take(body)
    await sendBodies(env, bodies)
  }
  await using line = runOrders(rest, env)
  await using one = spawnOrders(['run', 'validate'], { ...env, METRICS_PORT: '0' })
  await using two = runOrders(['run', 'validate'], env)
  await Promise.all([line.started(), one.started(), two.started()])
  const url = await line.apiUrl()
  await sendAll(orders(300, 1))
  await received(redis, 300) // what is in flight is done first

  expect(await ok(env, 'pause', 'validate', '--reason', 'a bad release')).toMatch(/^validate is paused by .+\.\n$/)
  await Promise.all([obeyed(one, 'validate'), obeyed(two, 'validate')])
  const before = await judged(redis)
  await sendAll(orders(400, 2))
  await received(redis, 700)
  expect(await ok(env, 'status')).toMatch(/^validate is paused by .+ since \d{4}-.*Z, \d+ s ago \(a bad release\)\.$/m)
  expect(await (await fetch(`${url}/admin/pauses`)).json()).toMatchObject({
    components: [
      { component: 'bridge', paused: false },
      { component: 'validate', paused: true, reason: 'a bad release' },
      {},
      {},
    ],
  })

  await one.kill('SIGKILL')
  await using three = runOrders(['run', 'validate'], { ...env, METRICS_PORT: '0' })
  await three.started()
  await obeyed(three, 'validate')
  const alive = async (): Promise<number> => {
    const response = await fetch(`${await three.apiUrl()}/livez`)
    expect(response.status).toBe(200)
    return ((await response.json()) as { loops: Record<string, number> }).loops['validate'] ?? Number.POSITIVE_INFINITY
  }
  for (let look = 0; look < 10; look++) expect(await alive()).toBeLessThan(5_000)
  expect([readSincePause(two), readSincePause(three)]).toEqual([[], []])
  expect(three.events('read')).toEqual([])
  expect(await counted(redis)).toMatchObject({ received: '700' })
  expect(await judged(redis)).toEqual(before)

  const resumed = await send(`${url}/admin/resume/validate`, 'POST', {}, { 'x-operator': 'ann' })
  expect(resumed).toMatchObject({ status: 200, body: { changed: true, paused: false } })
  await until('both to run again', () => [two, three].every((process) => process.events('resumed').length === 1))
  await expectExact(redis, oracle)
  expect(await ok(env, 'verify')).toMatch('The books balance.')
  expect(await audited(env)).toEqual([
    'pause {"component":"validate","reason":"a bad release"}',
    'resume {"component":"validate"}',
  ])
  for (const process of [line, two, three]) expect(await process.stop()).toEqual({ code: 0, signal: null })
})

test('a paused bridge receives nothing and goes on deleting what it has written; then all is exact', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs, debug)
  const oracle = new Oracle()
  const bodies = [orders(200, 3), orders(300, 4)]
  for (const body of bodies.flat()) oracle.take(body)
  await using one = spawnOrders(['run', 'bridge'], env)
  await using two = runOrders(['run', 'bridge', ...stages], env)
  await Promise.all([one.started(), two.started()])
  await sendBodies(env, bodies[0] ?? [])
  await received(redis, 200)
  await ok(env, 'pause', 'bridge')
  await Promise.all([obeyed(one, 'bridge'), obeyed(two, 'bridge')])
  await until('all that was written to be deleted', () => sqs.depth() === 0)
  await sendBodies(env, bodies[1] ?? [])
  await one.kill('SIGKILL')
  await using three = runOrders(['run', 'bridge'], env)
  await three.started()
  await obeyed(three, 'bridge')
  expect(JSON.parse(await ok(env, 'pause', 'bridge', '--json'))).toMatchObject({ component: 'bridge', changed: false })
  expect(readSincePause(two).filter((line) => line.includes('"received"'))).toEqual([])
  expect(three.events('received')).toEqual([])
  expect(sqs.depth()).toBe(300)
  expect(await counted(redis)).toMatchObject({ received: '200' })
  await ok(env, 'resume', 'bridge')
  await expectExact(redis, oracle)
  expect(await audited(env)).toEqual(['pause {"component":"bridge"}', 'resume {"component":"bridge"}'])
})

test('components paused and resumed one after the other while orders flow, by two processes of each: all is exact', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs, { ...brief, BATCH_RECORDS: '50' })
  const oracle = new Oracle()
  await using one = spawnOrders(['run', 'api', 'bridge', ...stages], env)
  await using two = runOrders(['run', 'bridge', ...stages], env)
  await Promise.all([one.started(), two.started()])
  const url = await one.apiUrl()
  {
    await using _ = traffic(env, oracle, { invalid: 5 })
    const components = ['leaderboard', 'bridge', 'aggregate', 'validate', 'bridge', 'validate']
    for (const [round, component] of components.entries()) {
      await until('orders to flow', () => world.redis.hget('pipeline:counters', 'ranked'))
      await send(`${url}/admin/pause/${component}`, 'POST', {})
      const times = round < 4 ? 1 : 2
      await Promise.all([obeyed(one, component, times), obeyed(two, component, times)])
      await send(`${url}/admin/resume/${component}`, 'POST', {})
    }
  }
  await expectExact(world.redis, oracle)
  expect(await ok(env, 'verify', '--deep')).toMatch('Everything balances.')
  expect([...one.events('loopFailed'), ...two.events('loopFailed')]).toEqual([])
  for (const process of [one, two]) expect(await process.stop()).toEqual({ code: 0, signal: null })
})

test('every process obeys within a second', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs, debug)
  await using one = spawnOrders(['run', 'api', 'bridge', 'validate'], env)
  await using two = runOrders(['run', 'bridge', 'validate'], env)
  await Promise.all([one.started(), two.started()])
  const url = await one.apiUrl()
  for (const component of ['bridge', 'validate']) {
    const times: number[] = []
    for (let round = 1; round <= 5; round++) {
      const paused = await send(`${url}/admin/pause/${component}`, 'POST', {})
      for (const process of [one, two]) {
        const { time } = await obeyed(process, component, round)
        times.push(Number(time) - Date.parse(String(paused.body['ts'])))
      }
      await send(`${url}/admin/resume/${component}`, 'POST', {})
      for (const process of [one, two]) {
        const resumed = () => process.events('resumed').filter((event) => event['component'] === component)
        await until('it to run again', resumed, ({ length }) => length === round)
      }
    }
    times.sort((a, b) => a - b)
    expect(times).toHaveLength(10)
    expect(times[5]).toBeLessThan(1_000) // one in the middle: others use this machine too
  }
})

test('drain pauses the bridge and ends when nothing waits; what is not drained in time is said, with exit code 1', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs, debug)
  await using bridge = runOrders(['run', 'bridge'], env)
  await using line = runOrders(['run', ...stages], env)
  await Promise.all([bridge.started(), line.started()])
  await ok(env, 'pause', 'aggregate', 'leaderboard', '--reason', 'to look')
  await Promise.all([obeyed(line, 'aggregate'), obeyed(line, 'leaderboard')])
  await sendBodies(env, orders(200, 5))
  await until(
    'all to be judged',
    () => counted(redis),
    ({ admitted, rejected }) => Number(admitted) + Number(rejected) === 200,
  )
  const late = await run(env, 'drain', '--timeout', '3')
  expect([late.code, late.err]).toEqual([1, ''])
  expect(late.out).toMatch(/^Not drained in 3 s:$/m)
  expect(late.out).toMatch(/^aggregate +190$/m)
  expect(late.out).toMatch(/^aggregate is paused by .+ \(to look\)\.$/m)
  expect(late.out).toMatch(/The bridge stays paused: run orders resume bridge to start it again\.\n$/)
  expect(await obeyed(bridge, 'bridge')).toMatchObject({ component: 'bridge' })
  await sendBodies(env, orders(100, 6))

  await ok(env, 'resume', 'leaderboard', 'aggregate')
  const out = await ok(env, 'drain')
  expect(out).toMatch(/^bridge was already paused by /)
  expect(out).toMatch(/^Drained: no order waits in any stage\.$/m)
  expect(await counted(redis)).toMatchObject({ received: '200', admitted: '190', ranked: '190' })
  expect(sqs.depth()).toBe(100)
  expect(JSON.parse(await ok(env, 'drain', '--json'))).toMatchObject({
    drained: true,
    waiting: { validate: 0, aggregate: 0, leaderboard: 0 },
    component: 'bridge',
    by: expect.any(String),
  })
  expect(await audited(env)).toEqual([
    'pause {"component":"aggregate","reason":"to look"}',
    'pause {"component":"leaderboard","reason":"to look"}',
    'drain {"component":"bridge"}',
    'resume {"component":"leaderboard"}',
    'resume {"component":"aggregate"}',
  ])
})

test('a drain under way takes along what a bridge had in flight', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs)
  await using line = runOrders(['run', 'bridge', ...stages], env)
  await line.started()
  const sending = sendBodies(env, orders(3_000, 7))
  await until('some to be received', () => redis.hget('pipeline:counters', 'received'))
  await ok(env, 'drain', '--json')
  await sending
  const { received = '', ranked = '0', rejected = '0' } = await counted(redis)
  expect(Number(ranked) + Number(rejected)).toBe(Number(received))
  expect(Number(received) + sqs.depth()).toBeGreaterThanOrEqual(3_000) // what is written is deleted a moment later
})

test('commands of an operator are in the audit by the name of the user, a repair too', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const env = envOf(world.url)
  expect(await ok(env, 'audit')).toBe('There is no action of an admin yet.\n')
  await ok(env, 'replay', '--limit', '5')
  await ok(env, 'verify', '--repair')
  expect(await audited(env)).toEqual([expect.stringMatching(/^replay \{"job":"replay-.*"limit":5/)])
  await world.redis.hset('global:stats', { total_orders: 3 }) // no user has ordered
  expect((await run(env, 'verify', '--repair')).code).toBe(0)
  expect((await audited(env)).slice(1)).toEqual([expect.stringMatching(/^repair \{"users":0,/)])
  expect(await ok(env, 'audit', '--limit', '1')).toMatch(/^\d{4}-.*Z {2}\d+ s ago {2}\S.* {2}repair {2}\{.*\}\n$/)
  for (const [args, line] of [
    [['pause'], 'orders pause: no component: expected bridge, validate, calendar, archive, aggregate, leaderboard.'],
    [
      ['resume', 'bridge', 'api'],
      'There is no component "api" to pause or resume: expected bridge, validate, calendar, archive, aggregate, leaderboard.',
    ],
  ] as const) {
    expect(await run(env, ...args)).toEqual({ code: 2, out: '', err: `${line}\n` })
  }
})
