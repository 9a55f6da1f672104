import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addDays } from '../../../../src/calendar/dates.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { type Keys, makePartitions } from '../../../../src/keys.ts'
import { isClosed } from '../../../../src/reads/calendar/closed.ts'
import { withCalendar as pipeline } from '../../../support/stages.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const partitions = makePartitions(2)
const [keys] = partitions as [Keys]
const stream = keys.stream('valid')
const committed = keys.committed('calendar')
const record = '[{"user_id":"u","order_id":"o","minor":1}]'
/** For so long a closed day is not asked for again. */
const knownMs = 60_000

async function openDays() {
  const world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis, readConfig({ REPORT_TIMEZONE: 'Europe/Berlin' }), { pipeline, partitions })
  const { calendar } = app.format
  const today = calendar.dayAt(Date.now())
  // The last day that closed at least a day ago, and one that is open today.
  const [closed, open] = [addDays(today, -33), addDays(today, -31)]
  const write = async (to: Keys, ms: number, r = record): Promise<string> =>
    (await redis.xadd(to.stream('valid'), `${ms}-*`, 'n', '1', 'c', '1', 'r', r)) ?? ''
  const commit = (from: Keys, id: string) => redis.zadd(from.committed('calendar'), Number.parseInt(id, 10), id)
  const deliver = (count: number) => redis.xreadgroup('GROUP', 'calendar', 'c', 'COUNT', count, 'STREAMS', stream, '>')
  let asks = 0
  /** Asks Redis each time, as time passes. */
  const isNowClosed = (day = closed): Promise<boolean> => isClosed(app, day, asks++ * knownMs)
  return { ...world, app, closed, open, closesAt: calendar.closesAt(closed), write, commit, deliver, isNowClosed }
}

test('a day is closed by the clock of Redis where nothing waits for the calendar', async () => {
  await using world = await openDays()
  const { isNowClosed, closed, open } = world
  expect([await isNowClosed(closed), await isNowClosed(open)]).toEqual([true, false])
})

test.each([0, 1])(
  'an entry from before a day closed keeps it open until the calendar has committed it: partition %d',
  async (at) => {
    await using world = await openDays()
    const { isNowClosed, closed, closesAt, write, commit } = world
    const from = partitions[at] as Keys
    const ids = [await write(from, closesAt - 2), await write(from, closesAt - 1)]
    await write(from, closesAt)
    for (const id of ids) {
      expect(await isNowClosed()).toBe(false)
      await commit(from, id)
    }
    expect(await isNowClosed()).toBe(true)
    expect(await isNowClosed(addDays(closed, 1))).toBe(false)
  },
)

/** Entries that the calendar has committed and another stage holds, with 100 more of them while the calendar works. */
async function holdEntries(world: Awaited<ReturnType<typeof openDays>>, count: number, bytes: number): Promise<void> {
  const { redis, closesAt, write, commit, deliver } = world
  await redis.xgroup('CREATE', stream, 'calendar', '0', 'MKSTREAM')
  for (let at = 0; at < count; at++) await commit(keys, await write(keys, closesAt - 1_000_000 + at, 'x'.repeat(bytes)))
  for (let at = 0; at < 100; at++) await write(keys, closesAt + at, 'x'.repeat(bytes))
  await deliver(count)
  await redis.xack(stream, 'calendar', ...(await redis.zrange(committed, '0', '-1')))
  await deliver(97)
}

test.each([
  ['many', 1_200, 100],
  ['large', 50, 200_000],
] as const)('a day closes whatever another stage holds: %s entries', async (_, count, bytes) => {
  await using world = await openDays()
  await holdEntries(world, count, bytes)
  const { redis, isNowClosed, closesAt } = world
  expect(await isNowClosed()).toBe(true)
  await redis.zrem(committed, `${closesAt - 1_000_000 + 7}-0`)
  expect(await isNowClosed()).toBe(false)
})

test('where entries were deleted inside the stream, up to 1 MB of those from before are looked at', async () => {
  await using world = await openDays()
  await holdEntries(world, 50, 200_000)
  const { redis, isNowClosed, closesAt } = world
  await redis.xdel(stream, `${closesAt - 1_000_000 + 47}-0`)
  expect(await isNowClosed()).toBe(false)
  await redis.xtrim(stream, 'MAXLEN', 103)
  expect(await isNowClosed()).toBe(true)
})

test('a closed day is not asked for again for a minute, nor are those before it', async () => {
  await using world = await openDays()
  const { app, closed, closesAt, write } = world
  expect(await isClosed(app, closed, 0)).toBe(true)
  await write(keys, closesAt - 1_000_000_000) // as in a Redis that was restored
  expect(await isClosed(app, closed, knownMs - 1)).toBe(true)
  expect(await isClosed(app, addDays(closed, -1), knownMs - 1)).toBe(true)
  expect(await isClosed(app, closed, knownMs)).toBe(false)
})

/** Names what the stage does, twice as often as what other clients may do to its stream and its group. */
const step = fc.record({
  what: fc.constantFrom(
    ...(['write', 'write', 'write', 'deliver', 'deliver', 'commit', 'commit', 'commit', 'commit', 'commit'] as const),
    ...(['acknowledge', 'delete', 'trim', 'set', 'destroy'] as const),
  ),
  at: fc.nat(7),
})

test('a day is never closed before the calendar has committed all from before, whatever others do', async () => {
  await using world = await openDays()
  const { redis, isNowClosed, closesAt, write, commit, deliver } = world
  const idsTo = async (end: string): Promise<string[]> => (await redis.xrange(stream, '-', end)).map(([id]) => id)
  const pendingAt = async (at: number): Promise<string> => {
    const pending = (await redis.xpending(stream, 'calendar', '-', '+', 8)) as [string][]
    return pending[at % pending.length]?.[0] ?? '0-1'
  }
  const acknowledge = async (id: string): Promise<unknown> => redis.xack(stream, 'calendar', id)
  const begin = async (): Promise<void> => {
    await redis.del(stream, committed)
    await redis.xgroup('CREATE', stream, 'calendar', '0', 'MKSTREAM')
    for (let at = 0; at < 4; at++) await commit(keys, await write(keys, closesAt - 2))
    await deliver(4)
    for (const id of await redis.zrange(committed, '0', '-1')) await acknowledge(id)
  }
  const take = async ({ what, at }: { what: string; at: number }): Promise<unknown> => {
    const ids = await idsTo('+')
    const id = ids[at % ids.length] ?? '0-1'
    const lastMs = Number.parseInt(ids.at(-1) ?? `${closesAt - 2}`, 10)
    if (what === 'write') return write(keys, at < 6 ? lastMs : lastMs + 1)
    if (what === 'deliver') return deliver(at + 1)
    if (what === 'delete') return redis.xdel(stream, id)
    if (what === 'trim') return redis.xtrim(stream, 'MINID', id)
    if (what === 'set') return redis.xgroup('SETID', stream, 'calendar', id)
    if (what === 'destroy') return redis.xgroup('DESTROY', stream, 'calendar')
    const pending = await pendingAt(at)
    if (what === 'commit' && ids.includes(pending)) await commit(keys, pending)
    return acknowledge(pending)
  }
  const answers = { open: 0, closed: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      await begin()
      for (const one of steps) {
        await take(one).catch(() => undefined) // as without a group
        const before = await idsTo(`${closesAt - 1}`)
        const scores = await Promise.all(before.map((id) => redis.zscore(committed, id)))
        const isClosed = await isNowClosed()
        if (isClosed) expect(scores).not.toContain(null)
        if (before.length > 0) answers[isClosed ? 'closed' : 'open']++
      }
    }),
    { numRuns: 200 },
  )
  expect(answers.closed, JSON.stringify(answers)).toBeGreaterThan(50)
  expect(answers.open, JSON.stringify(answers)).toBeGreaterThan(50)
})
