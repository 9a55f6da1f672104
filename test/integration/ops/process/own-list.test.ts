import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { openApp } from '../../../../src/ops/open/open-app.ts'
import { openRoles } from '../../../../src/ops/process/roles.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { withBoth } from '../../../support/sample-stages.ts'
import { until } from '../../../support/until.ts'
import { emptyRedis, envOf } from '../../../support/world.ts'

interface Integrity {
  readonly balanced: boolean
  readonly stages: readonly { stage: string; in: number; passed: number; rejected: number }[]
}

test('a program runs every role with its own list of stages', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  await using app = await openApp(readConfig(envOf(world.url, undefined, { LOG_LEVEL: 'silent' })))
  const own = { ...app, pipeline: withBoth }
  const stop = new AbortController()
  await using roles = await openRoles(own, [...withBoth.names, 'api'], stop.signal)
  const running = roles.run()
  const bodies = [10, 600].map((order_value) =>
    JSON.stringify({ user_id: 'u', order_id: `o${order_value}`, order_value, shipping_address: '1 Nowhere Lane' }),
  )
  await enqueue(
    app.redis,
    app.partitions[0] as (typeof app.partitions)[0],
    bodies.map((body, at) => ({ id: `m${at}`, body })),
  )
  const read = async (path: string): Promise<unknown> => (await fetch(`${roles.apiUrl}${path}`)).json()
  const integrity = await until(
    'all to be counted or rejected',
    async () => (await read('/integrity')) as Integrity,
    ({ stages }) => stages.at(-1)?.passed === 1 && stages[1]?.passed === 2,
  )
  expect([
    integrity.balanced,
    ...integrity.stages.map((of) => [of.stage, of.in, of.passed, of.rejected].join(' ')),
  ]).toEqual([true, 'validate 2 2 0', 'revenue 2 2 0', 'fraud 2 1 1', 'aggregate 1 1 0', 'leaderboard 1 1 0'])
  expect(await read('/orders/invalid?code=refused')).toMatchObject([{ stage: 'fraud', order: { order_id: 'o600' } }])
  const { components } = (await read('/admin/pauses')) as { components: { component: string }[] }
  expect(components.map(({ component }) => component)).toEqual(['bridge', ...withBoth.names])
  stop.abort()
  await running
})
