import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../src/app.ts'
import { readConfig } from '../../../src/config/config.ts'
import { enqueue } from '../../../src/ingest/enqueue.ts'
import { drain } from '../../../src/ops/process/drain.ts'
import { locationLines } from '../../../src/ops/terminal/location-text.ts'
import { textOf } from '../../../src/ops/terminal/output.ts'
import { writeOff } from '../../../src/ops/verify/write-off.ts'
import { readBooks } from '../../../src/reads/books.ts'
import { readCounters, waitingFor } from '../../../src/reads/counters.ts'
import { locateOrder } from '../../../src/reads/locate/locate.ts'
import type { RedisClient } from '../../../src/redis/client.ts'
import { definePipeline } from '../../../src/stages/define-pipeline.ts'
import { readInvalidEntry } from '../../../src/stages/invalid/entry.ts'
import { replayEntries } from '../../../src/stages/invalid/requeue.ts'
import { rewire } from '../../../src/stages/layout/rewire.ts'
import type { Pipeline, Stage } from '../../../src/stages/placed.ts'
import { commit } from '../../../src/stages/runner/commit.ts'
import { decodeEntry } from '../../../src/stages/runner/entry.ts'
import { ensureGroups } from '../../../src/stages/runner/groups.ts'
import { planBatch } from '../../../src/stages/runner/plan.ts'
import { runStage } from '../../../src/stages/runner/run.ts'
import { requireRealRedis } from '../../support/requires.ts'
import { fraud, withBoth, withFraud, withRevenue } from '../../support/sample-stages.ts'
import { definitions, shipped } from '../../support/stages.ts'
import { until } from '../../support/until.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

const config = readConfig({ CLAIM_IDLE_MS: '100', BLOCK_MS: '20' })
const appWith = (redis: RedisClient, pipeline: Pipeline): PartitionScope => appOn(redis as never, config, { pipeline })

/** Sends orders of users u0 to u2, each with an id of its own. */
function send({ redis, keys }: PartitionScope, ids: readonly number[], refused = false): Promise<string[]> {
  const bodyOf = (id: number): string =>
    JSON.stringify({
      ...{ user_id: `u${id % 3}`, order_id: `o${id}`, order_value: refused ? 600 : 5 },
      shipping_address: refused ? '1 Nowhere Lane' : '12 Main St',
    })
  return enqueue(
    redis,
    keys,
    ids.map((id) => ({ id: `m${id}`, body: bodyOf(id) })),
  )
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at)

/** Starts the named stages as a process does, and stops them when nothing waits for them and their streams are as long. */
async function work(scope: PartitionScope, names: readonly string[] = scope.pipeline.names, left = 0): Promise<void> {
  await rewire(scope)
  const stages = scope.pipeline.stages.filter(({ name }) => names.includes(name))
  const stop = new AbortController()
  const running = stages.map((stage) => runStage(scope, stage, () => {}, stop.signal))
  await until('the stages to be done', async () => {
    const counters = await readCounters(scope.redis, scope.partitions)
    const lengths = await Promise.all(stages.map(({ from }) => scope.redis.xlen(scope.keys.stream(from))))
    return stages.every((stage) => waitingFor(stage, counters) === 0) && lengths.every((length) => length <= left)
  })
  stop.abort()
  await Promise.all(running)
}

async function balances(scope: PartitionScope): Promise<Record<string, string>> {
  const { balanced, stages } = await readBooks(scope)
  expect(balanced).toBe(true)
  return Object.fromEntries(stages.map((of) => [of.stage, `${of.in} ${of.passed} ${of.rejected} ${of.missed}`]))
}

test('an order that a stage between rejects is not counted, and a replay takes it back to that stage', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const scope = appWith(world.redis, withFraud)
  await send(scope, [1], true)
  await work(scope)
  const order = { userId: 'u1', orderId: 'o1' }
  const located = await locateOrder(scope, order)
  expect(located).toMatchObject({
    where: 'invalid',
    admitted: { done: 'yes' },
    applied: { done: 'no', because: 'The stage fraud rejected it.' },
    ranked: { done: 'no', because: 'It was not counted.' },
    invalid: [{ code: 'refused', stage: 'fraud' }],
  })
  // Even if the clock of the process that rejected it is slow.
  const slow = located.invalid.map((rejected) => ({ ...rejected, ts: '2026-01-01T00:00:00.000Z' }))
  expect(textOf(locationLines({ ...located, invalid: slow }, scope.format.money))).toMatch(
    /[Ii]t was admitted.*by the stage fraud/s,
  )
  expect(await balances(scope)).toEqual({
    validate: '1 1 0 0',
    fraud: '1 0 1 0',
    aggregate: '0 0 0 0',
    leaderboard: '0 0 0 0',
  })

  // The next release is milder.
  const { validate, aggregate, leaderboard } = definitions
  const mild = {
    ...fraud,
    decide: (record: never, keys: never, context: never) =>
      fraud.decide({ ...(record as object), minor: 1 } as never, keys, context),
  }
  const next = appWith(world.redis, definePipeline([validate, mild, aggregate, leaderboard] as never))
  const entry = await readInvalidEntry(next.redis, next.partitions, located.invalid[0]?.id ?? '')
  expect(await replayEntries(next, entry ? [entry] : [], { jobId: 'replay-1', limit: 1 })).toHaveLength(1)
  await expect(locateOrder(next, order)).resolves.toMatchObject({
    where: 'waiting',
    applied: { done: 'no', because: 'It waits for fraud.' },
  })
  await work(next)
  expect(await locateOrder(next, order)).toMatchObject({ where: 'ranked', invalid: [] })
  expect(await world.redis.hgetall('global:stats')).toEqual({ total_orders: '1', total_revenue_minor: '1' })
  expect((await balances(next))['fraud']).toBe('1 1 0 0')
})

test('what a stage rejected that is not in the pipeline any more stays in the invalid channel', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const scope = appWith(world.redis, withFraud)
  await send(scope, [1], true)
  await work(scope)
  const without = appWith(world.redis, shipped)
  const [id = ''] = (await locateOrder(scope, { userId: 'u1', orderId: 'o1' })).invalid.map(({ id }) => id)
  const entry = await readInvalidEntry(without.redis, without.partitions, id)
  expect(await replayEntries(without, entry ? [entry] : [], { jobId: 'replay-1', limit: 1 })).toEqual([])
  expect(await world.redis.llen('invalid_orders')).toBe(1)
  await send(without, [4])
  await work(without)
  expect(await locateOrder(without, { userId: 'u1', orderId: 'o1' })).toMatchObject({
    where: 'invalid',
    applied: { done: 'no', because: 'The stage fraud, which is not in this list of stages, rejected it.' },
    ranked: { done: 'no' },
  })
  expect(await locateOrder(without, { userId: 'u1', orderId: 'o4' })).toMatchObject({ where: 'ranked' })
  // An order that was refused while nothing was counted yet is not taken for counted.
  expect(await balances(without)).toEqual({ validate: '2 2 0 0', aggregate: '2 1 0 1', leaderboard: '1 1 0 0' })
})

test('a changed list of stages takes over once nothing waits, and no order is lost or counted twice', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const before = appWith(world.redis, shipped)
  const after = appWith(world.redis, withBoth)
  await send(before, range(0, 30))
  await work(before)
  await send(before, range(30, 40))
  await work(before, ['validate'])
  await expect(rewire(after)).rejects.toThrow(
    'The list of stages has changed and orders still wait for stage aggregate as it was before: start the previous release again, run orders drain, stop it, and start this one.',
  )
  await work(before)
  await send(after, range(40, 48), true)
  await send(after, range(48, 56))
  await work(after)
  // in, passed, rejected, missed: orders from before fraud was added count as passed by it, as missed by the observer.
  expect(await balances(after)).toEqual({
    validate: '56 56 0 0',
    revenue: '56 16 0 40',
    fraud: '56 48 8 0',
    aggregate: '48 48 0 0',
    leaderboard: '48 48 0 0',
  })
  expect(await world.redis.hgetall('global:stats')).toEqual({ total_orders: '48', total_revenue_minor: '24000' })
  await expect(ensureGroups(before)).rejects.toThrow(
    'the stage validate reads the channel raw passing shipping_address now',
  )

  await world.redis.hset(after.keys.missedBefore, 'aggregate', '1-0')
  await work(before) // and back again
  expect(await world.redis.hget(after.keys.missedBefore, 'aggregate')).toBeNull()
  await send(before, range(56, 60))
  await work(before, before.pipeline.names, 1) // kept for the observer, which may run in another process
  expect(await balances(before)).toEqual({ validate: '60 60 0 0', aggregate: '60 52 0 8', leaderboard: '52 52 0 0' })
  expect(await world.redis.hget('global:stats', 'total_orders')).toBe('52')
  await work(appWith(world.redis, withRevenue), ['revenue'])
  expect(await world.redis.hget(before.keys.own('revenue', 'days'), 'undated')).toBe(String(12 * 500 + 8 * 60_000))
})

/** Runs a stage until disposed, and waits until it reads. */
async function reading(scope: PartitionScope, name: string): Promise<AsyncDisposable & { ended: Promise<void> }> {
  const stage = scope.pipeline.stage(name)
  if (!stage) throw new Error(`no stage ${name}`)
  const stop = new AbortController()
  const ended = runStage(scope, stage, () => {}, stop.signal)
  ended.catch(() => {})
  const stream = scope.keys.stream(stage.from)
  const consumers = () => scope.redis.xinfo('CONSUMERS', stream, name) as Promise<unknown[]>
  await until('it to read', consumers, ({ length }) => length > 0)
  const end = async (): Promise<void> => {
    stop.abort()
    await ended
  }
  return { ended, [Symbol.asyncDispose]: end }
}

test('while another process runs a stage that changes, a new list is refused, and so is the return of the former one', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  // A process that stalls here must not be taken for dead.
  const patient = readConfig({ CLAIM_IDLE_MS: '10000', BLOCK_MS: '20' })
  const [before, after] = [shipped, withFraud].map((pipeline) => appOn(world.redis, patient, { pipeline })) as [
    PartitionScope,
    PartitionScope,
  ]
  await send(before, range(0, 10))
  await work(before)
  {
    await using _ = await reading(before, 'aggregate')
    await expect(rewire(after)).rejects.toThrow(
      'another process still runs stage aggregate as it was before: stop all processes of the other release first. One that was killed counts as running for 60 seconds.',
    )
  }
  await send(after, range(10, 30))
  await work(after)
  {
    await using _ = await reading(after, 'fraud')
    await expect(rewire(before)).rejects.toThrow('another process still runs stage fraud')
  }
  expect(await world.redis.hget('global:stats', 'total_orders')).toBe('30')
  expect((await balances(after))['aggregate']).toBe('30 30 0 0')
})

test('where the counters are of another type the list stays as it is', async () => {
  await using world = await emptyRedis()
  const scope = appWith(world.redis, shipped)
  await rewire(scope)
  const layout = await world.redis.hgetall(scope.keys.stages)
  await world.redis.set(scope.keys.counters, 'text')
  await expect(rewire(appWith(world.redis, withFraud))).rejects.toThrow('WRONGTYPE')
  expect(await world.redis.hgetall(scope.keys.stages)).toEqual(layout)
})

test('a process of the list before that was suspended commits nothing more once the new list has taken over', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const before = appWith(world.redis, shipped)
  const after = appWith(world.redis, withFraud)
  await send(before, range(0, 10))
  await work(before)
  await world.redis.xreadgroup('GROUP', 'aggregate', 'suspended', 'STREAMS', 'orders:valid', '>')
  await until('it to count as dead', () =>
    rewire(after).then(
      () => true,
      () => false,
    ),
  )
  const aggregate = before.pipeline.stage('aggregate') as Stage
  await expect(runStage(before, aggregate, () => {}, new AbortController().signal)).rejects.toThrow('must stop')
})

test('a list whose stage needs more of the order waits until no order without it is left, and stops the former first stage', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { validate, aggregate, leaderboard } = definitions
  const blind = definePipeline([validate, { ...fraud, needs: [] }, aggregate, leaderboard])
  const before = appWith(world.redis, blind)
  const after = appWith(world.redis, withFraud)
  await send(before, range(0, 10), true)
  await work(before, ['validate'])
  await expect(rewire(after)).rejects.toThrow('orders still wait for stage fraud')
  await work(before)
  // A process of the former list that was suspended holds an order, and commits it after the new list has taken over.
  await send(before, range(10, 11), true)
  await world.redis.xreadgroup('GROUP', 'validate', 'suspended', 'STREAMS', 'orders:raw', '>')
  await until('it to count as dead', () =>
    rewire(after).then(
      () => true,
      () => false,
    ),
  )
  const { first } = before.pipeline
  const [[id = '', fields = []] = []] = await world.redis.xrangeBuffer('orders:raw', '-', '+')
  const entries = [decodeEntry(before.pipeline, String(id), fields as Buffer[], 'raw')]
  const planning = {
    stage: first,
    channel: before.pipeline.channel('raw'),
    keys: before.keys,
    format: before.format,
    now: new Date(),
  }
  const plan = planBatch({ ...planning, known: new Map(), onDecideFailed: () => {} }, entries)
  const committer = { stage: first, keys: before.keys, consumer: 'suspended' }
  await expect(commit(before, committer, plan, 0)).rejects.toThrow(
    'The list of stages has changed since this process started (the stage validate reads the channel raw passing shipping_address now): this process must stop',
  )
  await expect(runStage(before, first, () => {}, new AbortController().signal)).rejects.toThrow('must stop')
  await send(after, range(11, 20), true)
  await work(after)
  expect(await balances(after)).toEqual({
    validate: '20 20 0 0',
    fraud: '20 10 10 0',
    aggregate: '10 10 0 0',
    leaderboard: '10 10 0 0',
  })
})

test('by another list of stages than the running one, books and places are unknown and nothing is written off', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const running = appWith(world.redis, withFraud)
  await send(running, range(0, 6), true)
  await send(running, range(6, 10))
  await work(running)
  await send(running, [10])
  await work(running, ['validate'])
  const other = appWith(world.redis, shipped)
  const sentence =
    'Redis is run with another list of stages (the stage aggregate reads the channel cleared, here valid): use the release, or the program, that runs it.'
  expect(await readBooks(other)).toMatchObject({
    balanced: null,
    losses: [],
    differences: [sentence],
    unread: [sentence],
  })
  await expect(writeOff(other, 'write')).rejects.toThrow(sentence)
  const { signal } = new AbortController()
  await expect(drain(other, { timeoutMs: 60_000, show: undefined }, signal)).rejects.toThrow(sentence)
  expect(await locateOrder(other, { userId: 'u0', orderId: 'o9' })).toMatchObject({
    where: 'admitted',
    applied: { done: 'unknown', because: sentence },
  })
  expect(await locateOrder(other, { userId: 'u0', orderId: 'o0' })).toMatchObject({ where: 'invalid' })
  await work(running)
  expect(await balances(running)).toMatchObject({ fraud: '11 5 6 0', aggregate: '5 5 0 0' })

  // The same the other way round: the new list before its first start.
  await work(other)
  const { balanced, losses } = await readBooks(running)
  expect([balanced, losses]).toEqual([null, []])
})
