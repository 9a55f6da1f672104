import { expect, test } from 'vitest'
import type { App } from '../../../../src/app.ts'
import { makeKeys } from '../../../../src/keys.ts'
import { checkCalendar } from '../../../../src/ops/calendar/check.ts'
import { verify } from '../../../../src/ops/verify/verification.ts'
import { moveTotals, readHeld } from '../../../../src/stages/erasure/move-totals.ts'
import { openRebuildWorld, type RebuildWorld, runningStages, sendOrders, settled } from '../../../support/rebuilding.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { withCalendar } from '../../../support/stages.ts'

const { signal } = new AbortController()
const keys = makeKeys()
const account = 'erased:0'
const repair = (app: App) => verify(app, { deep: true, repair: true, force: false }, signal)

/** A system whose user u1 is erased. */
async function openErased(): Promise<RebuildWorld> {
  await using stack = new AsyncDisposableStack()
  const world = stack.use(await openRebuildWorld(undefined, withCalendar))
  const { app } = world
  {
    await using _ = await runningStages(app)
    await sendOrders(world, 0, 40)
    await settled(world)
  }
  await moveTotals({ ...app, keys }, 'u1', await readHeld({ ...app, keys }, 'u1'))
  const opened = stack.move()
  return { ...world, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

test('where an account may be what is wrong, a repair refuses, unless the calendar says that it is not', async (context) => {
  requireRealRedis(context)
  await using world = await openErased()
  const { app, redis } = world
  const right = await redis.hgetall(keys.globalStats)
  await redis.hincrby(keys.userStats(account), 'total_spend_minor', 500)
  await expect(repair(app)).rejects.toMatchObject({ code: 'ORD_BOOKS', message: expect.stringContaining(account) })
  await redis.hincrby(keys.userStats(account), 'total_spend_minor', -500)
  await redis.hincrby(keys.globalStats, 'total_revenue_minor', 500)
  expect(await repair(app)).toMatchObject({ verdict: 'right', repaired: { scored: 0 } })
  expect(await redis.hgetall(keys.globalStats)).toEqual(right)
})

test('an account that is on a leaderboard leaves it by a repair, and the leaderboard still expires', async (context) => {
  requireRealRedis(context)
  await using world = await openErased()
  const { app, redis } = world
  const day = keys.periodBoard(app.format.calendar.dayAt(Date.now()), 'orders')
  const members = await redis.zrange(day, '0', '-1')
  const expires = await redis.expiretime(day)
  expect(expires).toBeGreaterThan(0)
  await redis.zadd(day, 5, account)
  await redis.zrem(day, ...members)
  await redis.zadd(keys.leaderboardSpend, 5, account)
  await redis.expireat(day, expires)
  expect((await checkCalendar(app, 'set', signal)).scores).toBeGreaterThan(members.length)
  expect(await redis.zrange(day, '0', '-1')).toEqual(members)
  expect(await redis.expiretime(day)).toBe(expires)
  expect(await repair(app)).toMatchObject({ verdict: 'right', repaired: { scored: 1 } })
  expect(await redis.zscore(keys.leaderboardSpend, account)).toBeNull()
})

test('where a number of a user is none that Redis can add to, an erasure moves nothing of that hash', async (context) => {
  requireRealRedis(context)
  await using world = await openErased()
  const { app, redis } = world
  const held = await readHeld({ ...app, keys }, 'u2')
  for (const odd of ['007', '-0', '1.5', '']) {
    await redis.hset(keys.userStats(account), 'total_spend_minor', odd)
    const before = await Promise.all([redis.hgetall(keys.userStats('u2')), redis.hgetall(keys.userStats(account))])
    await expect(moveTotals({ ...app, keys }, 'u2', held)).rejects.toThrow('is no integer that can move')
    const after = await Promise.all([redis.hgetall(keys.userStats('u2')), redis.hgetall(keys.userStats(account))])
    expect(after).toEqual(before)
  }
})
