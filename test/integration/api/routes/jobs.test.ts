import type { Job } from 'bullmq'
import { Redis as Client, type Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Server } from '../../../../src/api/open-server.ts'
import { openApi } from '../../../../src/api/server.ts'
import type { PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { jobIdOf } from '../../../../src/ops/jobs/outcome.ts'
import { jobLoops } from '../../../../src/ops/jobs/workers.ts'
import { readCounters } from '../../../../src/reads/counters.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { corrected, ended, type JobView, send } from '../../../support/jobs.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { runOrders } from '../../../support/run-orders.ts'
import { validate } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis, envOf } from '../../../support/world.ts'

const stack = new AsyncDisposableStack()
let url: string
let redis: Redis
let scope: PartitionScope
let worker: PartitionScope
let server: Server

beforeAll(async () => {
  const world = stack.use(await emptyRedis())
  url = world.url
  redis = world.redis
  const patient = new Client(world.url, { maxRetriesPerRequest: null }) // BullMQ's workers insist on it
  stack.defer(() => patient.disconnect())
  scope = appOn(redis, readConfig({ REDIS_URL: world.url, API_PORT: '0', BLOCK_MS: '50' }))
  worker = { ...scope, redis: patient }
  server = stack.use(await openApi(scope))
})
afterAll(() => stack.disposeAsync())
beforeEach(async () => {
  await redis.flushdb()
  await ensureGroups(scope)
})

/** Runs loops in this process until it is disposed of. */
function running(loops: readonly ((signal: AbortSignal) => Promise<void>)[]): AsyncDisposable {
  const stop = new AbortController()
  const ends = loops.map((run) => run(stop.signal))
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await Promise.all(ends)
    },
  }
}

const jobs = (): AsyncDisposable =>
  running(
    jobLoops(worker).map(
      ({ run }) =>
        (signal) =>
          run(() => {}, signal),
    ),
  )

/** The client of a worker that loses all that its first requeue has written, as a failover may, though Redis has replied. */
function losingFirstRequeue(client: Redis): Redis {
  let lost = false
  const lose = async (run: () => Promise<unknown>): Promise<unknown> => {
    const names = (await redis.keys('*')).filter((name) => !name.startsWith('{jobs}'))
    const dumps = await Promise.all(names.map((name) => redis.dumpBuffer(name)))
    const reply = await run()
    lost = true
    for (const name of await redis.keys('outcome:*')) await redis.del(name)
    for (const [at, name] of names.entries()) await redis.restore(name, 0, dumps[at] ?? '', 'REPLACE')
    return reply
  }
  return new Proxy(client, {
    get: (target, name) => {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      const call = (...args: unknown[]): unknown => Reflect.apply(value, target, args)
      const isScript = name === 'evalsha' || name === 'eval'
      return (...args: unknown[]) =>
        isScript && !lost && args[2] === 'orders:invalid' ? lose(async () => call(...args)) : call(...args)
    },
  })
}

test('a replay also takes the orders whose requeue a failover has lost', async (context) => {
  requireRealRedis(context)
  const bodies = Array.from({ length: 30 }, (_, id) => ({ id: `m${id}`, body: '[]' }))
  await enqueue(redis, scope.keys, bodies)
  await using _ = running([(signal) => runStage(scope, validate, () => {}, signal)])
  await until(
    'all to be rejected',
    () => readCounters(redis, scope.partitions),
    ({ rejected }) => rejected === 30,
  )
  const loops = jobLoops({ ...worker, redis: losingFirstRequeue(worker.redis as Redis) })
  await using __ = running(
    loops.map(
      ({ run }) =>
        (signal) =>
          run(() => {}, signal),
    ),
  )
  const { body } = await send(`${server.url}/orders/replay`, 'POST', { limit: 30 })
  const { state, result } = await ended(server.url, body['job_id'])
  expect([state, result?.['sent']]).toEqual(['completed', 30])
})

const warning = 'No process runs the role jobs: the job waits until one does (npx orders run jobs).'

/** A correction needs an entry of the invalid channel. */
async function rejectOne(): Promise<string> {
  await enqueue(redis, scope.keys, [{ id: 'm', body: '[]' }])
  await using _ = running([(signal) => runStage(scope, validate, () => {}, signal)])
  return await until(
    'the order to be rejected',
    async () => (await redis.xrange('orders:invalid', '-', '+'))[0]?.[0] ?? '',
    (id) => id !== '',
  )
}

test('a job sends orders under its id for seven days, and is refused afterwards', () => {
  const [day, id] = [86_400_000, 'replay-4c5f6f1c-3b0a-4a2f-9d59-5d0f0f5d7c11']
  const jobOf = (id: string, ageMs: number): Job => ({ id, timestamp: Date.now() - ageMs }) as Job
  expect(jobIdOf(jobOf(id, 6.9 * day))).toBe(id)
  expect(() => jobIdOf(jobOf(id, 7 * day + 1))).toThrow('This job is older than 7 days')
  expect(() => jobIdOf(jobOf('7', 0))).toThrow('Only the API and npm run replay can create jobs')
})

test('while no process runs the role jobs, every reply with a job says so, and the job too until one runs', async () => {
  const id = await rejectOne()
  const replies = [
    await send(`${server.url}/orders/reprocess`, 'POST', corrected),
    await send(`${server.url}/orders/invalid/${id}`, 'PUT', { ...corrected, order_id: 'other' }),
    await send(`${server.url}/orders/replay`, 'POST', { dryRun: true }),
  ]
  for (const { status, body } of replies) {
    expect({ status, body }).toMatchObject({ status: 202, body: { status: 'accepted', warning } })
    expect(await (await fetch(`${server.url}/jobs/${body['job_id']}`)).json()).toMatchObject({
      state: 'waiting',
      warning,
    })
  }
  await using _ = jobs()
  const dryRun = await ended(server.url, replies[2]?.body['job_id'])
  expect(dryRun).toMatchObject({ state: 'completed', warning: null })
  const next = await send(`${server.url}/orders/replay`, 'POST', { dryRun: true })
  expect(next).toEqual({
    status: 202,
    body: { status: 'accepted', message: 'Dry run accepted.', job_id: expect.any(String), matching: 0 },
  })
})

test('a process that runs the role jobs is missed some seconds after it was killed', async () => {
  const seen = async (): Promise<number> => (await redis.keys('{jobs}:alive')).length
  await (async () => {
    await using _ = jobs()
    await until('the process to be seen', seen, (count) => count === 1)
  })()
  const left = await redis.pttl('{jobs}:alive')
  expect(left).toBeGreaterThan(0)
  expect(left).toBeLessThanOrEqual(10_000)
})

test('a job that has ended has no warning, whether or not a process runs', async () => {
  let id: unknown
  await (async () => {
    await using _ = jobs()
    id = (await send(`${server.url}/orders/replay`, 'POST', { dryRun: true })).body['job_id']
    await ended(server.url, id)
  })()
  await redis.del('{jobs}:alive')
  const found = (await (await fetch(`${server.url}/jobs/${id}`)).json()) as JobView
  expect(found).toMatchObject({ state: 'completed', warning: null })
})

async function replay(...args: string[]): Promise<string[]> {
  await using run = runOrders(['replay', ...args], envOf(url))
  await run.exit()
  return `${run.stdout()}${run.stderr()}`.trimEnd().split('\n')
}

test('orders replay without a number replays 10 and says how many are left, as the script of the Python system', async () => {
  const bodies = Array.from({ length: 12 }, (_, id) => ({ id: `m${id}`, body: '[]' }))
  await enqueue(redis, scope.keys, bodies)
  await (async () => {
    await using _ = running([(signal) => runStage(scope, validate, () => {}, signal)])
    await until(
      'all to be rejected',
      () => readCounters(redis, scope.partitions),
      ({ rejected }) => rejected === 12,
    )
  })()
  const [job, rest] = await replay()
  expect([job, rest]).toEqual([
    expect.stringMatching(/^Job replay-[0-9a-f-]{36}: 10 orders to replay\.$/),
    'The limit leaves 2 where they are: a limit of 12 takes all.',
  ])
  expect((await replay('12'))[0]).toMatch(/: 12 orders to replay\.$/)
  expect((await replay('--limit', '11'))[0]).toMatch(/: 11 orders to replay\.$/)
  expect(await replay('12')).not.toContainEqual(expect.stringContaining('leaves'))
  expect(await replay('5', '--limit', '10')).toEqual([
    'orders replay: the limit is given twice, as 5 and by --limit: give one.',
  ])
  expect((await replay('--help')).join('\n')).toMatch(/--limit N +maximum number of orders \(default 10\)$/m)
})

test('a dry run that no process will carry out is not waited for by a script', async () => {
  await using run = runOrders(['replay', '--dry-run'], envOf(url))
  expect((await run.exit()).code).toBe(1)
  expect(run.stdout()).toMatch(/No process runs the role jobs[^\n]*\n$/)
})
