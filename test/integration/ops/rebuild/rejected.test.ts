import { expect, test } from 'vitest'
import type { Keys } from '../../../../src/keys.ts'
import { admittedOrder } from '../../../../src/messages.ts'
import { replaceSegment } from '../../../../src/ops/archive/replace.ts'
import { discardRejected } from '../../../../src/ops/rebuild/discard-rejected.ts'
import { flip } from '../../../../src/ops/rebuild/flip/flip.ts'
import { revertFlip } from '../../../../src/ops/rebuild/flip/revert.ts'
import { requireSound } from '../../../../src/ops/rebuild/rebuild.ts'
import { comparisonLines } from '../../../../src/ops/rebuild/rebuild-text.ts'
import { comparisonOf } from '../../../../src/ops/rebuild/reply.ts'
import { reconcile } from '../../../../src/ops/reconcile/reconcile.ts'
import { newToken } from '../../../../src/ops/reconcile/token.ts'
import { readChains } from '../../../../src/reads/archive/chains.ts'
import { readRecords } from '../../../../src/reads/archive/records.ts'
import { liveSegments } from '../../../../src/reads/archive/segments.ts'
import { readBooks } from '../../../../src/reads/books.ts'
import { readCounters } from '../../../../src/reads/counters.ts'
import { archive } from '../../../../src/stages/archive/archive.ts'
import { definePipeline } from '../../../../src/stages/define-pipeline.ts'
import { readEntries } from '../../../../src/stages/invalid/entry.ts'
import { replayEntries } from '../../../../src/stages/invalid/requeue.ts'
import type { Stage } from '../../../../src/stages/placed.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { trim } from '../../../../src/stages/runner/trim.ts'
import { defineObserver, hincrby } from '../../../../src/stages/stage.ts'
import { idOfSortable } from '../../../../src/stream-id.ts'
import {
  openRebuildWorld,
  type RebuildWorld,
  rebuilt,
  runningStages,
  sendOrders,
  settled,
} from '../../../support/rebuilding.ts'
import { runOrders } from '../../../support/run-orders.ts'
import { aggregate, definitions } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'

let isBroken = true
const broken = ['o5', 'o25']

const revenue = defineObserver({
  name: 'revenue',
  takes: admittedOrder,
  counts: 'booked',
  decide: ({ minor, order_id }, keys) => {
    if (isBroken && broken.includes(order_id)) throw new Error('a bug')
    return [hincrby(keys.own('revenue', 'all'), 'minor', minor)]
  },
})
const withRevenue = definePipeline([
  definitions.validate,
  revenue,
  archive,
  definitions.aggregate,
  definitions.leaderboard,
])
const withAggregate = definePipeline([
  definitions.validate,
  archive,
  {
    ...definitions.aggregate,
    decide: (order, ...rest) => {
      if (isBroken && broken.includes((order as { order_id: string }).order_id)) throw new Error('a bug')
      return definitions.aggregate.decide(order, ...rest)
    },
  },
  definitions.leaderboard,
])
const others = withRevenue.names.filter((name) => name !== revenue.name && name !== archive.name)

const counterOf = async ({ app }: RebuildWorld, name: string): Promise<number> =>
  (await readCounters(app.redis, app.partitions))[name] ?? 0

/** Rejects one order of 20 in the stage, and keeps all of them in the archive. */
async function openRejected(name = revenue.name, pipeline = withRevenue): Promise<RebuildWorld> {
  isBroken = true
  await using stack = new AsyncDisposableStack()
  const world = stack.use(await openRebuildWorld(undefined, pipeline))
  {
    await using _ = await runningStages(world.app)
    await sendOrders(world, 0, 20)
    await settled(world)
  }
  expect(await counterOf(world, `${name}:rejected`)).toBe(1)
  const opened = stack.move()
  return { ...world, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

async function replay({ app, redis }: RebuildWorld, keys: Keys): Promise<void> {
  const ids = (await redis.zrange(keys.invalidGroup('internal-error'), '0', '-1')).map(idOfSortable)
  const entries = await readEntries(redis, keys, ids)
  expect(await replayEntries(app, entries, { jobId: 'job', limit: 1 })).toHaveLength(1)
}

const differencesOf = async (world: RebuildWorld, stage = revenue.name): Promise<unknown[]> => {
  const { compared } = await rebuilt(world, [stage])
  return compared.partitions.flatMap(({ differences }) => [...differences.values()])
}

test('a stage that still fails on an order ends a rebuild with a sentence that names the order', async () => {
  await using world = await openRejected()
  await expect(rebuilt(world, ['revenue'])).rejects.toMatchObject({
    code: 'ORD_BOOKS',
    message: expect.stringMatching(/^revenue fails on the order "o5" of "u5" in the entry \d+-\d+\. a bug\. /),
  })
})

test('what a stage has rejected is counted only if that is asked for', async () => {
  await using world = await openRejected()
  isBroken = false
  const { compared } = await rebuilt(world, ['revenue'])
  expect(compared.rejected).toEqual(new Map([['revenue', 1]]))
  expect(() => requireSound(compared, false)).toThrow('1 order that revenue rejected would be counted. Replay it first')
  requireSound(compared, true)
})

const by = 'ann'

test.each([
  ['revenue', withRevenue, ['booked', 'discarded', 'revenue:rejected']],
  ['aggregate', withAggregate, ['aggregate:rejected', 'applied', 'discarded', 'ranked']],
] as const)(
  'what %s has rejected and a flip counts is neither rejected nor replayed after it',
  async (name, pipeline, moved) => {
    await using world = await openRejected(name, pipeline)
    const { app, redis } = world
    const [keys] = app.partitions
    isBroken = false
    const counters = () => readCounters(app.redis, app.partitions)
    const flipKept = async () => {
      const { build, compared } = await rebuilt(world, [name])
      expect(compared.rejected).toEqual(new Map([[name, 1]]))
      await flip(build, await discardRejected(build, compared, by), 'kept')
    }
    const before = await counters()
    await flipKept()
    const after = await counters()
    const isChanged = (counter: string): boolean => before[counter] !== after[counter] && !counter.startsWith('flip:')
    expect(Object.keys(after).filter(isChanged).sort()).toEqual(moved)
    expect(await readBooks(app)).toMatchObject({ balanced: true, invalid: { stream: 0 } })
    const { compared } = await rebuilt(world, [name])
    expect(comparisonOf(compared, 0, app.format.money)).toMatchObject({ equal: true, rejected: {} })
    const discarded = await redis.xrange(keys?.discarded ?? '', '-', '+')
    expect(discarded.map(([, fields]) => fields.join())).toEqual([
      expect.stringMatching(/"o5".*--count-rejected,by,ann/),
    ])

    await revertFlip(app, 'kept', async () => {})
    expect(await counters()).toMatchObject({ ...before, discarded: 1 })
    expect(await readBooks(app)).toMatchObject({ balanced: true })
    await flipKept()
    expect(await counters()).toMatchObject({ [`${name}:rejected`]: 0 })
    expect(await differencesOf(world, name)).toEqual([])
  },
)

test('orders rebuild --count-rejected asks, and then counts and discards what was rejected', async () => {
  await using world = await openRejected(aggregate.name, withAggregate)
  const { host, port, db } = world.redis.options
  const env = {
    ...{ REDIS_URL: `redis://${host}:${port}/${db}`, ARCHIVE_URL: world.app.config.archiveUrl ?? '' },
    ...{ LEDGER_BUCKETS: '64', CALENDAR: 'off', LOG_LEVEL: 'silent' },
  }
  const run = async (...words: string[]) => {
    await using command = runOrders(['rebuild', '--flip', ...words], env)
    const { code } = await command.exit()
    return { code, text: command.stdout() + command.stderr() }
  }
  expect(await run('--yes')).toEqual({ code: 1, text: expect.stringContaining('1 order that aggregate rejected') })
  expect(await run('--count-rejected')).toEqual({ code: 2, text: expect.stringContaining('Nothing was changed') })
  expect(await counterOf(world, 'discarded')).toBe(0)
  expect(await run('--count-rejected', '--yes')).toEqual({ code: 0, text: expect.stringContaining('Flipped') })
  expect(await counterOf(world, 'discarded')).toBe(1)
  expect(await counterOf(world, 'aggregate:rejected')).toBe(0)
  expect(await run('--yes')).toEqual({ code: 0, text: expect.stringContaining('Everything is as the archive says.') })
})

/** Takes the segments out that have one of these orders. */
async function expire({ app, store }: RebuildWorld, orders: readonly string[]): Promise<void> {
  const known = new Map()
  for (const one of liveSegments(await readChains(store, app, known))) {
    const records = await Array.fromAsync(readRecords(store, one.segment))
    if (records.some(({ order_id }) => orders.includes(order_id)))
      await replaceSegment(app, store, one, { kind: 'expired' }, known)
  }
}

test('what a stage has rejected and the archive does not have stays rejected, and is replayed later', async () => {
  await using world = await openRebuildWorld(undefined, withRevenue)
  const { app } = world
  const [keys] = app.partitions as [Keys]
  isBroken = true
  for (const [from, to] of [
    [5, 6],
    [0, 5],
    [20, 40],
  ] as const) {
    await using _ = await runningStages(app)
    await sendOrders(world, from, to)
    await settled(world)
  }
  isBroken = false
  await trim({ ...app, keys }, app.pipeline.stage('aggregate') as Stage, { thorough: true })
  await expire(world, ['o5'])
  expect(await counterOf(world, 'revenue:rejected')).toBe(2)
  const { build, compared } = await rebuilt(world, ['revenue'])
  expect(compared.rejected).toEqual(new Map([['revenue', 1]]))
  expect(() => requireSound(compared, false)).toThrow('1 order that revenue rejected would be counted. Replay it first')
  await flip(build, await discardRejected(build, compared, by), undefined)
  expect(await counterOf(world, 'revenue:rejected')).toBe(1)
  expect(await readBooks(app)).toMatchObject({ balanced: true, invalid: { stream: 1 } })
  const discarded = await world.redis.xrange(keys.discarded, '-', '+')
  expect(discarded.map(([, fields]) => fields.join())).toEqual([expect.stringContaining('"o25"')])
  const again = await rebuilt(world, ['revenue'])
  expect(again.compared.rejected.size).toBe(0)
  requireSound(again.compared, false)

  const before = await counterOf(world, 'booked')
  await replay(world, keys)
  await using _ = await runningStages(app)
  await settled(world)
  expect(await counterOf(world, 'booked')).toBe(before + 1)
  expect(await counterOf(world, 'revenue:rejected')).toBe(0)
  expect(await readBooks(app)).toMatchObject({ balanced: true, invalid: { stream: 0 } })
})

test('what the archive has yet to write is not discarded before: the stage is the first to have its keys', async () => {
  await using world = await openRebuildWorld(undefined, withRevenue)
  const { app } = world
  isBroken = true
  for (const keys of app.partitions) await ensureGroups({ ...app, keys })
  {
    await using _ = await runningStages(app, [...others, revenue.name])
    await sendOrders(world, 5, 6)
    await settled(world, [...others, revenue.name])
  }
  isBroken = false
  const { build, compared } = await rebuilt(world, ['revenue'])
  expect(compared).toMatchObject({ unwritten: 1, rejected: new Map([['revenue', 1]]) })
  {
    const abort = new AbortController()
    const stopped = discardRejected({ ...build, alive: async () => abort.signal.throwIfAborted() }, compared, by)
    await until('it to ask for a flush', () => app.redis.exists(app.partitions[0]?.archiveFlush ?? ''))
    abort.abort(new Error('stopped'))
    await expect(stopped).rejects.toThrow('stopped')
  }
  expect(await counterOf(world, 'discarded')).toBe(0)
  await using _ = await runningStages(app, [archive.name])
  await flip(build, await discardRejected(build, compared, by), undefined)
  await settled(world)
  expect(await counterOf(world, 'discarded')).toBe(1)
  expect(await readBooks(app)).toMatchObject({ balanced: true, invalid: { stream: 0 } })
  expect(await differencesOf(world)).toEqual([])
  const all = app.partitions.map((keys) => world.redis.hget(keys.own('revenue', 'all'), 'minor'))
  expect(await Promise.all(all)).toEqual(['600'])
})

test('after a kill between discard and flip the refusal does not ask for a replay of what is discarded', async () => {
  await using world = await openRejected()
  const { app } = world
  isBroken = true
  {
    await using _ = await runningStages(app)
    await sendOrders(world, 20, 24)
    await settled(world)
  }
  isBroken = false
  const { build, compared } = await rebuilt(world, ['revenue'])
  await discardRejected(build, compared, by)
  const killed = await rebuilt(world, ['revenue'])
  const gone = '1 order that revenue rejected would be counted, and the invalid channel has it no more'
  const advice = '--count-rejected counts what was discarded.'
  expect(() => requireSound(killed.compared, false)).toThrow(`${gone}: ${advice}`)
  expect(JSON.stringify(comparisonLines({ build, records: 0 }, killed.compared))).toContain('channel has it no more')

  isBroken = true
  {
    await using _ = await runningStages(app)
    await sendOrders(world, 24, 40)
    await settled(world)
  }
  isBroken = false
  const both = await rebuilt(world, ['revenue'])
  expect(() => requireSound(both.compared, false)).toThrow(/^1 order .* Replay it first: .* 1 order .* no more: /)
  await flip(both.build, await discardRejected(both.build, both.compared, by), undefined)
  expect(await counterOf(world, 'discarded')).toBe(2)
  expect(await counterOf(world, 'revenue:rejected')).toBe(0)
  expect(await differencesOf(world)).toEqual([])
})

test('what a stage rejects while a flip is compared is discarded too, and counted by that flip', async () => {
  await using world = await openRejected()
  const { app } = world
  isBroken = false
  const { build, compared } = await rebuilt(world, ['revenue'])
  isBroken = true
  {
    await using _ = await runningStages(app)
    await sendOrders(world, 20, 40)
    await settled(world)
  }
  expect(await counterOf(world, 'revenue:rejected')).toBe(2)
  isBroken = false
  await flip(build, await discardRejected(build, compared, by), undefined)
  expect(await counterOf(world, 'revenue:rejected')).toBe(0)
  expect(await readBooks(app)).toMatchObject({ balanced: true, invalid: { stream: 0 } })
  expect(await differencesOf(world)).toEqual([])
})

test('what a stage rejects after a flip was compared stays, and is replayed once', async () => {
  await using world = await openRejected()
  const { app } = world
  isBroken = false
  const { build, compared } = await rebuilt(world, ['revenue'])
  const sound = await discardRejected(build, compared, by)
  isBroken = true
  await using _ = await runningStages(app)
  await sendOrders(world, 20, 40)
  await settled(world)
  isBroken = false
  await flip(build, sound, undefined)
  expect(await counterOf(world, 'revenue:rejected')).toBe(1)
  await replay(world, app.partitions[0] as Keys)
  await settled(world)
  expect(await counterOf(world, 'revenue:rejected')).toBe(0)
  expect(await differencesOf(world)).toEqual([])
})

test.each([[revenue.name], [archive.name], [undefined]])(
  'an order that is replayed counts once, whichever has its entry first: %s',
  async (first) => {
    await using world = await openRejected()
    isBroken = false
    const [keys] = world.app.partitions
    if (!keys) throw new Error('There is no partition.')
    await replay(world, keys)
    const both = [revenue.name, archive.name]
    const waiting = both.filter((name) => name !== first)
    await using _ = await runningStages(world.app, [...others, ...both.filter((name) => name === first)])
    const last = (await world.redis.xrevrange(keys.stream('valid'), '+', '-', 'COUNT', 1))[0]?.[0] ?? ''
    if (first) await until('one of the two to have it', () => world.redis.zscore(keys.committed(first), last))
    for (const name of waiting) expect(await world.redis.zscore(keys.committed(name), last)).toBe(null)
    const { compared } = await rebuilt(world, ['revenue'])
    expect(compared.partitions.flatMap(({ differences }) => [...differences.values()])).toEqual([])
    expect(compared.rejected.size).toBe(0)
    await using _rest = await runningStages(world.app, waiting)
    await settled(world)
    expect(await differencesOf(world)).toEqual([])
  },
)

test('a replay refuses a flip of what was compared before', async () => {
  await using world = await openRejected()
  isBroken = false
  const [keys] = world.app.partitions
  if (!keys) throw new Error('There is no partition.')
  const { build, compared } = await rebuilt(world, ['revenue'])
  await replay(world, keys)
  await expect(flip(build, compared, undefined)).rejects.toMatchObject({ code: 'ORD_USAGE' })
})

test('a replay does not refuse a repair by the totals of the users: it changes both sides', async () => {
  await using world = await openRejected()
  isBroken = false
  const [keys] = world.app.partitions
  if (!keys) throw new Error('There is no partition.')
  const token = await newToken(world.app, 'users', async () => {})
  await replay(world, keys)
  const step = { token, nextToken: '', kept: undefined }
  expect(await reconcile(world.redis, keys, step, { differences: [], ranks: [] })).toBe(true)
})
