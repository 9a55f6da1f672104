import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { enqueue } from '../../src/ingest/enqueue.ts'
import { type Keys, makePartitions, shadowPrefix } from '../../src/keys.ts'
import { partitionFor } from '../../src/partitions.ts'
import { archiveFolder } from '../support/archive.ts'
import { spawnOrders } from '../support/process.ts'
import { type RedisCluster, spawnRedisCluster } from '../support/redis-cluster.ts'
import { requireRedisServer } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { until } from '../support/until.ts'
import { type Env, envOf } from '../support/world.ts'

const partitions = makePartitions(8)
const kills = Number(process.env['KILLS'] ?? 1)

async function orders(args: readonly string[], env: Env): Promise<{ code: number | null; out: string; err: string }> {
  await using command = runOrders(args, env)
  const { code } = await command.exit()
  return { code, out: command.stdout(), err: command.stderr() }
}

async function send(cluster: RedisCluster, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at++) {
    const keys = partitionFor(partitions, `u${at % 40}`)
    const { redis } = await cluster.masterOf(keys.counters)
    const body = JSON.stringify({ user_id: `u${at % 40}`, order_id: `o${at}`, order_value: 1 + at })
    await enqueue(redis, keys, [{ id: `m${at}`, body }])
  }
}

/** Reads the users of all partitions, alternating orders and minor units. */
async function usersOf(cluster: RedisCluster): Promise<Record<string, string[]>> {
  const users: Record<string, string[]> = {}
  for (let at = 0; at < 40; at++) {
    const [redis, key] = await placeOf(cluster, `u${at}`)
    const [count, minor] = await redis.hmget(key, 'order_count', 'total_spend_minor')
    users[`u${at}`] = [count ?? '', minor ?? '']
  }
  return users
}

async function placeOf(cluster: RedisCluster, user: string): Promise<[Redis, string, Keys]> {
  const keys = partitionFor(partitions, user)
  return [(await cluster.masterOf(keys.counters)).redis, keys.userStats(user), keys]
}

test('on a cluster of 8 partitions a rebuild that is killed goes on, corrects all, and leaves nothing', async (context) => {
  requireRedisServer(context)
  await using cluster = await spawnRedisCluster({ masters: 3 })
  using folder = archiveFolder()
  const env = envOf(cluster.url, undefined, {
    ...{ REDIS_CLUSTER: 'true', PARTITIONS: '8', CALENDAR: 'on', ARCHIVE_URL: folder.url },
    ARCHIVE_SEGMENT_SECONDS: '1',
  })
  await using _ = runOrders(['run', 'validate', 'archive', 'calendar', 'aggregate', 'leaderboard'], env)
  await send(cluster, 0, 400)
  const counted = async (): Promise<number> => {
    const each = partitions.map(async ({ counters }) =>
      Number(await (await cluster.masterOf(counters)).redis.hget(counters, 'ranked')),
    )
    return (await Promise.all(each)).reduce((sum, one) => sum + one, 0)
  }
  await until('all to be counted', counted, (found) => found === 400)
  const right = await usersOf(cluster)
  for (const user of ['u1', 'u2', 'u3', 'u4', 'u5']) {
    const [redis, key, { globalStats }] = await placeOf(cluster, user)
    await redis.hincrby(key, 'total_spend_minor', 7)
    await redis.hincrby(globalStats, 'total_orders', 1)
  }
  const [redis, lost] = await placeOf(cluster, 'u6')
  await redis.del(lost)
  for (let killed = 0; killed < kills; killed++) {
    await using command = spawnOrders(['rebuild', '--flip', '--yes'], env)
    const shadows = async (): Promise<boolean> =>
      (await redis.keys(`${shadowPrefix(partitionFor(partitions, 'u6'))}*`)).length > 0
    await until('it to build', async () => !command.isRunning() || (await shadows()))
    await command.kill('SIGKILL')
  }
  expect(await orders(['rebuild', '--flip', '--yes'], env)).toMatchObject({ code: 0, err: '' })
  expect(await usersOf(cluster)).toEqual(right)
  const left = await Promise.all(cluster.nodes.map((node) => node.redis.keys('*rebuild:*')))
  expect(left.flat()).toEqual([])
  expect(await orders(['verify', '--deep'], env)).toMatchObject({ code: 0, err: '' })
})
