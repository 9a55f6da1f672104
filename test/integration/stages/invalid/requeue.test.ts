import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { App } from '../../../../src/app.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { makeControlKeys, makePartitions } from '../../../../src/keys.ts'
import { readBooks } from '../../../../src/reads/books.ts'
import { readCounters } from '../../../../src/reads/counters.ts'
import type { InvalidEntry } from '../../../../src/stages/invalid/entry.ts'
import { readOldest } from '../../../../src/stages/invalid/oldest.ts'
import { readOutcome } from '../../../../src/stages/invalid/outcome.ts'
import { discardEntry, replayEntries } from '../../../../src/stages/invalid/requeue.ts'
import type { Stage } from '../../../../src/stages/placed.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { wrap } from '../../../support/envelopes.ts'
import { rejectBodies } from '../../../support/invalid.ts'
import { corrected } from '../../../support/jobs.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { withFraud } from '../../../support/sample-stages.ts'
import { validate } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

/** An app over so many partitions, each with as many invalid orders. */
async function withInvalid(redis: Redis, count: number | undefined, each: number): Promise<App> {
  const partitions = makePartitions(count)
  const control = makeControlKeys(partitions)
  for (const keys of partitions)
    await rejectBodies(appOn(redis, undefined, { keys, partitions, control }), Array(each).fill('{}'))
  return appOn(redis, undefined, { keys: partitions[0] as App['partitions'][number], partitions, control })
}

const oldest = ({ redis, partitions }: App): Promise<InvalidEntry[]> =>
  readOldest(redis, partitions, { after: '0-0', until: '+', count: 100 })

for (const count of [undefined, 2]) {
  test(`the limit of a replay holds over all of its calls, with ${count ?? 'one partition'}${count ? ' partitions' : ''}`, async () => {
    await using world = await emptyRedis()
    const app = await withInvalid(world.redis, count, 3)
    const all = await oldest(app)
    const replay = async (entries: readonly InvalidEntry[], limit: number): Promise<number> =>
      (await replayEntries(app, entries, { jobId: 'job', limit })).length

    expect(await replay(all.slice(0, 1), 2)).toBe(1)
    expect(await replay(all.slice(1), 2)).toBe(1)
    expect(await replay(all, 2)).toBe(0)
    expect(await replay(all, 3)).toBe(1)
    expect(await readOutcome(app.redis, app.partitions, 'job')).toMatchObject({ sent: 3 })
    expect(await oldest(app)).toHaveLength(all.length - 3)
    // Another job has a limit of its own.
    const left = all.length - 3
    expect((await replayEntries(app, all, { jobId: 'other', limit: 10 })).length).toBe(left)
  })
}

test('of entries that were deleted only the index is left: the oldest that are there are found behind them', async () => {
  await using world = await emptyRedis()
  const app = await withInvalid(world.redis, undefined, 4)
  const all = await oldest(app)
  const [gone, alsoGone, next] = all.map(({ id }) => id)
  await world.redis.xdel(app.partitions[0]?.invalid ?? '', gone ?? '', alsoGone ?? '')
  const range = { after: '0-0', until: '+', count: 1, code: 'missing-field' } as const
  expect((await readOldest(app.redis, app.partitions, range)).map(({ id }) => id)).toEqual([next])
})

test('an entry is taken once: replayed, it cannot be discarded', async () => {
  await using world = await emptyRedis()
  const app = await withInvalid(world.redis, undefined, 1)
  const [entry] = await oldest(app)
  if (!entry) throw new Error('one invalid order expected')
  expect(await replayEntries(app, [entry], { jobId: 'job', limit: 1 })).toEqual([entry.id])
  expect(await discardEntry(app, entry, { reason: 'a test', by: 'me' })).toBe(false)
  expect(await world.redis.exists(entry.keys.discarded)).toBe(0)
})

test('a replayed order counts as received once more, and the books balance', async () => {
  await using world = await emptyRedis()
  const scope = appOn(world.redis)
  await rejectBodies(scope, ['{}'])
  await replayEntries(scope, await oldest(scope), { jobId: 'job', limit: 1 })
  const stop = new AbortController()
  const running = runStage(scope, validate, () => {}, stop.signal)
  const counters = () => readCounters(world.redis, scope.partitions)
  await until('it to be rejected again', counters, ({ rejected }) => rejected === 2)
  stop.abort()
  await running
  expect(await counters()).toMatchObject({ received: 2, rejected: 2, replayed: 1 })
  expect((await readBooks(scope)).differences).toEqual([])
})

test('an order in envelopes is rejected, replayed and edited as a bare one, and its message is kept', async () => {
  await using world = await emptyRedis()
  const scope = appOn(world.redis)
  const body = '{"user_id":"ada",  "order_id":9007199254740993}'
  const message = wrap('eventbridge', wrap('sns', body))
  await rejectBodies(scope, [message, body])
  const [enveloped, bare] = await oldest(scope)
  expect([enveloped?.text, bare?.text]).toEqual([body, body])
  expect([enveloped?.record.reason, bare?.record.reason]).toEqual(Array(2).fill('Missing required field: order_value'))
  expect(bare?.record.envelope).toBeUndefined()
  const came = { layers: [{ kind: 'eventbridge' }, { kind: 'sns' }], text: message }
  expect(enveloped?.record.envelope).toMatchObject(came)

  const edit = { body: '{"user_id":"ada","order_id":"","order_value":1}', by: 'ann' }
  await replayEntries(scope, enveloped ? [enveloped] : [], { jobId: 'job', limit: 1 }, edit)
  const stop = new AbortController()
  const running = runStage(scope, validate, () => {}, stop.signal)
  const all = await until(
    'it to be rejected again',
    () => oldest(scope),
    ({ length }) => length === 2,
  )
  stop.abort()
  await running
  const again = all.at(-1)
  expect(again?.text).toBe(edit.body)
  expect(again?.record).toMatchObject({ code: 'bad-identity', attempts: 2, edits: [{ by: 'ann', before: body }] })
  expect(again?.record.envelope).toMatchObject(came)
})

test('a replay that finds nothing to take sends nothing', async () => {
  await using world = await emptyRedis()
  const app = await withInvalid(world.redis, undefined, 1)
  const all = await oldest(app)
  const raw = app.partitions[0]?.stream('raw') ?? ''
  const sent: number[] = []
  for (let time = 0; time < 2; time++) {
    await replayEntries(app, all, { jobId: 'job', limit: 10 })
    sent.push(await world.redis.xlen(raw))
  }
  expect(sent).toEqual([1, 1])
})

test('an order that was replayed as it is has a history without edits', async () => {
  await using world = await emptyRedis()
  const app = await withInvalid(world.redis, undefined, 1)
  const [entry] = await oldest(app)
  await replayEntries(app, entry ? [entry] : [], { jobId: 'job', limit: 1 })
  const [[, fields = []] = []] = await world.redis.xrange(app.partitions[0]?.stream('raw') ?? '', '-', '+')
  const [{ history }] = JSON.parse(fields[fields.indexOf('r') + 1] ?? '')
  expect(history).toEqual({ attempts: 1, first_reason: entry?.record.reason, first_ts: entry?.record.ts })
})

test('a discarded entry is kept with the reason, the operator and the time', async () => {
  await using world = await emptyRedis()
  const app = await withInvalid(world.redis, undefined, 1)
  const [entry] = await oldest(app)
  const now = new Date('2026-11-23T10:00:00.000Z')
  expect(entry && (await discardEntry({ ...app, now: () => now }, entry, { reason: 'a test', by: 'ann' }))).toBe(true)
  const [[, fields = []] = []] = await world.redis.xrange(entry?.keys.discarded ?? '', '-', '+')
  expect(fields).toEqual(['record', entry?.json, 'reason', 'a test', 'by', 'ann', 'ts', now.toISOString()])
})

test('an order that a later stage has rejected goes back to it, and counts as returned, not as received', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  const scope = appOn(redis, undefined, { pipeline: withFraud })
  const fraudulent = {
    ...{ ...corrected, order_value: 600, shipping_address: '1 Nowhere Lane' },
    items: [{ product_id: 'P1', quantity: 2, price_per_unit: 300 }],
  }
  await ensureGroups(scope)
  await enqueue(redis, scope.keys, [{ id: 'm', body: JSON.stringify(fraudulent) }])
  const stop = new AbortController()
  const stages = ['validate', 'fraud'].map((name) => withFraud.stage(name) as Stage)
  const running = stages.map((stage) => runStage(scope, stage, () => {}, stop.signal))
  await until('it to be rejected', async () => (await redis.xlen(scope.keys.invalid)) === 1)
  stop.abort()
  await Promise.all(running)
  const all = await oldest(scope)
  expect(await replayEntries(scope, all, { jobId: 'job', limit: 1 })).toEqual(all.map(({ id }) => id))
  expect(await readOutcome(redis, scope.partitions, 'job')).toMatchObject({ sent: 1, returned: 1, judged: 1 })
  expect(await readCounters(redis, scope.partitions)).toMatchObject({ received: 1, admitted: 1, 'fraud:rejected': 0 })
})
