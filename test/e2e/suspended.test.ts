import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { enqueue } from '../../src/ingest/enqueue.ts'
import { spawnOrders } from '../support/process.ts'
import { until } from '../support/until.ts'
import { appOn, emptyRedis, emptySqs, envOf } from '../support/world.ts'

const preload = fileURLToPath(new URL('../support/suspend.ts', import.meta.url))

test('a process that stood still for over a minute goes on', async () => {
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs, { NODE_OPTIONS: `--import=${preload}` })
  await using orders = spawnOrders(['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'jobs', 'api'], env)
  await orders.started()
  const url = await orders.apiUrl()
  const app = appOn(world.redis)
  for (let stop = 1; stop <= 3; stop++) {
    orders.child.kill('SIGUSR2')
    await enqueue(world.redis, app.keys, [
      { id: `m${stop}`, body: JSON.stringify({ user_id: 'u', order_id: stop, order_value: 1 }) },
    ])
    await until(
      'the order to be ranked',
      () => world.redis.hget('pipeline:counters', 'ranked'),
      (ranked) => ranked === `${stop}`,
    )
    await until(
      'every loop to be known to live',
      async () => (await fetch(`${url}/livez`)).status,
      (status) => status === 200,
    )
  }
  expect(await orders.kill('SIGTERM')).toEqual({ code: 0, signal: null })
  expect(orders.stderr()).not.toContain('has made no progress')
})
