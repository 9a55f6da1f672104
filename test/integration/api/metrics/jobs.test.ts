import { Worker } from 'bullmq'
import { expect, test } from 'vitest'
import { openApi } from '../../../../src/api/server.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { bullConnection, jobStates, openQueues } from '../../../../src/control/job-queues.ts'
import { scrape } from '../../../support/exposition.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

test('a failed job is counted until it is retried or removed; what waits is, too, in a paused queue as well', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis, readConfig({ REDIS_URL: world.url, API_PORT: '0' }))
  await using server = await openApi(app)
  await using queues = openQueues(world.redis)
  const counts = async (): Promise<string> => {
    const { sum } = await scrape(server.url)
    return jobStates.map((state) => `${state} ${sum('orders_jobs', { queue: 'reprocess', state })}`).join(', ')
  }
  const becomes = (expected: string): Promise<string> =>
    until(`jobs to be: ${expected}`, counts, (found) => found === expected)
  await becomes('waiting 0, active 0, delayed 0, failed 0')

  const add = (name: string, delay = 0) => queues.reprocess.add(name, { body: name }, { attempts: 1, delay })
  const [retried, removed] = [await add('retried'), await add('removed')]
  await add('later', 3_600_000)
  await becomes('waiting 2, active 0, delayed 1, failed 0')

  const connection = world.redis.duplicate({ maxRetriesPerRequest: null })
  const fail = async (): Promise<never> => {
    throw new Error('no verdict yet')
  }
  const worker = new Worker('reprocess', fail, bullConnection(connection))
  await becomes('waiting 0, active 0, delayed 1, failed 2')
  await worker.close()
  connection.disconnect()

  await (await queues.reprocess.getJob(retried.id ?? ''))?.retry()
  await becomes('waiting 1, active 0, delayed 1, failed 1')
  await removed.remove()
  await queues.reprocess.pause()
  await becomes('waiting 1, active 0, delayed 1, failed 0')
  await queues.reprocess.resume()
  expect((await scrape(server.url)).sum('orders_reading_failing', { reading: 'jobs' })).toBe(0)
})
