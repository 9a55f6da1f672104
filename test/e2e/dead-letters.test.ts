import { expect, test } from 'vitest'
import { runOrders } from '../support/run-orders.ts'
import { openQueue } from '../../src/ingest/sqs/queue.ts'
import { readConfig } from '../../src/config/config.ts'
import { sendBatch } from '../../src/ops/local/send-orders.ts'
import { emptyRedis, emptySqs, envOf } from '../support/world.ts'

test('smoke', async () => {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(redis.url, sqs)
  using queue = await openQueue(readConfig(env))
  const letters = { sqs: queue.sqs, url: `${queue.url}-dlq` }
  const order = (id: string, value: number) => JSON.stringify({ user_id: 'u', order_id: id, order_value: value })
  await sendBatch(letters, [order('1', 5), order('2', 5), order('2', 5), order('2', 6), '{}', '[]'], new AbortController().signal)
  const run = async (...args: string[]) => {
    const p = runOrders(args, env)
    const exit = await p.exit()
    console.log(exit, p.stdout(), p.stderr())
  }
  await run('dlq')
  await run('dlq', '--json')
  await using jobs = runOrders(['run', 'jobs', 'validate', 'aggregate', 'leaderboard'], env)
  await jobs.started()
  await run('dlq', 'redrive', '--dry-run')
  await run('dlq', 'redrive', '--wait')
  await run('dlq')
  await run('jobs')
  console.log(await redis.redis.hgetall('pipeline:counters'))
  console.log(jobs.stderr().slice(0,3000))
})
