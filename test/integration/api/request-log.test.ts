import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { openApi } from '../../../src/api/server.ts'
import { readConfig } from '../../../src/config/config.ts'
import { board } from '../../../src/ops/jobs/board.ts'
import { spawnRedisServer } from '../../support/redis-server.ts'
import { requireRedisServer } from '../../support/requires.ts'
import { adminToken, appOn } from '../../support/world.ts'

interface Sent {
  readonly method?: string
  readonly id?: string
  readonly token?: string
  readonly body?: string
}

test('a request has one id in its reply, its problem and its log lines, which name route, status and duration', async (context) => {
  requireRedisServer(context)
  await using redisServer = await spawnRedisServer()
  if (!redisServer) throw new Error('no redis-server')
  const redis = new Redis(redisServer.url)
  redis.on('error', () => {})
  context.onTestFinished(() => redis.disconnect())
  const env = {
    REDIS_URL: redisServer.url,
    API_PORT: '0',
    ADMIN_TOKEN: adminToken,
    API_PUBLIC: 'true',
  }
  const app = appOn(redis, readConfig(env))
  const logged: [event: string, fields: Record<string, unknown>][] = []
  const wanted = ['request', 'requestFailed', 'denied', 'audited']
  app.telemetry.listen((event, fields) => {
    if (wanted.includes(event)) logged.push([event, fields as Record<string, unknown>])
  })
  await using server = await openApi(app, [board])

  /** Asks, and expects the id of the request in the reply and in each log line. */
  async function ask(path: string, { method = 'GET', id, token, body }: Sent = {}) {
    logged.length = 0
    const headers = {
      ...(id !== undefined && { 'x-request-id': id }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    }
    const reply = await fetch(server.url + path, { method, headers, ...(body !== undefined && { body }) })
    const requestId = reply.headers.get('x-request-id') ?? ''
    const problem = reply.headers.get('content-type')?.startsWith('application/problem+json')
    if (problem) expect(await reply.json()).toMatchObject({ status: reply.status, request_id: requestId })
    expect(logged.map(([, fields]) => fields['requestId'])).toEqual(logged.map(() => requestId))
    const lines = logged.map(([event, { requestId: _, ...fields }]) => ({ event, ...fields }))
    return { requestId, status: reply.status, lines }
  }

  const route = '/users/{user_id}/stats'
  const durationMs = expect.any(Number)
  const good = { event: 'request', method: 'GET', route, status: 200, durationMs, error: undefined }
  expect(await ask('/users/ada/stats', { id: 'trace-1/span:2' })).toEqual({
    requestId: 'trace-1/span:2',
    status: 200,
    lines: [good],
  })
  for (const id of ['', 'two words', '<script>', 'x'.repeat(129)])
    expect((await ask('/users/ada/stats', { id })).requestId).toMatch(/^[\da-f]{8}-[\da-f-]{27}$/)

  const missing = await ask('/no/such/user_7')
  expect(missing.lines).toEqual([{ ...good, route: '-', status: 404 }])
  const method = 'POST'
  const wrongMethod = await ask('/users/ada/stats', { method })
  expect(wrongMethod.lines).toEqual([{ ...good, method, route: '-', status: 405 }])

  const address = '127.0.0.1'
  const denied = { event: 'denied', durationMs, status: 401, address }
  expect((await ask('/admin/pause/validate', { method })).lines).toEqual([
    { ...denied, method, route: '/admin/pause/{component}' },
  ])
  expect((await ask('/admin/queues/')).lines).toEqual([{ ...denied, method: 'GET', route: '/admin/queues' }])

  const paused = await ask('/admin/pause/validate', { method, token: adminToken, body: '{}' })
  expect(paused.lines.map(({ event }) => event)).toEqual(['audited', 'request'])

  await redis.set('global:stats', 'of another type')
  const bug = await ask('/stats/global')
  const failed = { method: 'GET', route: '/stats/global', status: 500, durationMs, error: expect.any(String) }
  expect(bug.lines).toMatchObject([
    { event: 'requestFailed', ...failed },
    { event: 'request', ...failed },
  ])

  await redisServer.stop('SIGKILL') // Redis is away: expected, so no error line for each request and probe
  const error = expect.stringMatching(/^Redis does not answer/)
  for (const path of ['/stats/global', '/readyz']) {
    expect((await ask(path)).lines).toEqual([{ ...good, route: path, status: 503, error }])
  }
})
