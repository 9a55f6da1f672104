import { expect, test } from 'vitest'
import { openQueues } from '../../../../src/control/job-queues.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { openDurable } from '../../../../src/ingest/proof/durable.ts'
import type { Keys } from '../../../../src/keys.ts'
import { admittedOrder } from '../../../../src/messages.ts'
import { archivePlace } from '../../../../src/ops/erase/archive.ts'
import { flip } from '../../../../src/ops/rebuild/flip/flip.ts'
import { revertFlip } from '../../../../src/ops/rebuild/flip/revert.ts'
import { archiveOf } from '../../../../src/ops/rebuild/open-archive.ts'
import { endRun } from '../../../../src/ops/rebuild/progress.ts'
import { openBuild, stagesToBuild } from '../../../../src/ops/rebuild/rebuild.ts'
import { verify } from '../../../../src/ops/verify/verification.ts'
import { partitionFor } from '../../../../src/partitions.ts'
import { readBooks } from '../../../../src/reads/books.ts'
import { readCounters } from '../../../../src/reads/counters.ts'
import { archive as archiveDefinition } from '../../../../src/stages/archive/archive.ts'
import { openChain } from '../../../../src/stages/archive/lines.ts'
import { definePipeline } from '../../../../src/stages/define-pipeline.ts'
import { dropShadows } from '../../../../src/stages/erasure/drop-shadows.ts'
import { erase } from '../../../../src/stages/erasure/erase.ts'
import { readErasedAt, readErasures } from '../../../../src/stages/erasure/erasures.ts'
import type { Receipt } from '../../../../src/stages/erasure/receipt.ts'
import { trim } from '../../../../src/stages/runner/trim.ts'
import { defineObserver, hincrby, rank } from '../../../../src/stages/stage.ts'
import {
  openRebuildWorld,
  type RebuildWorld,
  rebuilt,
  runningStages,
  sendOrders,
  settled,
  usersOf,
} from '../../../support/rebuilding.ts'
import { definitions } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'

const { signal } = new AbortController()

const sorted = <T>(all: ReadonlyMap<string, T>): [string, T][] =>
  [...all].sort(([one], [other]) => (one < other ? -1 : 1))

/** Expects all numbers to be those of the orders that were sent, and the books to balance. */
async function expectRight(world: RebuildWorld): Promise<void> {
  const { app, expected } = world
  await settled(world)
  expect(sorted(await usersOf(world))).toEqual(sorted(expected))
  const books = await readBooks(app)
  expect([books.differences, books.losses]).toEqual([[], []])
  const orders = [...expected.values()].reduce((sum, one) => sum + one.orders, 0)
  const minor = [...expected.values()].reduce((sum, one) => sum + one.minor, 0)
  expect(books.totals).toEqual({ orders, minor })
  const { audit, calendar } = await verify(app, { deep: true, repair: false, force: false }, signal)
  expect(audit).toMatchObject({ verdict: 'right', differences: [] })
  expect(calendar).toMatchObject({ verdict: 'right', differences: [] })
}

test.each([undefined, 2])(
  'what was built equals what was counted, while orders come (%s partitions)',
  async (count) => {
    await using world = await openRebuildWorld(count)
    await using _ = await runningStages(world.app)
    await sendOrders(world, 0, 200)
    const sending = sendOrders(world, 200, 500)
    const { compared } = await rebuilt(world)
    expect(compared.partitions.flatMap(({ differences }) => [...differences.values()])).toEqual([])
    expect([...compared.lacks.values()].every((lacks) => lacks === 0)).toBe(true)
    expect(compared.scores).toEqual({ users: compared.partitions.map(() => []), periods: 0 })
    await sending
    await expectRight(world)
  },
)

/** Damages numbers in most ways in which another client can. */
async function damage({ app, redis }: RebuildWorld): Promise<void> {
  const user = (id: string): [Keys, string] => {
    const keys = partitionFor(app.partitions, id)
    return [keys, keys.userStats(id)]
  }
  await redis.hincrby(user('u1')[1], 'order_count', 5)
  await redis.del(user('u2')[1])
  await redis.set(user('u3')[1], 'text')
  await redis.hset(user('u4')[1], 'total_spend_minor', '12.5')
  await redis.hset(user('foreign')[1], 'order_count', 3, 'total_spend_minor', 9)
  await redis.zadd(user('u8')[0].periodBoard(new Date().toISOString().slice(0, 7), 'spend'), 1, 'u8') // on the first days it has no order of the month
  await redis.zadd(user('u5')[0].leaderboardSpend, 1, 'u5', 77, 'nowhere')
  for (const keys of app.partitions) {
    await redis.hincrby(keys.globalStats, 'total_revenue_minor', -7)
    const [day, month] = [
      await redis.keys(`${keys.day('')}2*`),
      await redis.keys(`${keys.monthly('', '').slice(0, -1)}2*`),
    ]
    await redis.hincrby(day[0] ?? '', 'orders', 2)
    await redis.del(day[1] ?? '', month[0] ?? '')
  }
}

test('a flip corrects damaged numbers while orders come; an undo brings them back, with the orders since', async () => {
  await using world = await openRebuildWorld(2)
  await using _ = await runningStages(world.app)
  await sendOrders(world, 0, 300)
  await settled(world)
  await damage(world)
  const sending = sendOrders(world, 300, 450)
  const { build, compared } = await rebuilt(world)
  expect((await flip(build, compared, 'before')).keys).toBeGreaterThan(8)
  await sending
  await expectRight(world)
  expect(await flip(build, compared, 'again').catch(({ code }) => code)).toBe('ORD_USAGE')
  await settled(world)
  const { code } = await revertFlip(world.app, 'nothing', async () => {}).catch((error) => error)
  expect(code).toBe('ORD_USAGE')
  await revertFlip(world.app, 'before', async () => {})
  expect((await usersOf(world)).get('u1')?.orders).toBe((world.expected.get('u1')?.orders ?? 0) + 5)
  const again = await rebuilt(world)
  await flip(again.build, again.compared, undefined)
  await expectRight(world)
  await dropShadows(world.app)
  expect(await world.redis.keys('*rebuild:*')).toEqual([])
})

test('after Redis was lost, all numbers come back from the store, and the books balance', async () => {
  await using world = await openRebuildWorld(2)
  {
    await using _ = await runningStages(world.app)
    await sendOrders(world, 0, 200)
    await settled(world)
  }
  await world.redis.flushdb()
  await using _ = await runningStages(world.app)
  await sendOrders(world, 200, 260)
  const { build, compared } = await rebuilt(world)
  await flip(build, compared, undefined)
  await expectRight(world)
  const { compared: again } = await rebuilt(world)
  expect(again.partitions.flatMap(({ differences }) => [...differences.keys()])).toEqual([])
  expect([...again.lacks.values()]).toEqual([0, 0])
})

async function eraseFrom({ app, redis }: RebuildWorld, user: string): Promise<Receipt> {
  await using queues = openQueues(redis)
  const eraser = { by: 'ann', timeoutMs: 20_000 }
  const receipt = await erase({ app, queues, archive: archivePlace, openDurable }, user, eraser, signal)
  expect(receipt).toMatchObject({ complete: true })
  return receipt
}

test('after Redis was lost, a rebuild erases again who was erased from the archive', async () => {
  await using world = await openRebuildWorld(2)
  const { app, redis } = world
  const receipt = await (async () => {
    await using _ = await runningStages(app)
    await sendOrders(world, 0, 60)
    await settled(world)
    return await eraseFrom(world, 'u1')
  })()
  await redis.flushdb()
  await using _ = await runningStages(app)
  const { build, compared } = await rebuilt(world)
  await flip(build, compared, undefined)
  for (const keys of app.partitions) {
    const erasures = await readErasures(redis, keys)
    expect(['u1', 'u2'].map(erasures.has)).toEqual([true, false])
  }
  expect(Date.parse((await readErasedAt(app, 'u1')) ?? '')).toBeGreaterThanOrEqual(Date.parse(receipt.erased_at))
  const body = JSON.stringify({ user_id: 'u1', order_id: 'late', order_value: 1 })
  await enqueue(redis, partitionFor(app.partitions, 'u1'), [{ id: 'late', body }])
  await until(
    'the late order to be refused',
    () => readCounters(redis, app.partitions),
    (counters) => counters['rejected:erased'] === 1,
  )
})

test('a user stays erased whose erasure is on a line that Redis has lost', async () => {
  await using world = await openRebuildWorld(undefined)
  const { app, redis, store } = world
  const [keys] = app.partitions as [Keys]
  await using _ = await runningStages(app)
  await sendOrders(world, 0, 60)
  await settled(world)
  const before = await Promise.all([keys.archive, keys.archiveLines].map((name) => redis.dumpBuffer(name)))
  await eraseFrom(world, 'u1')
  for (const [at, name] of [keys.archive, keys.archiveLines].entries())
    await redis.restore(name, 0, before[at] ?? '', 'REPLACE')
  await redis.del(keys.erased)
  await openChain({ ...app, keys }, store)
  const archive = archiveOf([{ store, app }])
  const building = { archive, stages: stagesToBuild(app.pipeline, ['aggregate']), untilMs: Number.POSITIVE_INFINITY }
  await openBuild(app, { ...building, alive: async () => {}, mayReplace: async () => {}, read: () => {} })
  expect((await readErasures(redis, keys)).has('u1')).toBe(true)
})

/** At which writes a rebuild is killed: KILLS=2000 kills it at each one. */
const kills = Number(process.env['KILLS'] ?? 12)
const killedAt = (attempt: number): number => (kills > 100 ? attempt : Math.ceil(1.7 ** attempt))

test('a rebuild that is killed at its writes goes on, and corrects all once', { timeout: 900_000 }, async () => {
  await using world = await openRebuildWorld(2)
  await using _ = await runningStages(world.app)
  await sendOrders(world, 0, 200)
  await settled(world)
  await damage(world)
  const sending = sendOrders(world, 200, 260)
  let killed = 0
  for (let isDone = false; !isDone; ) {
    let writes = killedAt(killed + 1)
    const alive = async (): Promise<void> => {
      if (killed < kills && --writes < 0) throw new Error('killed')
    }
    try {
      const { build, compared } = await rebuilt(world, ['aggregate', 'calendar'], alive)
      await flip(build, compared, 'kept')
      await endRun(world.app, alive)
      isDone = true
    } catch (error) {
      expect((error as Error).message).toBe('killed')
      killed++
    }
  }
  await sending
  await expectRight(world)
  expect((await world.redis.keys('*rebuild:*')).filter((name) => !name.includes('kept'))).toEqual([])
})

/** Counts the spend of each user on days of their own, and ranks users by it. */
const revenue = defineObserver({
  name: 'revenue',
  takes: admittedOrder,
  needs: ['payment_method'],
  counts: 'booked',
  decide: ({ minor, user_id, payment_method = 'unknown' }, keys) => [
    hincrby(keys.own('revenue', 'by-method'), payment_method, minor),
    hincrby(keys.own('revenue', `of:${user_id}`), 'spend', minor),
    rank(user_id, [keys.own('revenue', `of:${user_id}`)], [{ board: keys.own('revenue', 'board'), fields: ['spend'] }]),
  ],
})
const withRevenue = definePipeline([
  definitions.validate,
  definitions.calendar,
  revenue,
  archiveDefinition,
  definitions.aggregate,
  definitions.leaderboard,
])

test('a stage that is added later gets all of history once, while orders come', async () => {
  await using before = await openRebuildWorld(2)
  {
    await using _ = await runningStages(before.app)
    await sendOrders(before, 0, 200)
    await settled(before)
  }
  for (const keys of before.app.partitions)
    for (const stage of before.app.pipeline.stages) await trim({ ...before.app, keys }, stage, { thorough: true })
  const world = { ...before, app: { ...before.app, pipeline: withRevenue } }
  await using _ = await runningStages(world.app)
  await sendOrders(world, 200, 230)
  const missed = async () => (await readCounters(world.app.redis, world.app.partitions))['revenue:missed'] ?? 0
  await until('it has missed some', missed)
  const sending = sendOrders(world, 230, 300)
  const { build, compared } = await rebuilt(world, ['revenue'])
  await flip(build, compared, undefined)
  await sending
  await expectRight(world)
  expect(await missed()).toBe(0)
  const [methods, board] = [new Map<string, number>(), new Map<string, number>()]
  for (const keys of world.app.partitions) {
    for (const [method, minor] of Object.entries(await world.redis.hgetall(keys.own('revenue', 'by-method'))))
      methods.set(method, (methods.get(method) ?? 0) + Number(minor))
    const flat = await world.redis.zrange(keys.own('revenue', 'board'), '0', '-1', 'WITHSCORES')
    for (let at = 0; at < flat.length; at += 2) board.set(flat[at] ?? '', Number(flat[at + 1]))
  }
  const all = [...world.expected].reduce((sum, [, { minor }]) => sum + minor, 0)
  expect(Object.fromEntries(methods)).toEqual({ card: expect.any(Number), unknown: expect.any(Number) })
  expect([...methods.values()].reduce((sum, minor) => sum + minor, 0)).toBe(all)
  expect(sorted(board)).toEqual(sorted(new Map([...world.expected].map(([user, { minor }]) => [user, minor]))))
})
