import { expect, test } from 'vitest'
import type { Keys } from '../../../../src/keys.ts'
import { admittedOrder } from '../../../../src/messages.ts'
import { flip } from '../../../../src/ops/rebuild/flip/flip.ts'
import { requireSound } from '../../../../src/ops/rebuild/rebuild.ts'
import { reconcile } from '../../../../src/ops/reconcile/reconcile.ts'
import { newToken } from '../../../../src/ops/reconcile/token.ts'
import { readCounters } from '../../../../src/reads/counters.ts'
import { archive } from '../../../../src/stages/archive/archive.ts'
import { definePipeline } from '../../../../src/stages/define-pipeline.ts'
import { readEntries } from '../../../../src/stages/invalid/entry.ts'
import { replayEntries } from '../../../../src/stages/invalid/requeue.ts'
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
import { definitions } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'

let isBroken = true

const revenue = defineObserver({
  name: 'revenue',
  takes: admittedOrder,
  counts: 'booked',
  decide: ({ minor, order_id }, keys) => {
    if (isBroken && order_id === 'o5') throw new Error('a bug')
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
const others = withRevenue.names.filter((name) => name !== revenue.name && name !== archive.name)

const counterOf = async ({ app }: RebuildWorld, name: string): Promise<number> =>
  (await readCounters(app.redis, app.partitions))[name] ?? 0

/** Rejects one order of 20 in the stage, and keeps all of them in the archive. */
async function openRejected(): Promise<RebuildWorld> {
  isBroken = true
  await using stack = new AsyncDisposableStack()
  const world = stack.use(await openRebuildWorld(undefined, withRevenue))
  {
    await using _ = await runningStages(world.app)
    await sendOrders(world, 0, 20)
    await settled(world)
  }
  expect(await counterOf(world, 'revenue:rejected')).toBe(1)
  const opened = stack.move()
  return { ...world, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

async function replay({ app, redis }: RebuildWorld, keys: Keys): Promise<void> {
  const ids = (await redis.zrange(keys.invalidGroup('internal-error'), '0', '-1')).map(idOfSortable)
  const entries = await readEntries(redis, keys, ids)
  expect(await replayEntries(app, entries, { jobId: 'job', limit: 1 })).toHaveLength(1)
}

const differencesOf = async (world: RebuildWorld): Promise<unknown[]> => {
  const { compared } = await rebuilt(world, ['revenue'])
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
  const { build, compared } = await rebuilt(world, ['revenue'])
  expect(compared.rejected).toEqual(new Map([['revenue', 1]]))
  expect(() => requireSound(compared, false)).toThrow('1 order that revenue rejected would be counted. Replay it first')
  requireSound(compared, true)
  await flip(build, compared, undefined)
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
