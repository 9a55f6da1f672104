import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { openSnapshots, snapshot } from '../../../src/api/live/snapshot.ts'
import type { Server } from '../../../src/api/open-server.ts'
import { openApi } from '../../../src/api/server.ts'
import type { App } from '../../../src/app.ts'
import { readConfig } from '../../../src/config/config.ts'
import { makeKeys } from '../../../src/keys.ts'
import { cursorText, readCursor } from '../../../src/reads/top.ts'
import { requireRealRedis } from '../../support/requires.ts'
import { runOrders } from '../../support/run-orders.ts'
import { appOn, emptyRedis, envOf } from '../../support/world.ts'

const stack = new AsyncDisposableStack()
const keys = makeKeys()
let redis: Awaited<ReturnType<typeof emptyRedis>>['redis']
let app: App
let server: Server
let url: string

beforeAll(async () => {
  const world = stack.use(await emptyRedis())
  redis = world.redis
  url = world.url
  app = appOn(redis, readConfig({ REDIS_URL: world.url, API_PORT: '0', AWS_ENDPOINT_URL: 'http://127.0.0.1:9' }))
  server = stack.use(await openApi(app))
})
afterAll(() => stack.disposeAsync())
beforeEach(() => redis.flushdb())

const get = async (path: string): Promise<unknown> => (await fetch(`${server.url}${path}`)).json()

/** Lists scores that a client writes by hand, and how each is shown. */
const written = [
  ['12.75', 12],
  ['0.5', 0],
  ['-0.5', -1],
  ['1e300', Number.MAX_SAFE_INTEGER],
  ['inf', Number.MAX_SAFE_INTEGER],
  ['-inf', -Number.MAX_SAFE_INTEGER],
] as const

test.each(written)('a score of %s is shown as %d by every reader of boards', async (score, shown) => {
  for (const board of [keys.leaderboardOrders, keys.leaderboardSpend]) await redis.zadd(board, score, 'odd', 7, 'even')
  const user = { user_id: 'odd', score: shown }
  expect(await get('/stats/top-users?by=orders')).toMatchObject({ users: expect.arrayContaining([user]) })
  expect(await get('/users/odd/rank')).toMatchObject({
    orders: { score: shown, neighbors: expect.arrayContaining([{ ...user, rank: shown > 7 ? 1 : 2 }]) },
  })
  const spend = expect.closeTo(shown / 100)
  expect(await get('/stats/top-users')).toMatchObject({
    users: expect.arrayContaining([{ user_id: 'odd', score: spend }]),
  })
  expect(await get('/users/odd/rank')).toMatchObject({ spend: { score: spend } })
  expect(await openSnapshots(app)()).toMatchObject({
    top: { orders: expect.arrayContaining([{ user_id: 'odd', orders: shown }]) },
  })
})

test('pages by cursor leave no user out and show none twice, whatever the scores', async () => {
  const scores = ['inf', '9.75', '9.5', '9.5', '9', '-inf']
  for (const [at, score] of scores.entries()) await redis.zadd(keys.leaderboardOrders, score, `user_${at}`)
  const seen: string[] = []
  for (let next: string | null = ''; next !== null; ) {
    const path: string = `/stats/top-users?by=orders&n=1&after=${next}`
    const page = (await get(path)) as { users: { user_id: string }[]; next: string | null }
    seen.push(...page.users.map(({ user_id }) => user_id))
    next = page.next
  }
  expect(seen).toEqual(['user_0', 'user_1', 'user_3', 'user_2', 'user_4', 'user_5'])
})

test.each([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1.5])('a cursor at %d is read as it was', (score) => {
  const cursor = { board: 'spend', score, userId: 'a' } as const
  expect(readCursor(cursorText(cursor))).toEqual(cursor)
})

test('totals of users and of all that are no integers are shown rounded down', async () => {
  await redis.hset(keys.userStats('odd'), { order_count: '1.5', total_spend_minor: 'nan' })
  await redis.hset(keys.globalStats, { total_orders: '2.5', total_revenue_minor: '1050.75' })
  expect(await get('/users/odd/stats')).toEqual({ user_id: 'odd', order_count: 1, total_spend: 0 })
  expect(await get('/stats/global')).toEqual({ total_orders: 2, total_revenue: 10.5 })
})

test('the integrity check says which board is off', async (context) => {
  requireRealRedis(context)
  await redis.hset(keys.globalStats, { total_orders: '0', total_revenue_minor: '0' })
  expect(await get('/integrity')).toMatchObject({ balanced: true, differences: [] })
  await redis.zadd(keys.leaderboardSpend, '12.75', 'odd')
  const why = 'is not an integer: another client wrote it; orders verify --repair rebuilds the board.'
  expect(await get('/integrity')).toMatchObject({
    balanced: false,
    differences: [`The score 12.75 of odd on leaderboard:spend ${why}`],
  })
  await redis.hset(keys.globalStats, 'total_orders', '1.5')
  expect(await get('/integrity')).toMatchObject({ balanced: false, total_orders: 1 })
})

test('totals below 0, and a user without an order, are shown by every reader of totals', async () => {
  await redis.hset(keys.userStats('early'), { order_count: -1, total_spend_minor: -175 })
  await redis.hset(keys.userStats('gone'), { order_count: 0, total_spend_minor: 0 })
  await redis.hset(keys.userStats('left'), { order_count: 1, total_spend_minor: -25 })
  await redis.hset(keys.globalStats, { total_orders: 0, total_revenue_minor: -200 })
  await redis.zadd(keys.leaderboardOrders, 1, 'left')
  await redis.zadd(keys.leaderboardSpend, -25, 'left')
  const none = { rank: null, score: null, users: 1, neighbors: [] }
  for (const [user_id, order_count, total_spend] of [
    ['early', -1, -1.75],
    ['gone', 0, 0],
  ] as const) {
    expect(await get(`/users/${user_id}/stats`)).toEqual({ user_id, order_count, total_spend })
    expect(await get(`/users/${user_id}/rank`)).toEqual({ user_id, spend: none, orders: none })
    await using command = runOrders(['user', user_id, '--json'], envOf(url))
    expect(await command.exit()).toEqual({ code: 0, signal: null })
    const ranks = { spend: { rank: null, users: 1 }, orders: { rank: null, users: 1 } }
    expect(JSON.parse(command.stdout())).toMatchObject({ user_id, order_count, total_spend, ranks })
  }
  await using command = runOrders(['user', 'early'], envOf(url))
  await command.exit()
  expect(command.stdout()).toMatch(/orders +-1\nspend +-1\.75\nby spend +not ranked\n/)
  expect(await get('/users/left/rank')).toMatchObject({ spend: { rank: 1, score: -0.25 }, orders: { score: 1 } })
  expect(await get('/stats/top-users')).toMatchObject({ users: [{ user_id: 'left', score: -0.25 }] })
  expect(await get('/stats/global')).toEqual({ total_orders: 0, total_revenue: -2 })
  const live = snapshot.parse(await openSnapshots(app)())
  expect(live.totals).toMatchObject({ counted: 0, revenue_minor: -200 })
  expect(live.top.spend).toEqual([{ user_id: 'left', spend_minor: -25 }])
})
