import { expect, test } from 'vitest'
import { auditReply } from '../../../../src/api/replies/audit.ts'
import { jobReply } from '../../../../src/api/replies/job.ts'
import { pauseReply } from '../../../../src/api/replies/pause.ts'
import { statusReply } from '../../../../src/api/replies/status.ts'
import { topUsersReply } from '../../../../src/api/replies/top-users.ts'
import { openApi } from '../../../../src/api/server.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { runOrders } from '../../../support/run-orders.ts'
import { appOn, emptyRedis, envOf } from '../../../support/world.ts'

test('what a command prints as JSON has the names of the API, and its values', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const env = envOf(world.url, undefined, { ADMIN_TOKEN: 'a-token-of-16-characters', API_PORT: '0' })
  const app = appOn(world.redis, readConfig(env))
  await ensureGroups(app)
  await enqueue(world.redis, app.keys, [{ id: 'm', body: '{"user_id":"ada","order_id":"o","order_value":1.5}' }])
  await using api = await openApi(app)
  const headers = { authorization: `Bearer ${env['ADMIN_TOKEN']}` }
  const replied = async (path: string): Promise<unknown> => (await fetch(`${api.url}${path}`, { headers })).json()
  const printed = async (...args: string[]): Promise<unknown[]> => {
    await using run = runOrders([...args, '--json'], env)
    expect([args, (await run.exit()).code, run.stderr()]).toEqual([args, 0, ''])
    return run
      .stdout()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  }

  const [pause] = await printed('pause', 'validate', '--reason', 'a test')
  const { changed, message, ...state } = pauseReply.strict().parse(pause)
  expect([changed, message]).toEqual([true, expect.stringMatching(/^validate is paused by /)])
  const { components } = (await replied('/admin/pauses')) as { components: unknown[] }
  expect(components).toContainEqual(state)

  await using replay = runOrders(['replay', '3'], env)
  expect((await replay.exit()).code).toBe(0)
  const audit = await printed('audit')
  expect(audit.map((entry) => auditReply.strict().parse(entry).action)).toEqual(['replay', 'pause'])
  expect(await replied('/admin/audit')).toEqual(audit)

  const [job] = (await printed('jobs')) as { id: string }[]
  expect(await replied(`/jobs/${jobReply.strict().parse(job).id}`)).toEqual(job)
  const [top] = await printed('top')
  expect(topUsersReply.parse(top)).toBeDefined()
  expect(await replied('/stats/top-users?by=spend&n=10')).toEqual(top)

  const status = statusReply.strict().parse((await printed('status'))[0])
  const live = (await replied('/live/snapshot')) as { totals: object; hops: { name: string }[] }
  expect(live.totals).toEqual(status.totals)
  expect(status.totals).toMatchObject({ received: 1, waiting: 1, counted: 0, revenue_minor: 0, invalid: 0 })
  for (const { stage, lag: _, unaccounted: __, oldest_waiting_ms: ___, stall: ____, ...figures } of status.stages) {
    expect(live.hops.find(({ name }) => name === stage)).toMatchObject(figures)
  }
})
