import { expect, test } from 'vitest'
import { makeKeys } from '../../../../src/keys.ts'
import { adoptBooks } from '../../../../src/ops/adopt/books.ts'
import { acceptDays } from '../../../../src/ops/calendar/accept.ts'
import { checkCalendar } from '../../../../src/ops/calendar/check.ts'
import type { Build } from '../../../../src/ops/rebuild/feed.ts'
import { flip } from '../../../../src/ops/rebuild/flip/flip.ts'
import { compareAll } from '../../../../src/ops/rebuild/rebuild.ts'
import { repair } from '../../../../src/ops/verify/repair.ts'
import { readBooks } from '../../../../src/reads/books.ts'
import { clearShadow, dropShadows } from '../../../../src/stages/erasure/drop-shadows.ts'
import { moveTotals, readHeld } from '../../../../src/stages/erasure/move-totals.ts'
import {
  openRebuildWorld,
  type RebuildWorld,
  rebuilt,
  runningStages,
  sendOrders,
  settled,
} from '../../../support/rebuilding.ts'

const { signal } = new AbortController()
const keys = makeKeys()
const anyTime = async (): Promise<void> => {}
const today = new Date().toISOString().slice(0, 10)

async function openDamaged(): Promise<RebuildWorld> {
  await using stack = new AsyncDisposableStack()
  const world = stack.use(await openRebuildWorld(undefined))
  const { app, redis } = world
  {
    await using _ = await runningStages(app)
    await sendOrders(world, 0, 40)
    await settled(world)
  }
  await redis.hincrby(keys.globalStats, 'total_orders', -3)
  await redis.hincrby(keys.day(today), 'orders', -3)
  const opened = stack.move()
  return { ...world, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

/** Everything that corrects a number by what it lacks, or moves it. A process that lost the lock may do so at any moment. */
const writers: Record<string, (world: RebuildWorld) => Promise<unknown>> = {
  'a repair': ({ app }) => repair(app, signal),
  'a repair of a day': ({ app }) => checkCalendar(app, 'set', signal),
  'an adoption': ({ app }) => adoptBooks({ ...app, from: [], to: app.partitions, alive: anyTime, durable: anyTime }),
  'an acknowledgment of days': ({ app }) => acceptDays(app, anyTime),
  'an erasure': async ({ app }) => moveTotals({ ...app, keys }, 'u1', await readHeld({ ...app, keys }, 'u1')),
}

test.each(Object.keys(writers))('%s refuses a flip of what was compared before', async (name) => {
  await using world = await openDamaged()
  const { build, compared } = await rebuilt(world)
  await writers[name]?.(world)
  await expect(flip(build, compared, undefined)).rejects.toMatchObject({ code: 'ORD_USAGE' })
})

test('a repair that has lost the lock adds nothing twice', async () => {
  await using world = await openDamaged()
  const { app, redis } = world
  const damaged = await redis.hgetall(keys.globalStats)
  const boards = await redis.zrange(keys.leaderboardSpend, '0', '-1', 'WITHSCORES')
  let writes = 0
  await repair(app, signal, async () => void writes++)
  const right = await redis.hgetall(keys.globalStats)
  expect(right).not.toEqual(damaged)
  for (let lost = 0; lost < writes; lost++) {
    await redis.hset(keys.globalStats, damaged)
    let left = lost
    const lock = async (): Promise<void> => {
      if (left-- === 0) throw new Error('lost')
    }
    await expect(repair(app, signal, lock)).rejects.toThrow('lost')
    await expect(acceptDays(app, async () => Promise.reject(new Error('lost')))).rejects.toThrow('lost')
    const isWritten = lost > 1 // after the token comes the write, after it only scores
    expect(await redis.hgetall(keys.globalStats)).toEqual(isWritten ? right : damaged)
    expect(await redis.zrange(keys.leaderboardSpend, '0', '-1', 'WITHSCORES')).toEqual(boards)
  }
})

test('a process that deletes an earlier rebuild, and is suspended, deletes nothing of the next one', async () => {
  await using world = await openDamaged()
  const { app, redis } = world
  await rebuilt(world)
  let build: Build | undefined
  const suspended = async (): Promise<void> => {
    if (build) throw new Error('lost')
    await redis.del(keys.rebuildProgress)
    build = (await rebuilt(world)).build
  }
  await clearShadow(redis, keys, suspended).catch(({ message }: Error) => expect(message).toBe('lost'))
  if (!build) throw new Error('There is no next rebuild.')
  const compared = await compareAll(build)
  await flip(build, compared, undefined)
  const { compared: again } = await rebuilt(world)
  expect(again.partitions.flatMap(({ differences }) => [...differences.keys()])).toEqual([])
  expect((await readBooks(app)).totals.orders).toBe(
    [...world.expected.values()].reduce((sum, one) => sum + one.orders, 0),
  )
  await dropShadows(app)
  expect(await redis.keys('*rebuild:*')).toEqual([])
})
