import diagnostics from 'node:diagnostics_channel'
import type { ServerResponse } from 'node:http'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { Server } from '../../../src/api/open-server.ts'
import { openApi } from '../../../src/api/server.ts'
import type { App } from '../../../src/app.ts'
import { readConfig } from '../../../src/config/config.ts'
import { type Keys, makeControlKeys, makeKeys } from '../../../src/keys.ts'
import { readTop } from '../../../src/reads/top.ts'
import { codeOf, type RejectGroup, rejectGroups } from '../../../src/reject-codes.ts'
import { type HoldingProxy, openHoldingProxy } from '../../support/holding-proxy.ts'
import { requireRealRedis } from '../../support/requires.ts'
import { until } from '../../support/until.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

const stack = new AsyncDisposableStack()
const keys = makeKeys()
let redis: Redis
let proxy: HoldingProxy
let proxied: string
let app: App
let server: Server

beforeAll(async () => {
  const world = stack.use(await emptyRedis())
  redis = world.redis
  const url = new URL(world.url)
  proxy = stack.use(await openHoldingProxy(Number(url.port || 6379)))
  url.port = `${proxy.port}`
  proxied = url.href
  app = appOn(redis, readConfig({ REDIS_URL: proxied, API_PORT: '0' }))
  server = stack.use(await openApi(app))
})
afterAll(() => stack.disposeAsync())
beforeEach(() => redis.flushdb())
afterEach(() => proxy.release())

interface Kept {
  readonly at: number
  readonly id: string
  readonly group: RejectGroup
  readonly user: string
  readonly partition: Keys
}

/** Entries of the invalid channel, oldest first. */
function entries(count: number, of: (at: number) => Pick<Kept, 'group' | 'user' | 'partition'>): Kept[] {
  return Array.from({ length: count }, (_, at) => ({ at, id: `${1_764_000_000_000 + at}-0`, ...of(at) }))
}

async function put(all: readonly Kept[]): Promise<void> {
  const adding = redis.pipeline()
  for (const { at, id, group, user, partition } of all) {
    const rejection = { code: codeOf(group), reason: rejectGroups[group], ts: '2026-11-23T00:00:00.000Z', attempts: 1 }
    const record = JSON.stringify({ order: { user_id: user, at }, ...rejection })
    adding.xadd(partition.invalid, id, 'code', rejection.code, 'record', record)
    adding.zadd(
      partition.invalidGroup(group),
      0,
      id.replace(/\d+$/, (sequence) => sequence.padStart(10, '0')),
    )
  }
  await adding.exec()
}

interface Page {
  readonly found: readonly number[]
  /** The URL that the Link header names. */
  readonly next: string | undefined
}

async function pageAt(url: string): Promise<Page> {
  const response = await fetch(url)
  expect(response.status).toBe(200)
  const found = ((await response.json()) as { order: { at: number } }[]).map(({ order }) => order.at)
  const link = response.headers.get('link')
  const target = link === null ? undefined : /^<([^>]*)>; rel="next"$/.exec(link)?.[1]
  expect(target === undefined).toBe(link === null)
  return { found, next: target === undefined ? undefined : new URL(target, url).href }
}

/** Follows the links from a first page to the last. */
async function everyPage(url: string): Promise<Page[]> {
  const pages = [await pageAt(url)]
  for (let last = pages[0]; last?.next !== undefined; ) {
    last = await pageAt(last.next)
    pages.push(last)
  }
  return pages
}

test('a list by user looks at 2,000 entries at most, says where it stopped, and is whole over all its pages', async (context) => {
  requireRealRedis(context) // the emulator takes minutes for thousands of entries
  const mine = new Set([1, 11, 2_499])
  const all = entries(2_500, (at) => ({
    group: at % 10 === 0 ? 'malformed-json' : 'bad-items',
    user: mine.has(at) ? 'me & you' : 'another',
    partition: keys,
  }))
  await put(all)
  const url = `${server.url}/orders/invalid?user_id=me%20%26%20you`
  const before = proxy.sent('xrevrange')
  const first = await pageAt(url)
  expect(first.found).toEqual([2_499])
  expect(first.next).toMatch(`before=${all[500]?.id}`)
  expect((proxy.sent('xrevrange') - before) * 25).toBeLessThanOrEqual(2_025)
  for (const query of ['', '&code=bad-items']) {
    expect([query, ...(await everyPage(url + query)).map(({ found }) => found)]).toEqual([query, [2_499], [11, 1]])
  }
})

test('a page of large orders ends at 8 MB, and the next one goes on from there', async () => {
  const all = entries(12, () => ({ group: 'bad-items', user: 'x'.repeat(1_000_000), partition: keys }))
  await put(all)
  const pages = await everyPage(`${server.url}/orders/invalid?limit=1000`)
  expect(pages.map(({ found }) => found)).toEqual([
    [11, 10, 9, 8, 7, 6, 5, 4],
    [3, 2, 1, 0],
  ])
})

test('pages of several partitions leave nothing out and show nothing twice, whatever is filtered and replayed meanwhile', async () => {
  const partitions = [0, 1, 2, 3, 4].map((number) => makeKeys(number, 5))
  await using api = await openApi({ ...app, partitions, control: makeControlKeys(partitions) })
  const groups = ['bad-value:number', 'bad-value:range', 'conflict', 'malformed-json'] as const
  // Some partitions have long runs, one has nothing.
  const all = entries(300, (at) => ({
    group: groups[(at * 7) % groups.length] ?? 'conflict',
    user: `user_${at % 5}`,
    partition: partitions[[0, 0, 0, 1, at % 3, 2, 3][Math.floor(at / 15) % 7] ?? 0] as Keys,
  }))
  await put(all)
  // Replayed or discarded between the read of the index and that of the entry: the id is there, the entry is not.
  const gone = new Set([0, 5, 6, 7, 150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 299])
  for (const { id, partition } of all.filter(({ at }) => gone.has(at))) await redis.xdel(partition.invalid, id)
  const left = all.filter(({ at }) => !gone.has(at)).reverse()
  const of = (fits: (kept: Kept) => boolean): number[] => left.filter(fits).map(({ at }) => at)
  const range = encodeURIComponent(rejectGroups['bad-value:range'])
  const expected: [query: string, numbers: number[]][] = [
    ['', of(() => true)],
    ['code=bad-value', of(({ group }) => codeOf(group) === 'bad-value')],
    ['user_id=user_3', of(({ user }) => user === 'user_3')],
    ['code=bad-value&user_id=user_3', of(({ group, user }) => codeOf(group) === 'bad-value' && user === 'user_3')],
    [`code=bad-value&reason=${range}`, of(({ group }) => group === 'bad-value:range')],
    [`reason=${range}`, of(({ group }) => group === 'bad-value:range')],
    [`code=conflict&reason=${range}`, []],
  ]
  for (const [query, numbers] of expected) {
    for (const limit of [7, 1_000]) {
      const pages = await everyPage(`${api.url}/orders/invalid?${query}&limit=${limit}`)
      expect([query, limit, pages.flatMap(({ found }) => found)]).toEqual([query, limit, numbers])
    }
  }
})

test('the dashboard finds the next older order of a reason behind however many of the same code', async (context) => {
  const module = new URL('../../../src/api/public/failed/entry.js', import.meta.url).href
  const { olderEntry } = (await import(module)) as {
    olderEntry(group: { code: string; reason: string }, id: string): Promise<string | undefined>
  }
  const toServer = globalThis.fetch
  context.onTestFinished(() => void vi.unstubAllGlobals())
  vi.stubGlobal('sessionStorage', { getItem: () => null })
  vi.stubGlobal('fetch', (path: string, init: RequestInit) => toServer(new URL(path, `${server.url}/`), init))
  const all = entries(62, (at) => ({
    group: at === 0 || at === 61 ? 'bad-value:range' : 'bad-value:number',
    user: 'a',
    partition: keys,
  }))
  await put(all)
  const group = { code: 'bad-value', reason: rejectGroups['bad-value:range'] }
  expect(await olderEntry(group, all[61]?.id ?? '')).toBe(all[0]?.id)
  expect(await olderEntry(group, all[0]?.id ?? '')).toBeUndefined()
})

test.each(['0-0', '1-0', '0000000000000001-1'])('nothing is older than %s, by code or not', async (before) => {
  await put(entries(3, () => ({ group: 'conflict', user: 'a', partition: keys })))
  for (const query of ['', '&code=conflict', '&user_id=a', '&code=conflict&user_id=a']) {
    const reply = await fetch(`${server.url}/orders/invalid?before=${before}${query}`)
    expect([query, reply.status, await reply.json()]).toEqual([query, 200, []])
  }
})

test('everything is older than an id of the far future, by code or not', async () => {
  await put(entries(3, () => ({ group: 'conflict', user: 'a', partition: keys })))
  for (const query of ['', '&code=conflict']) {
    const { found } = await pageAt(`${server.url}/orders/invalid?before=1000000000000000-9999999999999999${query}`)
    expect([query, found]).toEqual([query, [2, 1, 0]])
  }
})

/** Responses that this process has begun, in the order of their requests. */
function followResponses(): { readonly begun: readonly ServerResponse[] } & Disposable {
  const begun: ServerResponse[] = []
  const add = (message: unknown): void => void begun.push((message as { response: ServerResponse }).response)
  diagnostics.subscribe('http.server.request.start', add)
  return { begun, [Symbol.dispose]: () => diagnostics.unsubscribe('http.server.request.start', add) }
}

test.each([
  ['/orders/invalid?user_id=stranger', '/orders/invalid', 'xrevrange'],
  ['/orders/invalid?user_id=stranger&code=bad-items', '/orders/invalid', 'zrevrangebylex'],
  ['/orders/a/b/trace', '/orders/{user_id}/{order_id}/trace', 'xrange'],
])('once the client has left, %s reads no further', async (path, route, command) => {
  await put(entries(300, () => ({ group: 'bad-items', user: 'another', partition: keys })))
  using responses = followResponses()
  const { promise: ended, resolve } = Promise.withResolvers<number>()
  app.telemetry.on('request', (request) => {
    if (request.route === route) resolve(request.status)
  })
  const failures: string[] = []
  app.telemetry.on('requestFailed', ({ error }) => failures.push(error))
  const before = proxy.sent(command)
  proxy.hold(command)
  const leave = new AbortController()
  const reply = fetch(`${server.url}${path}`, { signal: leave.signal }).catch(() => 'left')
  await until('the first read', () => proxy.held() > 0)
  leave.abort()
  expect(await reply).toBe('left')
  await until('the server to see that it left', () => responses.begun.every(({ closed }) => closed))
  proxy.release()
  const status = await ended
  expect({ status, reads: proxy.sent(command) - before, failures }).toEqual({ status: 499, reads: 1, failures: [] })
})

test('while lists are read, /readyz answers; too many are refused with a time to come again', async () => {
  await put(entries(300, () => ({ group: 'bad-items', user: 'another', partition: keys })))
  proxy.hold('xrevrange')
  const replies: Response[] = []
  const asked = Array.from({ length: 60 }, async () => {
    replies.push(await fetch(`${server.url}/orders/invalid?user_id=stranger`))
  })
  await until('the refusals', () => replies.length >= 50)
  await until('the first read', () => proxy.held() > 0)
  expect(proxy.held()).toBe(1)
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
  const refused = replies.slice(0, 50).map(({ status, headers }) => [status, headers.get('retry-after')])
  expect(refused).toEqual(refused.map(() => [503, '1']))
  proxy.release()
  await Promise.all(asked)
})

test('lists that look at no more than they show wait for one another: sixty at once are all answered', async () => {
  await put(entries(100, () => ({ group: 'bad-items', user: 'another', partition: keys })))
  const asked = Array.from({ length: 60 }, () => pageAt(`${server.url}/orders/invalid`))
  expect((await Promise.all(asked)).map(({ found }) => found.length)).toEqual(asked.map(() => 50))
})

test('a page far down the boards of several partitions is looked for no longer than its client is there', async () => {
  const partitions = [makeKeys(0, 2), makeKeys(1, 2)]
  const members = Array.from({ length: 3_000 }, (_, at) => [at, `u${at}`]).flat()
  for (const { leaderboardSpend } of partitions) await redis.zadd(leaderboardSpend, ...members)
  const signal = AbortSignal.abort()
  const reading = readTop(redis, partitions, 'spend', { limit: 1, offset: 5_000, signal })
  await expect(reading).rejects.toBe(signal.reason)
})

test('a reader that leaves before its turn makes room for another', async () => {
  await put(entries(10, () => ({ group: 'bad-items', user: 'me', partition: keys })))
  using responses = followResponses()
  const list = (signal?: AbortSignal): Promise<number> =>
    fetch(`${server.url}/orders/invalid?user_id=me`, { ...(signal && { signal }) }).then(
      ({ status }) => status,
      () => 0,
    )
  proxy.hold('xrevrange')
  const leaves = Array.from({ length: 10 }, () => new AbortController())
  const asked = leaves.map(({ signal }) => list(signal))
  await until('ten requests', () => responses.begun.length === 10)
  const refused = await fetch(`${server.url}/orders/a/b/trace`)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
  for (const leave of leaves) leave.abort()
  await until('the server to see that they left', () => responses.begun.every(({ closed }) => closed))
  const later = list()
  await until('the later request', () => responses.begun.length === 12)
  proxy.release()
  expect(await later).toBe(200)
  await Promise.all(asked)
})

test.each(['/integrity', '/orders/invalid/summary'])(
  'however many ask for %s at once, it is read once more at most',
  async (path) => {
    const command = path === '/integrity' ? 'hgetall' : 'zcard'
    await fetch(`${server.url}${path}`)
    const once = proxy.sent(command)
    await fetch(`${server.url}${path}`)
    const each = proxy.sent(command) - once
    using responses = followResponses()
    proxy.hold(command)
    const before = proxy.sent(command)
    const asked = Array.from({ length: 20 }, () => fetch(`${server.url}${path}`))
    await until('all to ask', () => responses.begun.length === 20)
    proxy.release()
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(asked.map(() => 200))
    expect([each > 0, proxy.sent(command) - before]).toEqual([true, 2 * each])
  },
)
