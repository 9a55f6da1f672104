import { expect, test } from 'vitest'
import { deployedRoles } from '../support/deployed-roles.ts'
import { writing } from '../support/jobs.ts'
import { spawnOrders } from '../support/process.ts'
import { spawnRedisServer } from '../support/redis-server.ts'
import { requireRedisServer } from '../support/requires.ts'
import { until } from '../support/until.ts'
import { emptySqs, envOf } from '../support/world.ts'

test('no role writes to a disk', async (context) => {
  requireRedisServer(context)
  await using redis = await spawnRedisServer()
  await using sqs = await emptySqs()
  const env = envOf(redis?.url ?? '', sqs, { CALENDAR: 'on' })
  // Node itself refuses whatever would write, or start a program that could.
  await using orders = spawnOrders(['run', ...deployedRoles], {
    ...env,
    NODE_OPTIONS: '--permission --allow-fs-read=*',
  })
  const url = await orders.apiUrl()
  await orders.started()
  await spawnOrders(['populate', '--valid', '20', '--invalid', '5'], env).exit()
  await until(
    'all orders to be counted',
    async () => (await fetch(new URL('/stats/global', url))).json() as Promise<{ total_orders: number }>,
    ({ total_orders }) => total_orders === 20,
  )
  for (const path of ['/', '/docs/', '/metrics', '/admin/queues']) {
    expect((await fetch(new URL(path, url), { headers: writing })).status, path).toBe(200)
  }
  expect(await orders.stop()).toEqual({ code: 0, signal: null })
  expect(orders.stderr()).not.toMatch(/ERR_ACCESS_DENIED|loopFailed|requestFailed/)
})
