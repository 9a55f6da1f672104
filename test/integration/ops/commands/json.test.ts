import { expect, test } from 'vitest'
import { z } from 'zod'
import { auditReply } from '../../../../src/api/replies/audit.ts'
import { jobReply } from '../../../../src/api/replies/job.ts'
import { pauseReply } from '../../../../src/api/replies/pause.ts'
import { statusReply } from '../../../../src/api/replies/status.ts'
import { topUsersReply } from '../../../../src/api/replies/top-users.ts'
import { traceReply } from '../../../../src/api/replies/trace.ts'
import { userReply } from '../../../../src/api/replies/user.ts'
import { openApi } from '../../../../src/api/server.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { invalidOrder } from '../../../../src/invalid-order.ts'
import { adoptionReply } from '../../../../src/ops/adopt/reply.ts'
import { verificationReply } from '../../../../src/ops/verify/reply.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { runOrders } from '../../../support/run-orders.ts'
import { until } from '../../../support/until.ts'
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

/** Makes a schema of what is printed: objects have no other fields, and an amount is a number as it is shown. */
function shownBy(schema: z.ZodType): z.ZodType {
  const json = z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' })
  return z.fromJSONSchema(json as Parameters<typeof z.fromJSONSchema>[0])
}

/** Returns the names of all fields, at any depth, that are not in snake case. */
function otherNames(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(otherNames)
  if (value === null || typeof value !== 'object') return []
  return Object.entries(value).flatMap(([name, of]) => [
    ...(/^[a-z0-9_]+$/.test(name) ? [] : [name]),
    ...otherNames(of),
  ])
}

test('trace, invalid, user, verify and adopt print what their schemas say, and nothing else', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const env = envOf(world.url, undefined, { CALENDAR: 'on' })
  const app = appOn(world.redis)
  const bodies = ['1.5', '"much"'].map((value, id) => `{"user_id":"ada","order_id":"o${id}","order_value":${value}}`)
  await using line = runOrders(['run', 'validate', 'aggregate', 'leaderboard', 'calendar', 'api'], env)
  await line.started()
  await enqueue(
    world.redis,
    app.keys,
    bodies.map((body, id) => ({ id: `m${id}`, body })),
  )
  const counters = (): Promise<Record<string, string>> => world.redis.hgetall('pipeline:counters')
  await until('all to be judged', counters, ({ ranked, rejected, dated }) => {
    return ranked === '1' && rejected === '1' && dated === '1'
  })
  const api = await line.apiUrl()
  const replied = async (path: string): Promise<unknown> => (await fetch(`${api}${path}`)).json()
  const printed = async (schema: z.ZodType, ...args: string[]): Promise<Record<string, unknown>> => {
    await using run = runOrders([...args, '--json'], env)
    await run.exit()
    const value = JSON.parse(run.stdout())
    expect([args, shownBy(schema).safeParse(value).error, run.stderr()]).toEqual([args, undefined, ''])
    return value
  }

  const trace = await printed(traceReply, 'trace', 'o0', '--user', 'ada')
  expect(trace).toMatchObject({ where: 'ranked', amount: 1.5 })
  await world.redis.zincrby('leaderboard:spend', 1, 'ada')
  const [invalid] = (await replied('/orders/invalid')) as { id: string }[]
  expect(await printed(invalidOrder, 'invalid', 'show', invalid?.id ?? '')).toEqual(invalid)
  const user = await printed(userReply, 'user', 'ada')
  expect(user).toMatchObject({ ...((await replied('/users/ada/stats')) as object), invalid: [invalid] })
  const verified = await printed(verificationReply, 'verify', '--deep', '--acknowledge', '--write-off')
  expect(verified).toMatchObject({ verdict: 'wrong', deep: { wrong_users: 1 }, written_off: { booked: false } })
  const counted = { before: { orders: 0, revenue_minor: 0 }, days: { orders: 1, revenue_minor: 150 } }
  expect(verified['calendar']).toMatchObject({ verdict: 'right', since: expect.any(String), ...counted })
  const { incidents: _, ...books } = (await replied('/integrity')) as Record<string, unknown>
  expect(verified['books']).toEqual(books)
  const repaired = await printed(verificationReply, 'verify', '--repair')
  expect(repaired).toMatchObject({ verdict: 'right', repaired: { users: 1, after: { orders: 1, revenue_minor: 150 } } })
  const { order: ___, ...entry } = invalid as Record<string, unknown>
  const all = [trace, entry, user, verified, repaired, await printed(adoptionReply, 'adopt')]
  expect(all.flatMap(otherNames)).toEqual([])
})
