import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../src/app.ts'
import { readConfig } from '../../../src/config/config.ts'
import { enqueue } from '../../../src/ingest/enqueue.ts'
import { readBooks } from '../../../src/reads/books.ts'
import { ensureGroups } from '../../../src/stages/runner/groups.ts'
import { runStage } from '../../../src/stages/runner/run.ts'
import { requireRealRedis } from '../../support/requires.ts'
import { withBoth } from '../../support/sample-stages.ts'
import { until } from '../../support/until.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

/*
 * The contract of every stage, shipped or a user's own: each order counts exactly once, whatever happens to its consumers.
 * A sample stage between two of ours and an observer keep it too.
 */

const config = readConfig({ CLAIM_IDLE_MS: '50', BLOCK_MS: '20' })
const users = 3
const count = 40
/** Every eighth order is refused by fraud. */
const isRefused = (at: number): boolean => at % 8 === 0
const minorOf = (at: number): number => (isRefused(at) ? 60_000 : 100 + at)
const bodies = Array.from({ length: count }, (_, at) =>
  JSON.stringify({
    user_id: `u${at % users}`,
    order_id: `o${at}`,
    order_value: minorOf(at) / 100,
    order_timestamp: `2026-11-2${at % 2}T10:00:00Z`,
    shipping_address: isRefused(at) ? '1 Nowhere Lane' : '12 Main St',
  }),
)
const orders = Array.from({ length: count }, (_, at) => at)
const sumOf = (some: readonly number[]): number => some.reduce((sum, at) => sum + minorOf(at), 0)

/** Computes from the bodies alone what Redis must hold in the end. */
function expected() {
  const counted = orders.filter((at) => !isRefused(at))
  const ofUser = (user: number): number[] => counted.filter((at) => at % users === user)
  return {
    users: Array.from({ length: users }, (_, user) => ({
      order_count: String(ofUser(user).length),
      total_spend_minor: String(sumOf(ofUser(user))),
    })),
    spend: Object.fromEntries(Array.from({ length: users }, (_, user) => [`u${user}`, String(sumOf(ofUser(user)))])),
    days: Object.fromEntries(
      [0, 1].map((day) => [`2026-11-2${day}`, String(sumOf(orders.filter((at) => at % 2 === day)))]),
    ),
    invalid: orders.filter(isRefused).map((at) => `fraud refused o${at}`),
    counters: {
      received: String(2 * count),
      admitted: String(count),
      duplicates: String(count),
      booked: String(count),
      cleared: String(counted.length),
      'fraud:rejected': String(count - counted.length),
      'rejected:refused': String(count - counted.length),
      applied: String(counted.length),
      ranked: String(counted.length),
    },
  }
}

const orderIn = (text: string): number => Number(/\d+$/.exec(text)?.[0])

async function found(redis: Redis) {
  const scores = await redis.zrevrange('leaderboard:spend', 0, -1, 'WITHSCORES')
  const invalid = (await redis.lrange('invalid_orders', 0, -1)).map((text) => JSON.parse(text))
  return {
    users: await Promise.all(Array.from({ length: users }, (_, user) => redis.hgetall(`user:u${user}`))),
    spend: Object.fromEntries(scores.flatMap((user, at) => (at % 2 === 0 ? [[user, scores[at + 1]]] : []))),
    days: await redis.hgetall('revenue:days'),
    invalid: invalid
      .map(({ stage, code, order }) => `${stage} ${code} ${order.order_id}`)
      .sort((one, other) => orderIn(one) - orderIn(other)),
    counters: await redis.hgetall('pipeline:counters'),
  }
}

type Fault = (scope: PartitionScope, stage: string, redis: Redis) => PartitionScope

/** The process dies at its second commit: before Redis has it, or after, so that its reply is lost. */
const dying =
  (when: 'before' | 'after'): Fault =>
  (scope, stage, redis) => {
    let commits = 0
    const dead = new Proxy(redis, {
      get: (target, name) => {
        const value = Reflect.get(target, name)
        if (name !== 'evalsha') return typeof value === 'function' ? value.bind(target) : value
        return async (...args: Parameters<typeof redis.evalsha>) => {
          const isCommit = args.includes(stage) && args.some((arg) => String(arg).includes('"ids":'))
          if (!isCommit || ++commits !== 2) return target.evalsha(...args)
          if (when === 'after') await target.evalsha(...args)
          throw new Error('killed')
        }
      },
    })
    return { ...scope, redis: dead }
  }

/** Another consumer has read some entries and will never commit them. */
async function abandonSome(redis: Redis, stage: string, stream: string): Promise<void> {
  await until('entries for the stage', () => redis.xlen(stream))
  await redis.xreadgroup('GROUP', stage, 'dead', 'COUNT', 3, 'STREAMS', stream, '>')
}

/**
 * Runs a stage as its supervisor does: after a failure again, as another consumer. A stop closes a connection that is still
 * being opened, which is no failure.
 */
async function supervised(scope: PartitionScope, name: string, signal: AbortSignal, fault?: Fault): Promise<void> {
  const stage = withBoth.stage(name)
  if (!stage) throw new Error(`no stage ${name}`)
  let next = fault ? fault(scope, name, scope.redis as Redis) : scope
  while (!signal.aborted) {
    await runStage(next, stage, () => {}, signal).catch((error: Error) => {
      if (error.message !== 'killed' && !signal.aborted) throw error
    })
    next = { ...next, instance: `${scope.instance}-again` }
  }
}

const faults = ['claim', 'repeat', 'kill before the commit', 'kill after the commit'] as const
const cases = withBoth.names.flatMap((stage) => faults.map((fault) => ({ stage, fault })))

test.for(cases)('$stage counts every order exactly once under $fault', async ({ stage, fault }, context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  const scope = appOn(redis, config, { pipeline: withBoth })
  await ensureGroups(scope)
  for (const [at, body] of [...bodies, ...bodies].entries()) {
    await enqueue(redis, scope.keys, [{ id: `m${at}`, body }])
  }
  const stop = new AbortController()
  const faulty = { 'kill before the commit': dying('before'), 'kill after the commit': dying('after') } as const
  const run = (name: string, twice: boolean): Promise<void>[] => {
    const injected = name === stage && fault in faulty ? faulty[fault as keyof typeof faulty] : undefined
    const one = supervised(scope, name, stop.signal, injected)
    return twice ? [one, supervised({ ...scope, instance: 'other' }, name, stop.signal)] : [one]
  }
  const others = withBoth.names.filter((name) => name !== stage)
  const running = others.flatMap((name) => run(name, false))
  if (fault === 'claim') await abandonSome(redis, stage, scope.keys.stream(withBoth.stage(stage)?.from ?? ''))
  running.push(...run(stage, fault === 'repeat'))
  const wanted = expected()
  // A repeated order may still wait for validate when the last counted one is ranked: each counter has to get there.
  await until(
    'every stage to be done',
    () => redis.hgetall('pipeline:counters'),
    (counters) => Object.entries(wanted.counters).every(([name, count]) => Number(counters[name]) >= Number(count)),
  )
  stop.abort()
  await Promise.all(running)
  expect(await found(redis)).toEqual(wanted)
  expect(await readBooks(scope)).toMatchObject({ balanced: true, differences: [], losses: [], waiting: 0 })
})
