import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { Right } from '../../../../src/api/http/access.ts'
import { rightOf } from '../../../../src/api/http/route.ts'
import type { Server } from '../../../../src/api/open-server.ts'
import { openApi, routes } from '../../../../src/api/server.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { beginAction } from '../../../../src/control/audit-log.ts'
import { pauseComponent } from '../../../../src/control/pauses.ts'
import { board } from '../../../../src/ops/jobs/board.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { adminToken, appOn, type Env, emptyRedis } from '../../../support/world.ts'

/*
 * Attacks on every door of the API: each route of the route table, and what is served next to them. A route that is added is
 * attacked, too.
 */

interface Door {
  readonly method: string
  readonly path: string
  readonly right: Right
}

/** Lists the secrets: no reply may hold one without the right to it. */
const secrets = { address: 'secret-address-7', operator: 'secret-operator-7' }

const params: Readonly<Record<string, string>> = { user_id: 'u7', order_id: 'o7', component: 'validate', id: '' }
const ofRoutes = (id: string): Door[] =>
  routes.map((route) => {
    const path = route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => (name === 'id' ? id : (params[name] ?? name)))
    return { method: route.method.toUpperCase(), path, right: rightOf(route) }
  })

const pages = ['/', '/assets/app.js', '/docs', '/docs/init.js', '/openapi.json', '/metrics', '/live', '/no/such/page']
const unrouted: readonly Door[] = [
  ...pages.map((path): Door => ({ method: 'GET', path, right: 'numbers' })),
  { method: 'GET', path: '/admin/queues/', right: 'admin' },
  { method: 'GET', path: '/admin/queues/api/queues', right: 'admin' },
  { method: 'PUT', path: '/admin/queues/api/queues/replay/pause', right: 'admin' },
  { method: 'POST', path: '/admin/queues/api/queues/replay/add', right: 'admin' },
]

interface Attacked extends Server {
  readonly doors: readonly Door[]
  /** Everything that Redis holds. */
  state(): Promise<string>
}

/** An API with an order in the invalid channel, a pause, and an entry in the audit, all with secrets in them. */
async function open(env: Env, trustsThisMachine = false): Promise<Attacked> {
  const world = await emptyRedis()
  const config = readConfig({ REDIS_URL: world.url, API_PORT: '0', ...env })
  const app = appOn(world.redis, config, { trustsThisMachine })
  const order = { user_id: 'u7', order_id: 'o7', order_value: -1, shipping_address: secrets.address }
  const record = { order, code: 'bad-value', reason: 'order_value must be between 0 and 1000000000', attempts: 1 }
  const { keys, redis } = app
  const id = await redis.xadd(keys.invalid, '*', 'code', 'bad-value', 'record', recordJson(record))
  await redis.zadd(keys.invalidGroup('bad-value:range'), 0, `${String(id).padStart(20, '0')}`)
  await pauseComponent(app, 'validate', { by: secrets.operator, reason: secrets.operator })
  await beginAction(app, { action: 'replay', by: secrets.operator, what: '{}' })
  const server = await openApi(app, [board])
  const close = async (): Promise<void> => {
    await server[Symbol.asyncDispose]()
    await world[Symbol.asyncDispose]()
  }
  const doors = [...ofRoutes(String(id)), ...unrouted]
  return { url: server.url, doors, state: () => stateOf(world.redis), [Symbol.asyncDispose]: close }
}

const recordJson = (record: object): string => JSON.stringify({ ...record, ts: '2026-11-23T10:00:00.000Z' })

async function stateOf(redis: Redis): Promise<string> {
  const keys = (await redis.keys('*')).filter((key) => !/:(barrier|meta)$/.test(key)).sort()
  const dumps = await Promise.all(
    keys.map(async (key) => `${key} ${(await redis.dumpBuffer(key))?.toString('base64')}`),
  )
  return dumps.join('\n')
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly cache: string | undefined
}

const json = { 'content-type': 'application/json' }
const bearer = { authorization: `Bearer ${adminToken}` }

/** By node:http, because fetch lets one set neither Host nor Origin. Of a stream it takes what comes first. */
function ask(url: string, { method, path }: Door, headers: Record<string, string> = {}): Promise<Answer> {
  const body = method === 'GET' ? '' : '{}'
  const length = { 'content-length': String(body.length) }
  return new Promise((resolve, reject) => {
    const request = httpRequest(url + path, { method, headers: { ...json, ...length, ...headers } }, (response) => {
      let text = ''
      const done = (): void =>
        resolve({ status: response.statusCode ?? 0, text, cache: response.headers['cache-control'] })
      response.on('data', (chunk) => {
        text += chunk
        if (!text.includes('event: snapshot')) return
        request.destroy()
        done()
      })
      response.on('end', done)
    })
    request.on('error', reject)
    request.end(body)
  })
}

async function statusesOf(
  { url, doors }: Attacked,
  headers: Record<string, string>,
  which: (door: Door) => boolean = () => true,
): Promise<string[]> {
  const asked = doors.filter(which).map(async (door) => {
    const { status } = await ask(url, door, headers)
    return `${door.method} ${door.path} ${status}`
  })
  return Promise.all(asked)
}

const all = (doors: readonly Door[], status: number, which: (door: Door) => boolean = () => true): string[] =>
  doors.filter(which).map(({ method, path }) => `${method} ${path} ${status}`)

const isGuarded = ({ right }: Door): boolean => right !== 'numbers'
const isAdmin = ({ right }: Door): boolean => right === 'admin'
const isWrite = ({ method }: Door): boolean => method !== 'GET'

test('every route that takes a body wants the right to write', () => {
  for (const route of routes)
    expect([route.path, route.body !== undefined && rightOf(route) !== 'admin']).toEqual([route.path, false])
})

test.for([
  ['orders start', {}, true],
  ['orders run api without a token', {}, false],
  ['orders run api with a token', { ADMIN_TOKEN: adminToken }, false],
] as const)('a name that is not ours opens no door: %s', async ([, env, trusts], context) => {
  requireRealRedis(context)
  await using api = await open(env, trusts)
  const before = await api.state()
  for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'evil.example:8000']) {
    expect(await statusesOf(api, { ...bearer, host })).toEqual(all(api.doors, 403))
  }
  expect(await api.state()).toBe(before)
})

test('without a token orders run api lets no client write or see the admin part', async (context) => {
  requireRealRedis(context)
  await using api = await open({})
  const before = await api.state()
  for (const headers of [{}, bearer, { authorization: 'Basic YTpi' }, { 'x-forwarded-for': '127.0.0.1' }])
    expect(await statusesOf(api, headers, isAdmin)).toEqual(all(api.doors, 401, isAdmin))
  expect(await api.state()).toBe(before)
  const refused = await ask(api.url, { method: 'POST', path: '/orders/replay', right: 'admin' })
  expect(JSON.parse(refused.text).detail).toBe(
    'No ADMIN_TOKEN is set, so this is disabled: set one of 16 characters or more, and restart the API.',
  )
})

test('what comes through a proxy is not this machine', async (context) => {
  requireRealRedis(context)
  await using api = await open({}, true)
  const before = await api.state()
  for (const name of [
    'x-forwarded-for',
    'x-forwarded-host',
    'x-forwarded-proto',
    'forwarded',
    'via',
    'x-real-ip',
    'x-client-ip',
  ])
    expect(await statusesOf(api, { [name]: '127.0.0.1' }, isGuarded)).toEqual(all(api.doors, 403, isGuarded))
  expect(await api.state()).toBe(before)
})

test('another site cannot write through a browser, whatever the browser knows of us', async (context) => {
  requireRealRedis(context)
  for (const [env, trusts] of [
    [{}, true],
    [{ ADMIN_TOKEN: adminToken }, false],
  ] as const) {
    await using api = await open(env, trusts)
    const before = await api.state()
    for (const origin of ['https://evil.example', 'null', 'http://localhost:1'])
      expect(await statusesOf(api, { ...bearer, origin }, isWrite)).toEqual(all(api.doors, 403, isWrite))
    const isRoute = ({ path }: Door): boolean => !path.startsWith('/admin/queues')
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      const forms = (door: Door): boolean => isWrite(door) && isRoute(door)
      expect(await statusesOf(api, { ...bearer, 'content-type': type }, forms)).toEqual(all(api.doors, 415, forms))
    }
    expect(await api.state()).toBe(before)
  }
})

test('a wrong token opens no door', async (context) => {
  requireRealRedis(context)
  await using api = await open({ ADMIN_TOKEN: adminToken, API_HOST: '0.0.0.0' })
  const before = await api.state()
  const few = api.doors.filter(isGuarded).slice(0, 5)
  for (const authorization of [`Bearer ${adminToken}x`, `Bearer ${adminToken.slice(1)}`])
    expect(await statusesOf({ ...api, doors: few }, { authorization })).toEqual(all(few, 401))
  expect(await api.state()).toBe(before)
})

/** Returns the paths whose replies show a secret. */
async function showing({ url, doors }: Attacked, headers: Record<string, string>): Promise<string[]> {
  const read = doors.filter(({ method, path }) => method === 'GET' && path !== '/no/such/page')
  const asked = read.map(async (door) => {
    const { text } = await ask(url, door, headers)
    return Object.values(secrets).some((secret) => text.includes(secret)) ? [door.path] : []
  })
  return (await Promise.all(asked)).flat()
}

test('whole orders and names of operators are shown to who has the token, where others reach the API', async (context) => {
  requireRealRedis(context)
  await using api = await open({ ADMIN_TOKEN: adminToken, API_HOST: '0.0.0.0' })
  expect(await showing(api, {})).toEqual([])
  const isReadable = (door: Door): boolean => door.method === 'GET' && isGuarded(door)
  expect(await statusesOf(api, {}, isReadable)).toEqual(all(api.doors, 401, isReadable))
  const shown = await showing(api, bearer)
  expect(shown).toEqual(
    expect.arrayContaining(['/orders/invalid', '/orders/invalid/summary', '/admin/pauses', '/admin/audit']),
  )
  await using open0 = await open({ API_HOST: '0.0.0.0' })
  expect(await showing(open0, {})).toEqual([])
})

test('API_PUBLIC shows whole orders to all, and lets no client write', async () => {
  await using api = await open({ API_HOST: '0.0.0.0', API_PUBLIC: 'true' })
  const shown = await showing(api, {})
  expect(shown).toEqual(expect.arrayContaining(['/orders/invalid', '/admin/pauses', '/live', '/live/snapshot']))
  expect(shown).not.toContain('/admin/audit')
  expect(await statusesOf(api, {}, isAdmin)).toEqual(all(api.doors, 401, isAdmin))
})

test('no cache keeps what shows orders or names', async () => {
  await using api = await open({ ADMIN_TOKEN: adminToken })
  const kept = api.doors
    .filter(isGuarded)
    .filter(({ method }) => method === 'GET')
    .map(async (door) => {
      const { cache } = await ask(api.url, door, bearer)
      return [door.path, cache]
    })
  for (const [path, cache] of await Promise.all(kept)) expect([path, cache]).toEqual([path, 'no-store'])
})

test('names that are allowed, addresses, and clients without a name reach the API', async () => {
  await using api = await open({ API_ALLOWED_HOSTS: 'orders.example.com, .internal' })
  const stats: Door = { method: 'GET', path: '/stats/global', right: 'numbers' }
  for (const host of [
    'orders.example.com',
    'Orders.Example.com:8000',
    'a.b.internal',
    '10.0.0.7:8000',
    '[fd00::7]:8000',
    'localhost',
  ])
    expect([host, (await ask(api.url, stats, { host })).status]).toEqual([host, 200])
  for (const host of ['example.com', 'evil-orders.example.com', 'x.orders.example.com', 'internal', 'evilinternal'])
    expect([host, (await ask(api.url, stats, { host })).status]).toEqual([host, 403])
  const { hostname, port } = new URL(api.url)
  const nameless = connect(Number(port), hostname)
  nameless.write('GET /readyz HTTP/1.0\r\n\r\n')
  expect(String((await once(nameless, 'data'))[0])).toMatch(/^HTTP\/1.1 200/)
  nameless.destroy()
})
