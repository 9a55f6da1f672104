import dns from 'node:dns'
import { expect, test, vi } from 'vitest'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { allow } from '../../src/ops/rights/acl.ts'
import { actors, extrasOf } from '../../src/ops/rights/commands.ts'
import { maxArguments } from '../../src/redis/script.ts'
import { expectStats, getFrom } from '../support/expected.ts'
import { type ManagedRedis, spawnManagedRedis } from '../support/managed-redis.ts'
import { Oracle } from '../support/oracle.ts'
import { spawnOrders } from '../support/process.ts'
import { requireTls } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { type Env, emptySqs, envOf } from '../support/world.ts'

const hosts = {
  memorydb: 'clustercfg.orders.abc123.memorydb.us-east-1.amazonaws.com',
  elasticache: 'master.orders.abc123.use1.cache.amazonaws.com',
  serverless: 'orders-abc123.serverless.use1.cache.amazonaws.com',
}

const variants = [
  { name: 'one server, as ElastiCache with cluster mode off', cluster: false, named: ['elasticache'] },
  { name: 'a cluster of one node, as ElastiCache Serverless', cluster: true, named: ['serverless', 'memorydb'] },
] as const

const bodies = (valid: number, invalid: number, seed: number): string[] =>
  [...sampleOrders({ valid, invalid, users: 30, seed })].map(({ body }) => body)

test.each(variants)('the pipeline runs on a managed service: $name', async ({ cluster }, ) => {
  await using redis = await spawnManagedRedis(cluster, Object.values(hosts))
  await using sqs = await emptySqs()
  const env = envOf('', sqs, { ...redis.env, BATCH_RECORDS: '1500', SQS_VISIBILITY_TIMEOUT_SECONDS: '5' })
  const oracle = new Oracle()
  const [first, second] = [bodies(1_300, 200, 1), bodies(250, 50, 2)]
  for (const body of [...first, ...second]) oracle.take(body)

  const t = Date.now()
  const step = (x: string) => process.stderr.write(`${Date.now() - t} ${x}\n`)
  await sendBodies(env, first)
  step('sent')
  await using killed = spawnOrders(['run', 'bridge'], env)
  await until('orders to be received', async () => (await received(redis)) > 0)
  await killed.kill('SIGKILL')
  step('killed')
  await using bridge = runOrders(['run', 'bridge'], env)
  await until('the queue to be empty', () => sqs.depth() === 0)

  step('empty')
  // Each in a process of its own: a batch is larger than a request may be.
  const roles = ['validate', 'aggregate', 'leaderboard', 'jobs', 'api'].map((role) => spawnOrders(['run', role], env))
  await Promise.all(roles.map((role) => role.started()))
  step('roles started')
  await until('an order to be ranked', async () => (await counted(redis, 'ranked')) > 0)
  step('ranked')
  await sendBodies(env, second)
  await until('more to be received', async () => (await received(redis)) > first.length)
  await Promise.all(roles.map((role) => role.kill('SIGKILL')))
  await using line = runOrders(['run', 'validate', 'aggregate', 'leaderboard', 'jobs', 'api'], env)
  const url = await line.apiUrl()
  await redis.rotate()
  step('rotated')
  const get = getFrom(url)
  await until(
    'all orders to be judged',
    () => get('/integrity'),
    (books) => books['waiting'] === 0 && books['admitted'] === oracle.admitted && books['rejected'] === oracle.rejected,
  )

  step('judged')
  await using replay = runOrders(['replay', '1000', '--wait'], env)
  expect([(await replay.exit()).code, replay.stderr()]).toEqual([1, '']) // they fail again
  expect(replay.stdout()).toMatch(new RegExp(`^sent +${oracle.rejected}$`, 'm'))
  step('replayed')
  await using verify = runOrders(['verify', '--deep'], env)
  expect([(await verify.exit()).code, verify.stderr()]).toEqual([0, ''])
  await expectStats(get, oracle)
  step('verified')
  await using doctor = runOrders(['doctor'], env)
})

const received = (redis: ManagedRedis): Promise<number> => counted(redis, 'received')

/** Reads a counter, summed over the partitions. */
async function counted({ admin, env }: ManagedRedis, name: string): Promise<number> {
  const keys = env['PARTITIONS'] === undefined ? ['pipeline:counters'] : ['{p0}:pipeline:counters', '{p1}:pipeline:counters']
  const counts = await Promise.all(keys.map((key) => admin.hget(key, name)))
  return counts.reduce((sum, count) => sum + Number(count ?? 0), 0)
}
