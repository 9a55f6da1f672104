import { afterAll, beforeAll, expect, test } from 'vitest'
import { openHealth } from '../../../../src/api/health.ts'
import { rightOf } from '../../../../src/api/http/route.ts'
import type { Server } from '../../../../src/api/open-server.ts'
import { openApi, routes } from '../../../../src/api/server.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const stack = new AsyncDisposableStack()
let api: Server
let health: Server
beforeAll(async () => {
  const { redis, url } = stack.use(await emptyRedis())
  const app = appOn(redis, readConfig({ REDIS_URL: url, API_PORT: '0', METRICS_PORT: '0', API_BASE_PATH: '/base' }))
  api = stack.use(await openApi(app))
  health = stack.use(await openHealth(app))
})
afterAll(() => stack.disposeAsync())

const all = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']
const reading = 'GET, HEAD, OPTIONS'
const others = ['/', '/live', '/metrics', '/docs', '/docs/init.js', '/redoc', '/openapi.json', '/runbook']
/** Maps each path to the methods that the route table has for it. */
const allowed = new Map<string, string>([
  ...others.map((path): [string, string] => [path, reading]),
  ...[...Map.groupBy(routes, ({ path }) => path.replaceAll(/\{\w+\}/g, '1-1'))].map(
    ([path, those]): [string, string] => {
      const methods = those.map(({ method }) => method.toUpperCase())
      return [path, [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ')]
    },
  ),
])

async function ask(server: Server, path: string, method: string) {
  const response = await fetch(server.url + path, { method, redirect: 'manual' })
  return { status: response.status, allow: response.headers.get('allow'), text: await response.text() }
}

test.each([...allowed])('%s has %s: any other method is 405 with Allow', async (path, methods) => {
  for (const method of all.filter((method) => !methods.includes(method))) {
    const { status, allow, text } = await ask(api, path, method)
    expect({ method, status, allow }).toEqual({ method, status: 405, allow: methods })
    expect(JSON.parse(text)).toMatchObject({
      status: 405,
      title: 'Method Not Allowed',
      detail: expect.stringContaining(methods),
    })
  }
  expect(await ask(api, path, 'OPTIONS')).toEqual({ status: 204, allow: methods, text: '' })
  expect(await ask(api, `/base${path}`, 'OPTIONS')).toEqual({ status: 204, allow: methods, text: '' })
})

test('every route that is not a GET says that it writes, and needs the right admin', () => {
  for (const route of routes) {
    const { method, path, writes } = route
    expect([path, writes]).toEqual([path, method === 'get' ? undefined : true])
    if (writes) expect([path, rightOf(route)]).toEqual([path, 'admin'])
  }
})

test('HEAD is GET without the body, and a path that is not there is 404 for each method', async () => {
  expect(await ask(api, '/stats/global', 'HEAD')).toEqual({ status: 200, allow: null, text: '' })
  expect(await ask(api, '/openapi.json', 'HEAD')).toEqual({ status: 200, allow: null, text: '' })
  expect(await ask(api, '/redoc', 'HEAD')).toMatchObject({ status: 302 })
  for (const method of all) expect((await ask(api, '/no/such', method)).status).toBe(404)
})

test('a process without the API has it in the same way', async () => {
  for (const path of ['/livez', '/readyz', '/metrics'])
    expect(await ask(health, path, 'POST')).toMatchObject({ status: 405, allow: reading })
})

test.each(['/redoc', '/redoc/', '/base/redoc', '/base/redoc/'])('%s leads to /docs', async (path) => {
  const response = await fetch(api.url + path)
  expect([response.status, response.url]).toEqual([200, `${api.url}${path.replace(/\/redoc.*/, '')}/docs`])
})
