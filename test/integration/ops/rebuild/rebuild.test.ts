import { expect, test } from 'vitest'
import type { Keys } from '../../../../src/keys.ts'
import { flip, undoFlip } from '../../../../src/ops/rebuild/flip-all.ts'
import { verify } from '../../../../src/ops/verify/verification.ts'
import { partitionFor } from '../../../../src/partitions.ts'
import { readBooks } from '../../../../src/reads/books.ts'
import { dropShadows } from '../../../../src/stages/erasure/drop-shadows.ts'
import {
  openRebuildWorld,
  type RebuildWorld,
  rebuilt,
  runningStages,
  sendOrders,
  settled,
  usersOf,
} from '../../../support/rebuilding.ts'

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
  await redis.zadd(user('u8')[0].periodBoard(new Date().toISOString().slice(0, 7), 'spend'), 1, 'u8')
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
  const { code } = await undoFlip(world.app, 'nothing', async () => {}).catch((error) => error)
  expect(code).toBe('ORD_USAGE')
  await undoFlip(world.app, 'before', async () => {})
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
})
