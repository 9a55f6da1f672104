import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { openHealth } from '../../../src/api/health.ts'
import type { Server } from '../../../src/api/open-server.ts'
import { openApi, routes } from '../../../src/api/server.ts'
import type { App } from '../../../src/app.ts'
import { readConfig } from '../../../src/config/config.ts'
import { spawnRedisServer } from '../../support/redis-server.ts'
import { requireRedisServer } from '../../support/requires.ts'
import { until } from '../../support/until.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

const stack = new AsyncDisposableStack()
let redis: Redis
let app: App
let server: Server

beforeAll(async () => {
  const world = stack.use(await emptyRedis())
  redis = world.redis
  app = appOn(redis, readConfig({ REDIS_URL: world.url, API_PORT: '0', METRICS_PORT: '0' }))
  server = stack.use(await openApi(app))
})
afterAll(() => stack.disposeAsync())
beforeEach(() => redis.flushdb())

async function get(
  path: string,
  from = server,
): Promise<{ status: number; type: string | null; body: unknown; text: string }> {
  const response = await fetch(`${from.url}${path}`)
  const text = await response.text()
  const type = response.headers.get('content-type')
  return { status: response.status, type, text, body: type?.includes('json') ? JSON.parse(text) : undefined }
}

test('user stats: zeros for an unknown user, amounts in currency units', async () => {
  expect(await get('/users/stranger/stats')).toMatchObject({
    status: 200,
    body: { user_id: 'stranger', order_count: 0, total_spend: 0 },
  })
  await redis.hset('user:user_7', { order_count: 2, total_spend_minor: 15_075 })
  expect((await get('/users/user_7/stats')).body).toEqual({ user_id: 'user_7', order_count: 2, total_spend: 150.75 })
})

test.each(['a/b', '..', 'a b', '😀', 'مستخدم', 'a\u0000b', '%', '__proto__', 'x'.repeat(256)])(
  'user %j is found by its encoded name',
  async (name) => {
    await redis.hset(`user:${name}`, { order_count: 1, total_spend_minor: 1 })
    // A path segment of dots would be resolved away by the client before it is sent.
    const path = `/users/${encodeURIComponent(name).replace(/^\.\.$/, '%2e%2e')}/stats`
    if (name === '..') return expect((await get(path)).status).toBe(404)
    expect((await get(path)).body).toEqual({ user_id: name, order_count: 1, total_spend: 0.01 })
  },
)

test.each([
  [0, '0'],
  [100, '1'],
  [10, '0.1'],
  [1, '0.01'],
  [999_999_999_999_999, '9999999999999.99'],
  [9_007_199_254_740_991, '90071992547409.91'],
  [9_007_199_254_740_989, '90071992547409.89'],
])('%i minor units go out as %s', async (minor, text) => {
  await redis.hset('global:stats', { total_orders: 1, total_revenue_minor: minor })
  expect((await get('/stats/global')).text).toBe(`{"total_orders":1,"total_revenue":${text}}`)
})

test('global stats of an empty system are zeros', async () => {
  expect(await get('/stats/global')).toMatchObject({ status: 200, body: { total_orders: 0, total_revenue: 0 } })
})

test('top users: best first, by spend or orders, with offset', async () => {
  for (let i = 1; i <= 12; i++) {
    await redis.zadd('leaderboard:spend', i * 150, `u${i}`)
    await redis.zadd('leaderboard:orders', 20 - i, `u${i}`)
  }
  expect((await get('/stats/top-users')).body).toEqual({
    by: 'spend',
    n: 10,
    offset: 0,
    users: Array.from({ length: 10 }, (_, i) => ({ user_id: `u${12 - i}`, score: (12 - i) * 1.5 })),
  })
  expect((await get('/stats/top-users?by=orders&n=2&offset=1')).body).toEqual({
    by: 'orders',
    n: 2,
    offset: 1,
    users: [
      { user_id: 'u2', score: 18 },
      { user_id: 'u3', score: 17 },
    ],
  })
  expect((await get('/stats/top-users?offset=12')).body).toMatchObject({ users: [] })
  expect((await get('/stats/top-users?n=12&after=')).body).toMatchObject({ users: { length: 12 }, next: null })
  await redis.zadd('leaderboard:orders', 100, 'a', 100, 'b')
  expect((await get('/stats/top-users?by=orders&n=2')).body).toMatchObject({
    users: [{ user_id: 'b' }, { user_id: 'a' }],
  })
})

test.each([
  ['/stats/top-users?n=0', 'n'],
  ['/stats/top-users?n=101', 'n'],
  ['/stats/top-users?n=ten', 'n'],
  ['/stats/top-users?n=', 'n'],
  ['/stats/top-users?n=1.5', 'n'],
  ['/stats/top-users?n=1&n=2', 'n'],
  ['/stats/top-users?offset=-1', 'offset'],
  ['/stats/top-users?offset=99999999999999999999', 'offset'],
  ['/stats/top-users?by=fame', 'by'],
  ['/orders/invalid?limit=0', 'limit'],
  ['/orders/invalid?limit=1001', 'limit'],
  ['/orders/invalid?limit=x', 'limit'],
])('%s is a 422 that names %s', async (path, field) => {
  const { status, type, body } = await get(path)
  expect(status).toBe(422)
  expect(type).toMatch('application/problem+json')
  expect(body).toEqual({
    status: 422,
    title: 'Unprocessable Content',
    detail: `Not accepted: ${field}.`,
    errors: [{ field, message: expect.any(String) }],
    request_id: expect.any(String),
  })
})

test('several wrong parameters are all named', async () => {
  const { body } = await get('/stats/top-users?by=fame&n=0&offset=-1')
  expect((body as { errors: { field: string }[] }).errors.map(({ field }) => field)).toEqual(['by', 'n', 'offset'])
})

test('invalid orders: newest first, as many as asked for, 50 by default', async () => {
  for (let i = 0; i < 60; i++) {
    const record = { order: { i }, code: 'bad-value', reason: 'r', ts: '2026-11-23T00:00:00.000Z', attempts: 1 }
    await redis.xadd('orders:invalid', `${i + 1}-0`, 'code', 'bad-value', 'record', JSON.stringify(record))
  }
  const listed = async (query: string): Promise<number[]> =>
    ((await get(`/orders/invalid${query}`)).body as { order: { i: number } }[]).map(({ order }) => order.i)
  expect(await listed('')).toEqual(Array.from({ length: 50 }, (_, i) => 59 - i))
  expect(await listed('?limit=2')).toEqual([59, 58])
  expect(await listed('?limit=2&before=3-0')).toEqual([1, 0])
  await redis.del('orders:invalid')
  expect(await listed('?limit=1000')).toEqual([])
})

test('invalid orders of one user are found among whatever else was sent, or put there by others', async () => {
  const base = { code: 'bad-identity', reason: 'r', ts: '2026-11-23T00:00:00.000Z', attempts: 1 }
  const hostile = [{ toString: 1, valueOf: 1 }, null, [7], 'x'].map((user_id) => ({ order: { user_id }, ...base }))
  const mine = ['7', 7].map((user_id) => ({ order: { user_id }, ...base }))
  for (const record of [...mine, ...hostile, { order: null, raw: 'nonsense', ...base }]) {
    await redis.xadd('orders:invalid', '*', 'code', 'bad-identity', 'record', JSON.stringify(record))
  }
  const { body } = await get('/orders/invalid?user_id=7')
  expect((body as { order: object }[]).map(({ order }) => order)).toEqual([{ user_id: 7 }, { user_id: '7' }])
  await redis.xadd('orders:invalid', '*', 'code', 'bad-identity', 'record', '{}')
  await redis.xadd('orders:invalid', '*', 'some', 'thing')
  expect((await get('/orders/invalid')).body).toHaveLength(9)
  expect((await get('/orders/invalid?user_id=7')).body).toHaveLength(2)
  await redis.del('orders:invalid')
})

test.each([
  ['/nowhere', 404],
  ['/users//stats', 404],
  ['/users/%zz/stats', 400],
  ['/users/%ff/stats', 400],
])('%s is a problem with status %i', async (path, status) => {
  expect(await get(path)).toMatchObject({
    status,
    type: expect.stringMatching('application/problem\\+json'),
    body: { status, title: expect.any(String), detail: expect.any(String) },
  })
})

test('the OpenAPI document is 3.1 and has each route with its parameters and errors', async () => {
  const document = (await get('/openapi.json')).body as {
    openapi: string
    paths: Record<string, Record<string, { parameters?: { name: string; schema: unknown }[]; responses: object }>>
  }
  expect(document.openapi).toBe('3.1.0')
  expect(Object.keys(document.paths)).toEqual([...new Set(routes.map(({ path }) => path))])
  for (const { method, path, body, query } of routes) {
    const responses = Object.keys(document.paths[path]?.[method]?.responses ?? {})
    const errors = body
      ? ['400', '401', '403', '413', '415', '422', '429', '500', '503']
      : ['403', ...(query ? ['422'] : []), '500', '503']
    expect([method, path, responses]).toEqual([method, path, expect.arrayContaining(errors)])
  }
  const top = document.paths['/stats/top-users']?.['get']
  expect(top?.parameters?.map(({ name }) => name)).toEqual(['by', 'n', 'offset', 'after', 'period'])
  expect(top?.parameters?.[1]?.schema).toMatchObject({ type: 'integer', minimum: 1, maximum: 100, default: 10 })
  expect(Object.keys(top?.responses ?? {})).toEqual(['200', '403', '404', '422', '500', '503'])
})

test('the documentation page and all it loads come from here', async () => {
  const page = await get('/docs')
  expect(page.status).toBe(200)
  const links = [...page.text.matchAll(/(?:src|href)="([^":]+)"/g)].map(([, link]) => `/${link}`)
  expect(links).toHaveLength(3)
  for (const link of links) expect([link, (await get(link)).status]).toEqual([link, 200])
  expect((await fetch(`${server.url}/docs`)).headers.get('content-security-policy')).toMatch("default-src 'self'")
})

test('the dashboard preloads every module of its own, and all it links is there', async () => {
  const { text } = await get('/')
  const links = [...text.matchAll(/(?:src|href)="(assets\/[^"]+)"/g)].map(([, link]) => `/${link}`)
  for (const link of links) expect([link, (await get(link)).status]).toEqual([link, 200])
  for (const link of links.filter((name) => name.endsWith('.js'))) {
    const imports = [...(await get(link)).text.matchAll(/ from '(\.[^']+)'/g)].map(([, from = '']) => from)
    expect(links).toEqual(expect.arrayContaining(imports.map((from) => new URL(from, `http://x${link}`).pathname)))
  }
})

test('/livez names a loop that makes no progress', async () => {
  app.pulse.set('validate-1', performance.now())
  expect(await get('/livez')).toMatchObject({
    status: 200,
    body: { status: 'ok', loops: { 'validate-1': expect.any(Number) } },
  })
  app.pulse.set('validate-2', performance.now() - 60_000)
  expect(await get('/livez')).toMatchObject({ status: 503, body: { detail: 'No progress in validate-2.' } })
  app.pulse.clear()
})

test('processes without the API serve the health routes alone', async () => {
  await using health = await openHealth(app)
  expect((await get('/livez', health)).status).toBe(200)
  expect((await get('/readyz', health)).body).toEqual({ status: 'ok', checks: { redis: 'ok' } })
  expect((await get('/stats/global', health)).status).toBe(404)
})

test('/readyz of a bridge says whether it can use SQS; its verdict is that of Redis', async () => {
  await using health = await openHealth(app)
  const ready = async () => (await get('/readyz', health)).body
  app.telemetry.emit('started', { roles: ['bridge'] })
  expect(await ready()).toEqual({ status: 'ok', checks: { redis: 'ok', sqs: 'ok' } })
  app.telemetry.emit('bridgeFailed', { component: 'confirm', error: 'Redis has no replica.' })
  app.telemetry.emit('bridgeFailed', { component: 'receive', error: 'SQS does not answer.' })
  expect(await ready()).toEqual({ status: 'ok', checks: { redis: 'ok', sqs: 'SQS does not answer.' } })
  app.telemetry.emit('bridgeBack', { component: 'receive' })
  expect(await ready()).toEqual({ status: 'ok', checks: { redis: 'ok', sqs: 'ok' } })
})

test('a health port of a process without the API writes nothing of BullMQ into Redis', async () => {
  await get('/jobs/reprocess-00000000-0000-0000-0000-000000000000') // by its reply the API has written what its queues are
  await redis.flushdb()
  {
    await using health = await openHealth(app)
    expect((await get('/metrics', health)).text).toContain('orders_redis_up 1')
  }
  expect(await redis.keys('{jobs}:*')).toEqual([])
})

test('with Redis away every route answers 503 within seconds, and works again when it is back', async (context) => {
  requireRedisServer(context)
  await using own = await spawnRedisServer()
  if (!own) throw new Error('no redis-server')
  await using api = await openApi({ ...app, config: readConfig({ REDIS_URL: own.url, API_PORT: '0' }) })
  await own.stop()
  for (const path of ['/readyz', '/stats/global', '/users/u/stats', '/stats/top-users', '/orders/invalid']) {
    expect([path, await get(path, api)]).toMatchObject([
      path,
      { status: 503, body: { detail: 'Redis does not answer: try again in a moment.' } },
    ])
  }
  const away = (await get('/readyz', api)).body
  expect(away).toMatchObject({ checks: { redis: 'Redis does not answer: try again in a moment.' } })
  await own.start()
  await until(
    'readiness',
    async () => (await get('/readyz', api)).status,
    (status) => status === 200,
  )
})
