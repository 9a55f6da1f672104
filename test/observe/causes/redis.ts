import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../support/until.ts'
import { corrected } from '../corrected.ts'
import type { World } from '../world.ts'
import { type Cause, repeated } from './cause.ts'

/** Redis hangs, and answers again. */
export const redisAway: Cause = {
  title: 'Redis hangs',
  fires: ['OrdersRedisAway'],
  begin: async ({ server }) => {
    process.kill(server.pid(), 'SIGSTOP')
    return async () => void process.kill(server.pid(), 'SIGCONT')
  },
}

/** Redis asks for a replica, and has none, while an operator corrects orders. */
export const writesRefused: Cause = {
  title: 'Redis refuses writes, as it lacks a replica; orders are corrected',
  fires: ['OrdersRedisRefusesWrites', 'OrdersApiErrors'],
  begin: async ({ redis, request }) => {
    await redis.config('SET', 'min-replicas-to-write', '1')
    const end = repeated(async () => {
      await request('/orders/reprocess', 'POST', corrected('refused'))
      await sleep(100)
    })
    return async () => {
      await end()
      await redis.config('SET', 'min-replicas-to-write', '0')
    }
  },
}

/** Every answer of Redis comes late, so that orders take longer than a (shortened) minute. */
export const redisSlow: Cause = {
  title: 'Redis answers late',
  fires: ['OrdersSlow'],
  begin: async ({ proxy }) => {
    proxy.delay(250)
    return async () => proxy.delay(0)
  },
}

/** Another client fills the memory of Redis. */
export const memoryFull: Cause = {
  title: 'another client fills the memory of Redis',
  fires: ['OrdersRedisNearlyFull', 'OrdersBackpressure'],
  begin: async ({ redis }) => {
    const { used, max } = await memoryOf(redis)
    await redis.setrange('filler', Math.floor(0.9 * max) - used, 'x')
    return async () => void (await redis.del('filler'))
  },
}

async function memoryOf(redis: World['redis']): Promise<{ used: number; max: number }> {
  const info = await redis.info('memory')
  const field = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1])
  return { used: field('used_memory'), max: field('maxmemory') }
}

/** An operator lets Redis evict. */
export const evicting: Cause = {
  title: 'maxmemory-policy set to allkeys-lru',
  fires: ['OrdersRedisEvicting'],
  begin: async ({ redis }) => {
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
    return async () => void (await redis.config('SET', 'maxmemory-policy', 'noeviction'))
  },
}

/** Redis is emptied. */
export const emptied: Cause = {
  title: 'Redis is emptied',
  fires: ['OrdersIncident', 'OrdersCountersDecreased'],
  begin: async ({ redis, orders }) => {
    await redis.flushall()
    return () => orders('verify', '--acknowledge')
  },
}

/** A client gives the list of invalid orders another type. */
export const invalidListReplaced: Cause = {
  title: 'another client gives invalid_orders another type',
  fires: ['OrdersReadsFailing'],
  begin: ({ redis }) => replaced(redis, 'invalid_orders'),
}

const brokenUsers = ['user_1', 'user_2', 'user_3', 'user_4', 'user_5']

/** A client writes over the totals of users, so that aggregate cannot commit their orders. */
export const totalsReplaced: Cause = {
  title: 'another client gives the totals of users another type',
  fires: ['OrdersLoopFailing', 'OrdersStuck', 'OrdersClaimsHigh'],
  begin: async ({ redis }) => {
    const restores = await Promise.all(brokenUsers.map((user) => replaced(redis, `user:${user}`)))
    return async () => void (await Promise.all(restores.map((restore) => restore())))
  },
}

/** A client breaks a leaderboard, and then deletes the orders that wait for it. */
export const entriesDeleted: Cause = {
  title: 'another client deletes orders that leaderboard has in flight',
  fires: ['OrdersEntriesLost', 'OrdersLost'],
  begin: async ({ redis, orders }) => {
    const restore = await replaced(redis, 'leaderboard:spend')
    const [stream, group] = ['orders:counted', 'leaderboard']
    const pending = async (): Promise<string[]> => {
      const found = (await redis.xpending(stream, group, '-', '+', 10)) as [string][]
      return found.map(([id]) => id)
    }
    let ids = await pending()
    while (ids.length === 0) {
      await sleep(100)
      ids = await pending()
    }
    await redis.xdel(stream, ...ids)
    await restore()
    return async () => {
      await orders('verify', '--write-off', '--yes')
      await orders('verify', '--repair')
    }
  },
}

/** A client changes the global stats by hand. */
export const booksChanged: Cause = {
  title: 'another client changes global:stats',
  fires: ['OrdersIntegrityMismatch'],
  begin: async ({ redis, orders }) => {
    await redis.hincrby('global:stats', 'total_orders', 1)
    return () => orders('verify', '--repair')
  },
}

/** Gives a key another type. @returns what gives it its value again */
async function replaced(redis: World['redis'], key: string): Promise<() => Promise<void>> {
  const kept = `${key}:kept`
  await until(`${key} to be written`, () => redis.exists(key))
  await redis.rename(key, kept)
  await redis.set(key, 'of another type')
  return async () => {
    await redis.multi().del(key).rename(kept, key).exec()
  }
}
