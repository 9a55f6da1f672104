import { expect, test } from 'vitest'
import { enqueue } from '../../src/ingest/enqueue.ts'
import { makePartitions } from '../../src/keys.ts'
import { partitionFor } from '../../src/partitions.ts'
import { keysNaming } from '../support/dump-redis.ts'
import { spawnRedisCluster } from '../support/redis-cluster.ts'
import { requireRedisServer } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { until } from '../support/until.ts'
import { type Env, envOf } from '../support/world.ts'

const person = 'person-of-this-test'

async function orders(args: readonly string[], env: Env): Promise<{ code: number | null; out: string; err: string }> {
  await using command = runOrders(args, env)
  const { code } = await command.exit()
  return { code, out: command.stdout(), err: command.stderr() }
}

test('on a cluster of 8 partitions a user is erased by the command, which asks first, and the books balance', async (context) => {
  requireRedisServer(context)
  await using cluster = await spawnRedisCluster({ masters: 3 })
  const partitions = makePartitions(8)
  const keys = partitionFor(partitions, person)
  const { redis } = await cluster.masterOf(keys.counters)
  const env = envOf(cluster.url, undefined, { REDIS_CLUSTER: 'true', PARTITIONS: '8', CALENDAR: 'on' })
  const bodies = [1, 2, 3, -1].map((order_value, at) =>
    JSON.stringify({ user_id: person, order_id: `o${at}`, order_value }),
  )
  await enqueue(
    redis,
    keys,
    bodies.map((body, at) => ({ id: `m${at}`, body })),
  )
  await using _ = runOrders(['run', 'validate', 'calendar', 'aggregate', 'leaderboard'], env)
  await until(
    'all to be counted',
    () => redis.hget(keys.counters, 'ranked'),
    (ranked) => ranked === '3',
  )

  expect(await orders(['erase', person, '--json'], env)).toEqual({
    ...{ code: 2, out: '' },
    err: 'This cannot be taken back. Erase the user? Nothing was changed: run it again with --yes.\n',
  })
  const unknown = await orders(['erase', `${person}s`, '--yes'], env)
  expect(unknown).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/^Nothing names the user .*--unknown/) })
  expect(await orders(['erase', `${person}s`, '--dry-run'], env)).toMatchObject({
    code: 1,
    out: expect.stringContaining('Nothing names this user: check the id.'),
  })
  expect((await orders(['erase', person, '--dry-run'], env)).out).toMatch(/^rejected orders +1$/m)
  const erased = await orders(['erase', person, '--yes', '--json'], env)
  expect(erased).toMatchObject({ code: 0, err: '' })
  expect(JSON.parse(erased.out)).toMatchObject({
    complete: true,
    moved: { orders: 3, spend: 6 },
    removed: { invalid: 1 },
  })
  expect(await Promise.all(cluster.nodes.map((node) => keysNaming(node.redis, person)))).toEqual([[], [], []])
  const { account } = JSON.parse(erased.out).moved
  const { erased_at: at } = JSON.parse(erased.out)
  expect((await orders(['user', person], env)).out).toMatch(
    new RegExp(`^user {7}${person}\\nerased {5}at ${at}: the numbers count for ${account}\\norders {5}0\\n`),
  )
  expect(JSON.parse((await orders(['user', person, '--json'], env)).out)).toMatchObject({
    order_count: 0,
    erased_at: at,
  })
  expect((await orders(['erase', person, '--dry-run'], env)).out).toContain(
    `\nerased   at ${at} already: this would finish it\n`,
  )
  expect(await orders(['verify', '--deep'], env)).toMatchObject({ code: 0, err: '' })
})
