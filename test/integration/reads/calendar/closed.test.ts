import { expect, test } from 'vitest'
import { addDays } from '../../../../src/calendar/dates.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { type Keys, makePartitions } from '../../../../src/keys.ts'
import { isClosed } from '../../../../src/reads/calendar/closed.ts'
import { withCalendar as pipeline } from '../../../support/stages.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const partitions = makePartitions(2)
const entry = ['n', '1', 'c', '1', 'r', '[{"user_id":"u","order_id":"o","minor":1}]']

async function openDays() {
  const world = await emptyRedis()
  const app = appOn(world.redis, readConfig({ REPORT_TIMEZONE: 'Europe/Berlin' }), { pipeline, partitions })
  const { calendar } = app.format
  const today = calendar.dayAt(Date.now())
  // The last day that closed at least a day ago, and one that is open today.
  const [closed, open] = [addDays(today, -33), addDays(today, -31)]
  const write = async (keys: Keys, ms: number): Promise<string> =>
    (await world.redis.xadd(keys.stream('valid'), `${ms}-*`, ...entry)) ?? ''
  const commit = (keys: Keys, id: string) => world.redis.zadd(keys.committed('calendar'), Number.parseInt(id, 10), id)
  return { ...world, app, closed, open, closesAt: calendar.closesAt(closed), write, commit }
}

test('a day is closed by the clock of Redis where nothing waits for the calendar', async () => {
  await using world = await openDays()
  const { app, closed, open } = world
  expect([await isClosed(app, closed), await isClosed(app, open)]).toEqual([true, false])
})

test.each([0, 1])(
  'an entry from before a day closed keeps it open until the calendar has committed it: partition %d',
  async (at) => {
    await using world = await openDays()
    const { app, closed, closesAt, write, commit } = world
    const keys = partitions[at] as Keys
    const ids = [await write(keys, closesAt - 2), await write(keys, closesAt - 1)]
    await write(keys, closesAt)
    for (const id of ids) {
      expect(await isClosed(app, closed)).toBe(false)
      await commit(keys, id)
    }
    expect(await isClosed(app, closed)).toBe(true)
    expect(await isClosed(app, addDays(closed, 1))).toBe(false)
  },
)

test('a day is not called closed where too many entries from before are left to be looked at', async () => {
  await using world = await openDays()
  const { app, redis, closed, closesAt, write, commit } = world
  const [keys] = partitions as [Keys]
  for (let at = 0; at < 1_000; at++) await commit(keys, await write(keys, closesAt - 10_000 + at))
  expect(await isClosed(app, closed)).toBe(false)
  await redis.xtrim(keys.stream('valid'), 'MAXLEN', 999)
  expect(await isClosed(app, closed)).toBe(true)
})
