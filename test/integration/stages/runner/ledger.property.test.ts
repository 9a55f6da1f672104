import fc from 'fast-check'
import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { type CommitReply, commit } from '../../../../src/stages/runner/commit.ts'
import { decodeEntry, type Entry } from '../../../../src/stages/runner/entry.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { generationSeconds } from '../../../../src/stages/runner/ledger.ts'
import { planBatch } from '../../../../src/stages/runner/plan.ts'
import { shipped as pipeline, validate } from '../../../support/stages.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

/*
 * Redis' clock cannot be set, so the calendar is moved instead. The commit script knows of time only the clock divided
 * by the length of a generation: with a length that goes into the clock g and a fraction times, now is at that fraction
 * of generation g. Between two arrivals each bucket is moved to where it then is: as many generations back, its name
 * and its expiry alike. An expiry in the past removes it, as the passing of time does.
 */

/** A length of generations, and now's place in them. */
interface Calendar {
  readonly generation: number
  readonly seconds: number
}

async function calendarNow(redis: Redis, generations: number, fraction: number): Promise<Calendar> {
  const [now] = await redis.time()
  const shortest = Number(now) / (generations + 1)
  // Up to ten minutes before the end, so that the clock does not pass it; from the first second on. The remainder
  // of the division, less than the number of generations, comes on top.
  const passed = Math.max(1, Math.floor(fraction * (shortest - 600 - generations)))
  const seconds = Math.floor((Number(now) - passed) / generations)
  return { generation: Math.floor(Number(now) / seconds), seconds }
}

/** The buckets, by the number of generations since they were begun, and what is left of them in generations. */
async function move(redis: Redis, from: Calendar, to: Calendar, generationsLater: number): Promise<void> {
  for (const bucket of await redis.keys('ledger:*')) {
    const [, generation, number] = bucket.split(':')
    const age = from.generation - Number(generation) + generationsLater
    const left = (await expiryOf(redis, bucket)) / from.seconds - Number(generation)
    const moved = `ledger:moved:${to.generation - age}:${number}`
    await redis.rename(bucket, moved)
    await redis.expireat(moved, Math.round((to.generation - age + left) * to.seconds))
  }
  for (const moved of await redis.keys('ledger:moved:*')) await redis.rename(moved, moved.replace(':moved', ''))
}

async function expiryOf(redis: Redis, key: string): Promise<number> {
  const [time, left] = (await redis.multi().time().pttl(key).exec()) ?? []
  const [seconds, micros] = (time?.[1] ?? []) as string[]
  return Math.round(Number(seconds) + Number(micros) / 1e6 + Number(left?.[1]) / 1000)
}

const values = [1, 2] as const
const arrival = fc.record({
  /** Since the arrival before: generations passed, and where in its generation this one is. */
  later: fc.constantFrom(0, 0, 1, 1, 2, 3),
  fraction: fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true })),
  generations: fc.integer({ min: 3, max: 2_000 }),
  /** Difference of the plan's first generation from the true one. */
  wrongBy: fc.constantFrom(0, 1, -1, 17),
  order: fc.constantFrom('1', '2', '3'),
  value: fc.constantFrom<number | string>(...values, 'none'),
})

/** All that has to come up: twice the same, another value, both again a generation later, and new in the one after. */
const each = (
  [
    [0, 1],
    [0, 1],
    [0, 2],
    [1, 1],
    [0, 2],
    [1, 1],
  ] as const
).map(([later, value]) => ({ later, fraction: 0.5, generations: 9, wrongBy: 1 as const, order: '1' as const, value }))

test('an order is known in its generation and the next, wherever in them, and forgotten in the one after', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const seen = new Map<string, number>()
  const property = fc.asyncProperty(fc.array(arrival, { minLength: 1, maxLength: 8 }), async (arrivals) => {
    await redis.flushdb()
    /** Maps what was sent to its value and generation, counted from the first arrival. */
    const known = new Map<string, { value: number | string; since: number }>()
    let calendar = await calendarNow(redis, 3, 0)
    let generation = 0
    for (const { later, fraction, generations, wrongBy, order, value } of arrivals) {
      const next = await calendarNow(redis, generations, fraction)
      await move(redis, calendar, next, later)
      calendar = next
      generation += later

      const reply = await arrive(redis, calendar, wrongBy, { user_id: 'u', order_id: order, order_value: value })
      // A rejected message is known by its id and body, so another value is another message; both have this id.
      const refused = typeof value === 'string'
      const what = refused ? `refused ${order}` : order
      const first = known.get(what)
      const since = first && generation - first.since
      const expected =
        first === undefined || generation - first.since > 1 ? 'new' : first.value === value ? 'duplicate' : 'differs'
      expect([outcomeOf(reply), since]).toEqual([expected === 'new' && refused ? 'refused' : expected, since])
      if (expected === 'new') known.set(what, { value, since: generation })
      const kind = `${expected} after ${since === undefined ? 'nothing' : Math.min(since, 2)}`
      seen.set(kind, (seen.get(kind) ?? 0) + 1)

      for (const bucket of await redis.keys('ledger:*')) {
        const begun = Number(bucket.split(':')[1])
        expect(await expiryOf(redis, bucket)).toBeGreaterThanOrEqual((begun + 2) * calendar.seconds)
        expect(await expiryOf(redis, bucket)).toBeLessThanOrEqual((begun + 2) * calendar.seconds + 1)
      }
    }
  })
  const seed = process.env['SEED']
  await fc.assert(property, {
    ...(seed !== undefined && { seed: Number(seed) }),
    numRuns: 100,
    examples: [[each]],
  })
  const kinds = ['duplicate after 0', 'duplicate after 1', 'differs after 0', 'differs after 1', 'new after 2']
  for (const kind of kinds) expect([kind, seen.get(kind)]).not.toContain(undefined)
})

/** The message read, planned for a generation that may be wrong, and committed. */
async function arrive(redis: Redis, calendar: Calendar, wrongBy: number, order: object): Promise<CommitReply> {
  const config = { ...readConfig({ LEDGER_BUCKETS: '2' }), ledgerDays: calendar.seconds / 86_400 }
  expect(generationSeconds(config)).toBeCloseTo(calendar.seconds, 5)
  const app = appOn(redis, config)
  const { keys } = app
  await ensureGroups(app)
  await enqueue(redis, keys, [{ id: 'm', body: JSON.stringify(order) }])
  const group = ['GROUP', 'validate', 'c'] as const
  const read = await redis.xreadgroupBuffer(...group, 'COUNT', 1, 'STREAMS', keys.stream('raw'), '>')
  const [[, [[id, fields]]]] = read as [[Buffer, [[Buffer, Buffer[]]]]]
  const entries: Entry[] = [decodeEntry(pipeline, String(id), fields, 'raw')]
  const commitFor = (generation: number): Promise<CommitReply> => {
    const planning = {
      stage: validate,
      channel: pipeline.channel('raw'),
      keys,
      format: app.format,
      now: new Date(0),
      known: new Map<string, string>(),
    }
    const plan = planBatch({ ...planning, onDecideFailed: () => {} }, entries)
    return commit(app, { stage: validate, keys, consumer: 'c' }, plan, generation)
  }
  if (wrongBy !== 0) {
    const before = await snapshot(redis)
    const reported = await commitFor(calendar.generation + wrongBy)
    expect(reported).toEqual({ status: 'generation', generation: calendar.generation })
    expect(await snapshot(redis)).toEqual(before)
  }
  return commitFor(calendar.generation)
}

function outcomeOf(reply: CommitReply): string {
  if (reply.status !== 'committed') return reply.status
  if (reply.rejected > 0) return 'refused'
  return reply.duplicates > 0 ? 'duplicate' : 'new'
}

/** Every key, its content and when it expires. Of a stream the entries: who holds them, a refused commit may change. */
async function snapshot(redis: Redis): Promise<unknown[]> {
  const keys = (await redis.keys('*')).sort()
  return Promise.all(
    keys.map(async (key) => {
      const expiry = (await redis.pttl(key)) === -1 ? 'never' : await expiryOf(redis, key)
      return [key, expiry, await contentOf(redis, key)]
    }),
  )
}

async function contentOf(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key)
  if (type === 'stream') return redis.xrange(key, '-', '+')
  if (type === 'zset') return redis.zrange(key, '0', '-1', 'WITHSCORES')
  return type === 'list' ? redis.lrange(key, 0, -1) : redis.hgetall(key)
}
