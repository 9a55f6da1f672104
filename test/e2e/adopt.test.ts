import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { randomOf } from '../chaos/random.ts'
import { expectStats, getFrom } from '../support/expected.ts'
import { send } from '../support/jobs.ts'
import { Oracle } from '../support/oracle.ts'
import { spawnOrders } from '../support/process.ts'
import { dumps, fillAsPython, rejectAsPython } from '../support/python-system.ts'
import { spawnRedisServer } from '../support/redis-server.ts'
import { requireRedisServer } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { striking } from '../support/strike.ts'
import { until } from '../support/until.ts'
import { emptySqs, envOf } from '../support/world.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

test('a Redis of the Python system: a start refuses, an adoption is killed again and again, and all runs on', {
  timeout: 120_000,
}, async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  await using sqs = await emptySqs()
  const env = envOf(server.url, sqs)
  const oracle = new Oracle()
  for (const [user, totals] of await fillAsPython(server.url, { orders: 1_500, users: 500, seed })) {
    oracle.users.set(user, totals)
    oracle.admitted += totals.orders
    oracle.cents += totals.cents
  }
  const good = { user_id: 'user_1', order_id: 'late', order_value: 12.5 }
  await rejectAsPython(server.url, [dumps({ order: good, reason: 'Redis timed out', ts: '2025-03-01T10:00:00' })])

  for (const words of [['run', 'validate'], ['run', 'api'], ['start'], ['status'], ['verify', '--repair']]) {
    await using refused = runOrders(words, env)
    expect([words, (await refused.exit()).code]).toEqual([words, 1])
    expect(refused.stderr()).toMatch(
      /^Redis at \S+ was filled by the Python system .*: stop that system and run orders adopt first\.$/m,
    )
  }
  await using doctor = runOrders(['doctor'], env)
  expect((await doctor.exit()).code).toBe(1)
  expect(doctor.stdout()).toMatch(
    /^error +python system +it has filled this Redis .*\n +→ Stop it and run orders adopt/m,
  )

  const redis = new Redis(server.url)
  const random = randomOf(seed)
  for (let kill = 0; kill < 3; kill++) {
    const trigger = { event: 'adoptionStep', nth: 5 + random.below(25), after: random.below(2) === 1 }
    const strike = striking({ trigger, pid: 0, signal: 'SIGKILL' })
    await using run = spawnOrders(['adopt', '--yes'], { ...env, ...strike })
    const { signal } = await run.exit()
    expect([seed, run.stderr(), signal]).toEqual([seed, '', signal])
    await redis.del('pipeline:repartition') // else the next one waits until it runs out
  }
  redis.disconnect()
  await using last = runOrders(['adopt', '--yes'], env)
  expect([seed, (await last.exit()).code, last.stderr()]).toEqual([seed, 0, ''])

  await using all = runOrders(['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'jobs', 'api'], env)
  const url = await all.apiUrl()
  await expectStats(getFrom(url), oracle)
  await send(`${url}/orders/replay`, 'POST', {})
  oracle.take(JSON.stringify(good))
  await until(
    'the order that the Python system had rejected to be counted',
    async () => getFrom(url)('/stats/global'),
    ({ total_orders }) => total_orders === oracle.admitted,
  )
  await using verify = runOrders(['verify', '--deep'], env)
  await verify.exit()
  expect([seed, verify.stdout()]).toEqual([seed, expect.stringMatching(/Everything balances\.\n$/)])
})
