import { Redis as Client, type Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { openApi, type Server } from '../../../../src/api/server.ts'
import type { Partition } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { helpOf, parseCall } from '../../../../src/ops/command.ts'
import { replayCommand } from '../../../../src/ops/commands/operate/replay.ts'
import { jobLoops } from '../../../../src/ops/jobs.ts'
import { readCounters } from '../../../../src/reads/counters.ts'
import { runStage } from '../../../../src/stages/runner/commit-batch.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { validate } from '../../../../src/stages/validate.ts'
import { ended, type JobView, send } from '../../../support/jobs.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const stack = new AsyncDisposableStack()
let redis: Redis
let app: Partition
let worker: Partition
let server: Server

beforeAll(async () => {
  const world = stack.use(await emptyRedis())
  redis = world.redis
  const patient = new Client(world.url, { maxRetriesPerRequest: null }) // BullMQ's workers insist on it
  stack.defer(() => patient.disconnect())
  app = appOn(redis, readConfig({ REDIS_URL: world.url, API_PORT: '0', BLOCK_MS: '50' }))
  worker = { ...app, redis: patient }
  server = stack.use(await openApi(app))
})
afterAll(() => stack.disposeAsync())
beforeEach(async () => {
  await redis.flushdb()
  await ensureGroups(redis, app.keys)
})

const corrected = {
  order_id: 'o',
  user_id: 'u',
  order_timestamp: '2026-11-23T10:00:00Z',
  order_value: 10,
  items: [{ product_id: 'P1', quantity: 2, price_per_unit: 5 }],
  shipping_address: '12 Main St',
  payment_method: 'PayPal',
}

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

const warning = 'No process runs the role jobs: the job waits until one does (npx orders run jobs).'

/** A correction needs an entry of the invalid channel. */
async function rejectOne(): Promise<string> {
  await enqueue(redis, app.keys, [{ id: 'm', body: '[]' }])
  await using _ = running([(signal) => runStage(app, validate, () => {}, signal)])
  return await until(
    'the order to be rejected',
    async () => (await redis.xrange('orders:invalid', '-', '+'))[0]?.[0] ?? '',
    (id) => id !== '',
  )
}

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
    body: { status: 'accepted', message: 'Dry run accepted.', job_id: expect.any(String) },
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
  const printed: string[] = []
  const call = parseCall(replayCommand, args)
  const { signal } = new AbortController()
  await replayCommand.run({ ...call, config: app.config, signal, print: (line) => void printed.push(...[line].flat()) })
  return printed
}

test('orders replay without a number replays 10 and says how many are left, as the script of the Python system', async () => {
  const bodies = Array.from({ length: 12 }, (_, id) => ({ id: `m${id}`, body: '[]' }))
  await enqueue(redis, app.keys, bodies)
  await (async () => {
    await using _ = running([(signal) => runStage(app, validate, () => {}, signal)])
    await until(
      'all to be rejected',
      () => readCounters(redis, app.partitions),
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
  await expect(replay('5', '--limit', '10')).rejects.toThrow(
    'orders replay: the limit is given twice, as 5 and by --limit: give one.',
  )
  expect(helpOf(replayCommand).join('\n')).toMatch(/--limit N +how many at most \(default 10\)$/m)
})

test('a dry run that no process will carry out is not waited for by a script', async () => {
  const lines = await replay('--dry-run')
  const code = process.exitCode
  process.exitCode = undefined
  expect([lines.at(-1), code]).toEqual([expect.stringContaining('No process runs the role jobs'), 1])
})
