import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApi } from '../../../../src/api/server.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { withCalendar } from '../../../support/stages.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const now = Date.parse('2026-11-30T23:30:00Z') // December 1 in Berlin
const stack = new AsyncDisposableStack()
let url: string
let offUrl: string
/** By the clock of this machine, which is that of Redis. */
let presentUrl: string
let redis: Redis | undefined

beforeAll(async () => {
  const world = stack.use(await emptyRedis())
  const { url: redisUrl } = world
  redis = world.redis
  const open = async (env: Record<string, string>, clock = () => new Date(now)): Promise<string> => {
    const config = readConfig({ REDIS_URL: redisUrl, API_PORT: '0', REPORT_TIMEZONE: 'Europe/Berlin', ...env })
    return stack.use(await openApi(appOn(world.redis, config, { now: clock, pipeline: withCalendar }))).url
  }
  url = await open({})
  offUrl = await open({ CALENDAR: 'off' })
  presentUrl = await open({}, () => new Date())
  await world.redis.hset('global:stats', { total_orders: 9, total_revenue_minor: 900 })
  await world.redis.hset('user:u', { order_count: 8, total_spend_minor: 800 })
  await world.redis.hset('day:2026-11-28', { orders: 3, revenue: 15_075, undated: 1 })
  await world.redis.hset('day:2026-11-30', { orders: -1, revenue: -550, cancelled: 300, refunded: 250 })
  await world.redis.hset('day:2026-12-01', { orders: 2, revenue: 2_000, misdated: 2 })
  await world.redis.hset('monthly:2026-11:u', {
    orders: 3,
    spend: 600,
    '28:orders': 2,
    '28:spend': 500,
    '30:orders': 1,
    '30:spend': 100,
  })
  await world.redis.hset('monthly:2026-12:u', { orders: 1, spend: 50, '01:orders': 1, '01:spend': 50 })
  await world.redis.zadd('leaderboard:2026-W49:spend', 150, 'u', 900, 'a,b')
  await world.redis.zadd('leaderboard:2026-W49:orders', 2, 'u')
  await world.redis.zadd('leaderboard:2026-12:spend', 50, 'u')
})
afterAll(() => stack.disposeAsync())

async function get(path: string, headers: Record<string, string> = {}, at = url) {
  const response = await fetch(`${at}${path}`, { headers })
  const text = await response.text()
  return { status: response.status, type: response.headers.get('content-type'), text, body: asJson(text) }
}
function asJson(text: string) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const none = { orders: 0, revenue: 0, cancelled: 0, refunded: 0, undated: 0, misdated: 0 }

test('GET /stats/daily fills the gaps with zeros, and says which days it means', async () => {
  const { status, body } = await get('/stats/daily?from=2026-11-28&to=today')
  expect([status, body]).toEqual([
    200,
    {
      ...{ timezone: 'Europe/Berlin', from: '2026-11-28', to: '2026-12-01', closed: false },
      days: [
        { day: '2026-11-28', ...none, orders: 3, revenue: 150.75, undated: 1 },
        { day: '2026-11-29', ...none },
        { day: '2026-11-30', ...none, orders: -1, revenue: -5.5, cancelled: 3, refunded: 2.5 },
        { day: '2026-12-01', ...none, orders: 2, revenue: 20, misdated: 2 },
      ],
    },
  ])
})

test('without days it has 30, up to today by the time zone', async () => {
  const { body } = await get('/stats/daily')
  expect([body.from, body.to, body.days.length]).toEqual(['2026-11-02', '2026-12-01', 30])
  expect((await get('/stats/daily?to=2026-11-10')).body).toMatchObject({ from: '2026-10-12', to: '2026-11-10' })
  expect((await get('/stats/daily?from=2026-11-30')).body).toMatchObject({ from: '2026-11-30', to: '2026-12-01' })
})

test('days are closed once no late order counts on them, and none waits for the calendar', async () => {
  const dayMs = 86_400_000
  const dayBefore = (days: number): string => new Date(Date.now() - days * dayMs).toISOString().slice(0, 10)
  const closedOf = async (days: number) => {
    const day = dayBefore(days)
    const replies = [`/stats/daily?from=${day}&to=${day}`, `/stats/top-users?period=${day}`]
    return Promise.all(replies.map(async (path) => (await get(path, {}, presentUrl)).body.closed))
  }
  const [closed, open] = [
    [true, true],
    [false, false],
  ]
  const waiting = ['n', '1', 'c', '1', 'r', '[{"user_id":"u","order_id":"o","minor":1}]']
  const id = (await redis?.xadd('orders:valid', `${Date.now() - 3 * dayMs}-0`, ...waiting)) ?? ''
  expect([await closedOf(33), await closedOf(30)]).toEqual([open, open])
  await redis?.zadd('pipeline:committed:calendar', Number.parseInt(id, 10), id)
  expect([await closedOf(33), await closedOf(30)]).toEqual([closed, open])
})

test('GET /stats/daily is CSV where a client asks for it', async () => {
  const { type, text } = await get('/stats/daily?from=2026-11-30&to=2026-12-01', { accept: 'text/csv' })
  expect(type).toBe('text/csv; charset=utf-8')
  expect(text).toBe(
    'day,orders,revenue,cancelled,refunded,undated,misdated\r\n' +
      '2026-11-30,-1,-5.5,3,2.5,0,0\r\n' +
      '2026-12-01,2,20,0,0,0,2\r\n',
  )
  for (const accept of ['*/*', 'application/json', 'text/html', 'text/csv;q=0.1, application/json'])
    expect((await get('/stats/daily', { accept })).type).toBe('application/json; charset=utf-8')
})

test('totals and users by days; without days the replies are as they were, byte for byte', async () => {
  expect((await get('/stats/global')).text).toBe('{"total_orders":9,"total_revenue":9}')
  expect((await get('/users/u/stats')).text).toBe('{"user_id":"u","order_count":8,"total_spend":8}')
  const range = { timezone: 'Europe/Berlin', from: '2026-11-29', to: '2026-12-01', closed: false }
  const days = 'from=2026-11-29&to=2026-12-01'
  expect((await get(`/stats/global?${days}`)).body).toEqual({ total_orders: 1, total_revenue: 14.5, ...range })
  expect((await get(`/users/u/stats?${days}`)).body).toEqual({
    user_id: 'u',
    order_count: 2,
    total_spend: 1.5,
    ...range,
  })
  expect((await get(`/users/v/stats?${days}`)).body).toEqual({ user_id: 'v', order_count: 0, total_spend: 0, ...range })
})

test('a period has leaderboards and ranks of its own', async () => {
  const range = { timezone: 'Europe/Berlin', from: '2026-11-30', to: '2026-12-06', closed: false }
  for (const period of ['2026-W49', 'this-week']) {
    expect((await get(`/stats/top-users?period=${period}`)).body).toEqual({
      ...{ by: 'spend', n: 10, offset: 0, period: '2026-W49', ...range },
      users: [
        { user_id: 'a,b', score: 9 },
        { user_id: 'u', score: 1.5 },
      ],
    })
  }
  expect((await get('/users/u/rank?period=this-week&around=0')).body).toEqual({
    ...{ user_id: 'u', period: '2026-W49', ...range },
    spend: { rank: 2, score: 1.5, users: 2, neighbors: [{ rank: 2, user_id: 'u', score: 1.5 }] },
    orders: { rank: 1, score: 2, users: 1, neighbors: [{ rank: 1, user_id: 'u', score: 2 }] },
  })
  const month = (await get('/stats/top-users?period=this-month')).body
  expect([month.period, month.from, month.to, month.users]).toEqual([
    ...['2026-12', '2026-12-01', '2026-12-31'],
    [{ user_id: 'u', score: 0.5 }],
  ])
  expect((await get('/stats/top-users?period=today')).body).toMatchObject({ period: '2026-12-01', users: [] })
  const { text } = await get('/stats/top-users?period=2026-W49&n=1&offset=0', { accept: 'text/csv' })
  expect(text).toBe('rank,user_id,score\r\n1,"a,b",9\r\n')
})

test('a cursor is of its period only', async () => {
  const { next } = (await get('/stats/top-users?period=2026-W49&n=1&after=')).body
  const after = (period: string) => get(`/stats/top-users?n=1&after=${next}${period}`)
  expect((await after('&period=2026-W49')).body.users).toEqual([{ user_id: 'u', score: 1.5 }])
  for (const other of ['', '&period=2026-12']) {
    expect((await after(other)).body.errors).toEqual([
      { field: 'after', message: 'must be the `next` of a reply about the same period' },
    ])
  }
})

describe('422', () => {
  test.each([
    ['/stats/daily?from=2024-10-31', 'from', 'must be 2024-11-01 or later: earlier days are not kept'],
    ['/stats/daily?to=2024-10-31', 'to', 'must be 2024-11-01 or later: earlier days are not kept'],
    ['/stats/daily?from=2026-02-30', 'from', 'must be a day such as 2026-11-25, today or yesterday'],
    ['/stats/global?to=tomorrow', 'to', 'must be a day such as 2026-11-25, today or yesterday'],
    ['/stats/daily?from=2026-11-30&to=2026-11-29', 'to', 'must not be before 2026-11-30, the first day'],
    ['/stats/daily?from=2026-12-02', 'from', 'must not be after 2026-12-01, the last day'],
    ['/stats/global?period=this-week', 'period', 'is for leaderboards: give from and to'],
    ['/users/u/stats?from=2026-01-01&to=2029-12-31', 'to', 'must be at most 1100 days after from'],
    ['/stats/top-users?period=2026-10-26', 'period', 'must be 2026-10-27 or later: earlier days are not kept'],
    ['/stats/top-users?period=2026-W34', 'period', 'must be 2026-W35 or later: earlier weeks are not kept'],
    ['/stats/top-users?period=2024-10', 'period', 'must be 2024-11 or later: earlier months are not kept'],
    ['/stats/top-users?period=9998-12', 'period', 'must have begun: today is 2026-12-01 in Europe/Berlin'],
    ['/stats/top-users?period=2026-12-03', 'period', 'must have begun: today is 2026-12-01 in Europe/Berlin'],
    [
      '/users/u/rank?period=2025-W53',
      'period',
      'must be a period such as 2026-11-25, 2026-W48, 2026-11, today, yesterday, this-week, last-week, this-month or last-month',
    ],
  ])('%s: %s %s', async (path, field, message) => {
    const { status, body } = await get(path)
    expect([status, body.errors]).toEqual([422, [{ field, message }]])
  })
})

test('the live view says what can be asked for, in which zone, and which day is today', async () => {
  expect((await get('/live/snapshot')).body.calendar).toEqual({
    timezone: 'Europe/Berlin',
    today: '2026-12-01',
    periods: [
      { kind: 'day', oldest: '2026-10-27' },
      { kind: 'week', oldest: '2026-W35' },
      { kind: 'month', oldest: '2024-11' },
    ],
  })
  expect((await get('/live/snapshot', {}, offUrl)).body.calendar).toBeUndefined()
})

test('replies about days before the calendar began say when that was; others are as they were', async () => {
  const client = redis as Redis
  const since = '2026-11-29T20:00:00.000Z'
  const sinceOf = async (path: string) => (await get(path)).body.since
  const begun = (before: number) =>
    client.hset('pipeline:calendar', { since: Date.parse(since), 'before:orders': before, 'before:revenue': 0 })
  const asked = ['/stats/daily?from=2026-11-29', '/stats/global?from=2026-11-28', '/users/u/stats?from=2026-11-01']
  const periods = ['/stats/top-users?period=2026-11', '/users/u/rank?period=2026-11']
  await begun(0) // nothing came before
  expect(await Promise.all([...asked, ...periods].map(sinceOf))).toEqual(Array(5).fill(undefined))
  await begun(2)
  expect(await Promise.all([...asked, ...periods].map(sinceOf))).toEqual(Array(5).fill(since))
  const later = ['/stats/daily?from=2026-11-30', '/stats/global?from=today', '/stats/top-users?period=2026-W49']
  expect(await Promise.all(later.map(sinceOf))).toEqual(Array(3).fill(undefined))
  expect((await get('/stats/global')).text).toBe('{"total_orders":9,"total_revenue":9}')
  expect((await get('/users/u/stats')).text).toBe('{"user_id":"u","order_count":8,"total_spend":8}')
  await client.del('pipeline:calendar')
})

test('without a calendar there are no days', async () => {
  for (const path of [
    '/stats/daily',
    '/stats/global?from=today',
    '/users/u/stats?to=today',
    '/users/u/rank?period=today',
  ]) {
    const { status, body } = await get(path, {}, offUrl)
    expect([status, body.detail]).toEqual([404, 'This system keeps no calendar: CALENDAR is off.'])
  }
  expect((await get('/stats/global', {}, offUrl)).text).toBe('{"total_orders":9,"total_revenue":9}')
})
