import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Server } from '../../../src/api/open-server.ts'
import { openApi } from '../../../src/api/server.ts'
import { readConfig } from '../../../src/config/config.ts'
import { makeKeys } from '../../../src/keys.ts'
import { readRank } from '../../../src/reads/rank.ts'
import { type Cursor, cursorText, readCursor, readTop } from '../../../src/reads/top.ts'
import { spawnOrders } from '../../support/process.ts'
import { spawnRedisServer } from '../../support/redis-server.ts'
import { requireRedisServer } from '../../support/requires.ts'
import { runOrders } from '../../support/run-orders.ts'
import { until } from '../../support/until.ts'
import { appOn, emptyRedis, envOf } from '../../support/world.ts'

const stack = new AsyncDisposableStack()
const keys = makeKeys()
let url: string
let redis: Redis
let server: Server

beforeAll(async () => {
  const world = stack.use(await emptyRedis())
  redis = world.redis
  url = world.url
  server = stack.use(await openApi(appOn(redis, readConfig({ REDIS_URL: url, API_PORT: '0' }))))
})
afterAll(() => stack.disposeAsync())
beforeEach(() => redis.flushdb())

async function get(path: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${server.url}${path}`)
  return { status: response.status, body: await response.json() }
}

type Scores = Map<string, number>
type Ranked = { userId: string; score: number }

/** As the boards are sorted: best first, equals by the bytes of their id, the last first. */
function sorted(scores: Scores): Ranked[] {
  const bytes = (text: string): Buffer => Buffer.from(text)
  return [...scores]
    .map(([userId, score]) => ({ userId, score }))
    .sort((a, b) => b.score - a.score || Buffer.compare(bytes(b.userId), bytes(a.userId)))
}

const isBehind = (user: Ranked, place: Ranked): boolean =>
  sorted(new Map([user, place].map(({ userId, score }) => [userId, score])))[0]?.userId === place.userId &&
  user.userId !== place.userId

async function put(scores: Scores): Promise<void> {
  await redis.del(keys.leaderboardOrders)
  if (scores.size > 0) await redis.zadd(keys.leaderboardOrders, ...[...scores].flatMap(([id, score]) => [score, id]))
}

/** Ids that sort otherwise by characters than by bytes, or that something might take for more than a name. */
const hostile = ['a/b', '%', '🙂', '\uffee', 'B', 'a', 'é', 'z', 'a\u0000b', '..', '__proto__', 'a b', '"', '[x]']
const name = fc.oneof(fc.constantFrom(...hostile), fc.integer({ min: 0, max: 30 }).map(String))
const board = fc.array(fc.tuple(name, fc.integer({ min: 1, max: 3 })), { maxLength: 40 }).map((all) => new Map(all))

test('ranks and neighbors are those of a sorted list, ties included', async () => {
  await fc.assert(
    fc.asyncProperty(board, name, fc.integer({ min: 0, max: 5 }), async (scores, userId, around) => {
      await put(scores)
      const model = sorted(scores).map((user, at) => ({ ...user, rank: at + 1 }))
      const at = model.findIndex((user) => user.userId === userId)
      const neighbors = at === -1 ? [] : model.slice(Math.max(0, at - around), at + around + 1)
      expect(await readRank(redis, [keys], userId, around)).toEqual({
        spend: { users: 0, neighbors: [] },
        orders: { users: model.length, neighbors },
      })
    }),
    { numRuns: 150 },
  )
})

test('paged to its end, a board that does not change is shown as it is sorted, in pages of any size', async () => {
  await fc.assert(
    fc.asyncProperty(board, fc.integer({ min: 1, max: 7 }), async (scores, limit) => {
      await put(scores)
      const model = sorted(scores)
      const shown: Ranked[] = []
      let after: Cursor | null = null
      do {
        const page = await readTop(redis, [keys], 'orders', { limit, ...(after ? { after } : { offset: 0 }) })
        expect(page.offset).toBe(shown.length)
        expect(page.users).toEqual((await readTop(redis, [keys], 'orders', { limit, offset: shown.length })).users)
        shown.push(...page.users)
        after = page.next && (readCursor(cursorText(page.next)) ?? null)
      } while (after)
      expect(shown).toEqual(model)
    }),
    { numRuns: 60 },
  )
})

const move = fc.record({ userId: name, by: fc.integer({ min: 1, max: 2 }) })
const pages = fc.array(fc.record({ limit: fc.integer({ min: 1, max: 6 }), moves: fc.array(move, { maxLength: 8 }) }), {
  minLength: 1,
  maxLength: 12,
})

test('while scores rise between pages no user is shown twice, and none left out but those that rose past the cursor', async () => {
  await fc.assert(
    fc.asyncProperty(board, pages, async (scores, steps) => {
      await put(scores)
      const shown = new Set<string>()
      const passed = new Set<string>()
      let after: Cursor | undefined
      for (const { limit, moves } of steps) {
        const page = await readTop(redis, [keys], 'orders', { limit, ...(after ? { after } : { offset: 0 }) })
        const place = after
        const expected = sorted(scores).filter((user) => place === undefined || isBehind(user, place))
        expect(page.users).toEqual(expected.slice(0, limit))
        expect(page.offset).toBe(scores.size - expected.length)
        expect(page.next === null).toBe(expected.length <= limit)
        for (const { userId } of page.users) {
          expect(shown).not.toContain(userId)
          shown.add(userId)
        }
        if (page.next === null) {
          expect(new Set([...shown, ...passed])).toEqual(new Set(scores.keys()))
          break
        }
        after = page.next
        for (const { userId, by } of moves) {
          const score = (scores.get(userId) ?? 0) + by
          scores.set(userId, score)
          await redis.zincrby(keys.leaderboardOrders, by, userId)
          if (!isBehind({ userId, score }, after) && !shown.has(userId)) passed.add(userId)
        }
      }
    }),
    { numRuns: 150 },
  )
})

test('a page behind a user who has risen costs some 20 reads where 200,000 users have the same score', async (context) => {
  requireRedisServer(context)
  await using own = await spawnRedisServer()
  if (!own) throw new Error('no redis-server')
  const client = new Redis(own.url)
  try {
    for (let from = 0; from < 200_000; from += 10_000) {
      const members = Array.from({ length: 10_000 }, (_, at) => [1, `u${String(from + at).padStart(6, '0')}`])
      await client.zadd(keys.leaderboardOrders, ...members.flat())
    }
    await client.zincrby(keys.leaderboardOrders, 1, 'u123456')
    await client.config('RESETSTAT')
    const after: Cursor = { board: 'orders', score: 1, userId: 'u123456' }
    const page = await readTop(client, [keys], 'orders', { limit: 2, after })
    expect(page.users.map(({ userId }) => userId)).toEqual(['u123455', 'u123454'])
    expect(page.offset).toBe(200_000 - 123_456)
    const [, calls] = /cmdstat_zrevrange:calls=(\d+)/.exec(await client.info('commandstats')) ?? []
    expect(Number(calls)).toBeLessThanOrEqual(20)
  } finally {
    client.disconnect()
  }
})

test.each(hostile.filter((id) => id !== '..'))('%j is ranked by the API under its encoded name', async (userId) => {
  await redis.zadd(keys.leaderboardSpend, 15_075, userId, 20_000, 'first', 100, 'last')
  await redis.zadd(keys.leaderboardOrders, 2, userId)
  const neighbors = [
    { rank: 1, user_id: 'first', score: 200 },
    { rank: 2, user_id: userId, score: 150.75 },
    { rank: 3, user_id: 'last', score: 1 },
  ]
  expect((await get(`/users/${encodeURIComponent(userId)}/rank?around=1`)).body).toEqual({
    user_id: userId,
    spend: { rank: 2, score: 150.75, users: 3, neighbors },
    orders: { rank: 1, score: 2, users: 1, neighbors: [{ rank: 1, user_id: userId, score: 2 }] },
  })
  const { body } = await get('/stats/top-users?n=1&after=')
  const { next } = body as { next: string }
  expect((await get(`/stats/top-users?n=1&after=${next}`)).body).toMatchObject({
    offset: 1,
    users: [neighbors[1]].map((user) => ({ user_id: user?.user_id, score: user?.score })),
  })
})

test('a user who is not ranked has nulls; a name that is no text is refused as everywhere', async () => {
  const nowhere = { rank: null, score: null, users: 0, neighbors: [] }
  expect(await get('/users/stranger/rank')).toEqual({
    status: 200,
    body: { user_id: 'stranger', spend: nowhere, orders: nowhere },
  })
  expect((await get('/users/%ED%A0%80/rank')).status).toBe(400) // half a surrogate pair
})

test.each([
  ['/users/u/rank?around=51', 'around'],
  ['/users/u/rank?around=-1', 'around'],
  ['/stats/top-users?after=x', 'after'],
  [`/stats/top-users?after=${cursorText({ board: 'orders', score: 1, userId: 'u' })}`, 'after'],
  [`/stats/top-users?offset=0&after=${cursorText({ board: 'spend', score: 1, userId: 'u' })}`, 'after'],
  ['/stats/top-users?after=W10&after=W10', 'after'],
])('%s is a 422 that names %s', async (path, field) => {
  expect(await get(path)).toMatchObject({
    status: 422,
    body: { detail: `Not accepted: ${field}.`, errors: [{ field, message: expect.any(String) }] },
  })
})

test('orders top shows both boards, in a terminal that no name can control, and as the API replies', async () => {
  await redis.zadd(keys.leaderboardSpend, 123_456_789, 'a\u001b[2Jb', 5, 'x\n1. y', 7, '🙂')
  await redis.zadd(keys.leaderboardOrders, 1_000, 'a', 1, 'b')
  const top = async (...args: string[]): Promise<string> => {
    await using command = runOrders(['top', ...args], envOf(url))
    expect([await command.exit(), command.stderr()]).toEqual([{ code: 0, signal: null }, ''])
    return command.stdout()
  }
  expect(await top()).toBe(
    [
      'user                   spend',
      '1. a\\u{1b}[2Jb  1,234,567.89',
      '2. 🙂                   0.07',
      '3. x\\u{a}1. y           0.05',
      '',
    ].join('\n'),
  )
  expect(await top('--by', 'orders', '--n', '1')).toBe('user  orders\n1. a   1,000\n')
  expect(JSON.parse(await top('--by', 'orders', '--n', '1', '--json'))).toEqual(
    (await get('/stats/top-users?by=orders&n=1')).body,
  )
  await redis.zadd(
    keys.leaderboardOrders,
    ...Array.from({ length: 10 }, (_, at) => [99 - at, `${at}`.repeat(256)]).flat(),
  )
  const lines = (await top('--by', 'orders')).split('\n')
  expect(lines[2]).toBe(` 2. ${'0'.repeat(31)}…      99`)
  expect(lines[10]).toBe(`10. ${'8'.repeat(31)}…      91`)
  await redis.flushdb()
  expect(await top()).toBe('No user is ranked yet.\n')
  await using refused = runOrders(['top', '--by', 'fame'], envOf(url))
  expect((await refused.exit()).code).toBe(2)
  expect(refused.stderr()).toBe('orders top: --by is "fame", expected spend or orders: see orders top --help.\n')
})

test('orders top --watch shows it again and again until it is stopped', async () => {
  await redis.zadd(keys.leaderboardSpend, 1, 'a')
  await using command = spawnOrders(['top', '--watch', '--json'], envOf(url))
  await until('a look', () => command.stdout().includes('"a"'))
  await redis.zadd(keys.leaderboardSpend, 2, 'b')
  await until('another', () => command.stdout().includes('"b"'))
  expect(await command.kill('SIGINT')).toEqual({ code: 130, signal: null })
})
