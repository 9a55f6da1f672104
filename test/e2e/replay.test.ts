import { expect, test } from 'vitest'
import { enqueue } from '../../src/ingest/enqueue.ts'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import type { Stage } from '../../src/stages/placed.ts'
import { ensureGroups } from '../../src/stages/runner/groups.ts'
import { runStage } from '../../src/stages/runner/run.ts'
import { rejectByBug } from '../support/broken-release.ts'
import { ended, send, writing } from '../support/jobs.ts'
import { Oracle } from '../support/oracle.ts'
import { spawnOrders } from '../support/process.ts'
import { requireRealRedis } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { aggregate, validate } from '../support/stages.ts'
import { expectExact } from '../support/state.ts'
import { until } from '../support/until.ts'
import { appOn, emptyRedis, emptySqs, envOf } from '../support/world.ts'

const stages = ['validate', 'aggregate', 'leaderboard']
const valid = (count: number, seed: number): string[] =>
  [...sampleOrders({ valid: count, invalid: 0, users: 20, seed })].map(({ body }) => body)
const broken = (count: number, seed: number): string[] =>
  [...sampleOrders({ valid: 0, invalid: count, users: 20, seed })].map(({ body }) => body)

test('200 invalid orders of every code: replayed by POST, by script and by retry in Bull Board, corrected one by one', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs)
  const oracle = new Oracle()
  const take = (bodies: readonly string[]): void => {
    for (const body of bodies) oracle.take(body)
  }
  const byBug = valid(60, 1)
  await rejectByBug(redis, byBug)

  await using api = runOrders(['run', 'api', 'bridge', 'aggregate', 'leaderboard'], env)
  await using jobs = runOrders(['run', 'jobs'], env)
  await using first = runOrders(['run', 'validate'], env)
  await Promise.all([api.started(), jobs.started(), first.started()])
  const url = await api.apiUrl()
  // 120 of seven codes, 20 conflicts with 20 orders that are admitted before.
  const accepted = valid(20, 2)
  await sendBodies(env, accepted)
  await until(
    'them to be admitted',
    () => redis.hget('pipeline:counters', 'admitted'),
    (admitted) => admitted === '20',
  )
  const conflicts = accepted.map((body) => JSON.stringify({ ...JSON.parse(body), items: null, order_value: 1 }))
  const hopeless = broken(120, 3)
  await sendBodies(env, [...conflicts, ...hopeless])
  await until(
    '200 invalid orders',
    () => redis.llen('invalid_orders'),
    (length) => length === 200,
  )
  take(accepted)
  const summary = await (await fetch(`${url}/orders/invalid/summary`)).json()
  expect(summary).toMatchObject({
    total: 200,
    codes: { 'internal-error': 60, conflict: 20, 'malformed-json': 12, 'missing-field': 36 },
  })
  expect(Object.keys((summary as { codes: object }).codes)).toHaveLength(9)

  // A third by POST, oldest first.
  const posted = await send(`${url}/orders/replay`, 'POST', { code: 'internal-error', limit: 20 })
  expect(posted).toMatchObject({ status: 202, body: { matching: 20 } })
  expect(await ended(url, posted.body['job_id'])).toMatchObject({
    state: 'completed',
    progress: { done: 20, total: 20 },
    result: { dry_run: false, sent: 20, admitted: 20, duplicate: 0, conflict: 0, rejected: {} },
  })
  take(byBug.slice(0, 20))

  // A third by script; then of the rest a dry run, which changes nothing, and one whose orders fail again.
  await using script = runOrders(['replay', '20', '--code', 'internal-error', '--wait'], env)
  expect([await script.exit(), script.stderr()]).toEqual([{ code: 0, signal: null }, ''])
  expect(script.stdout()).toMatch(/^admitted +20$/m)
  take(byBug.slice(20, 40))
  await using dry = runOrders(['replay', '500', '--dry-run', '--wait'], env)
  expect(await dry.exit()).toEqual({ code: 0, signal: null })
  expect(dry.stdout()).toMatch(/^would keep the rules +40$/m) // 20 of the bug, and the conflicts
  await using again = runOrders(['replay', '--limit', '12', '--code', 'malformed-json', '--wait'], env)
  expect(await again.exit()).toEqual({ code: 1, signal: null })
  expect(again.stdout()).toMatch(/^ {2}malformed-json +12$/m)
  const [twice] = (await (await fetch(`${url}/orders/invalid?code=malformed-json&limit=1`)).json()) as Record<
    string,
    unknown
  >[]
  expect(twice).toMatchObject({ attempts: 2, first_reason: 'Malformed JSON', reason: 'Malformed JSON' })

  // A third by a job that fails while no validate runs, and is retried in Bull Board when one does.
  await Promise.all([first.stop(), jobs.stop()])
  await using hasty = runOrders(['run', 'jobs'], { ...env, JOB_VERDICT_MS: '300' })
  await hasty.started()
  const stuck = await send(`${url}/orders/replay`, 'POST', { code: 'internal-error' })
  expect(await ended(url, stuck.body['job_id'])).toMatchObject({
    state: 'failed',
    failure: '20 of 20 orders have no verdict yet: make sure that a validate process runs, then retry.',
  })
  await hasty.stop()
  await using second = runOrders(['run', 'validate', 'jobs'], env)
  await second.started()
  const retried = await fetch(`${url}/admin/queues/api/queues/replay/${stuck.body['job_id']}/retry`, {
    method: 'PUT',
    headers: writing,
  })
  expect(retried.status).toBe(204)
  expect(await ended(url, stuck.body['job_id'])).toMatchObject({
    state: 'completed',
    result: { sent: 20, admitted: 20 },
  })
  take(byBug.slice(40))

  // Forty are corrected one by one in their place, each with its lineage should it fail again.
  const fixes = valid(40, 4)
  const listed = (await (await fetch(`${url}/orders/invalid?limit=40`)).json()) as { id: string }[]
  for (const [at, { id }] of listed.entries()) {
    const { status, body } = await send(`${url}/orders/invalid/${id}`, 'PUT', fixes[at] ?? '', { 'x-operator': 'ann' })
    expect(status).toBe(202)
    expect(await ended(url, body['job_id'])).toMatchObject({ state: 'completed', verdict: { verdict: 'admitted' } })
  }
  take(fixes)
  await expectExact(redis, oracle, 100)
  expect(await second.stop()).toEqual({ code: 0, signal: null })
  expect(await api.stop()).toEqual({ code: 0, signal: null })
})

test('the replay worker killed with -9 ten times during 2,500 entries: every entry is in one place, totals exact', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  const env = envOf(world.url, undefined, { JOB_LOCK_MS: '500' })
  const bodies = valid(2_500, 5)
  await rejectByBug(redis, bodies)
  const oracle = new Oracle()
  for (const body of bodies) oracle.take(body)
  await using line = runOrders(['run', ...stages, 'api'], env)
  await line.started()
  const url = await line.apiUrl()
  const { body } = await send(`${url}/orders/replay`, 'POST', {})
  let kills = 0
  for (; kills < 10; kills++) {
    const before = Number((await redis.hget('pipeline:counters', 'replayed')) ?? 0)
    await using worker = spawnOrders(['run', 'jobs'], env)
    await worker.started()
    await until(
      'the worker to have moved some',
      () => redis.hget('pipeline:counters', 'replayed'),
      (replayed) => Number(replayed ?? 0) > before || Number(replayed) === 2_500,
    )
    await worker.kill('SIGKILL')
  }
  expect(kills).toBe(10)
  await using last = runOrders(['run', 'jobs'], env)
  expect(await ended(url, body['job_id'])).toMatchObject({
    state: 'completed',
    result: { sent: 2_500, admitted: 2_500, duplicate: 0, conflict: 0, rejected: {} },
  })
  await expectExact(redis, oracle, 0)
  expect(await last.stop()).toEqual({ code: 0, signal: null })
})

test('two replay jobs at once over the same entries: each is requeued once', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  const env = envOf(world.url)
  const bodies = valid(600, 6)
  await rejectByBug(redis, bodies)
  const oracle = new Oracle()
  for (const body of bodies) oracle.take(body)
  await using one = runOrders(['run', ...stages, 'api', 'jobs'], env)
  await using two = runOrders(['run', 'jobs'], env)
  await Promise.all([one.started(), two.started()])
  const url = await one.apiUrl()
  const started = await Promise.all(
    [{}, { limit: 400 }, { code: 'internal-error' }].map((ask) => send(`${url}/orders/replay`, 'POST', ask)),
  )
  const jobs = await Promise.all(started.map(({ body }) => ended(url, body['job_id'])))
  expect(jobs.map(({ state }) => state)).toEqual(['completed', 'completed', 'completed'])
  const sent = jobs.map(({ result }) => Number(result?.['sent']))
  expect(sent.reduce((sum, count) => sum + count, 0)).toBe(600)
  expect(sent[1]).toBeLessThanOrEqual(400)
  expect(await redis.hgetall('pipeline:counters')).toMatchObject({
    received: '1200',
    rejected: '600',
    replayed: '600',
  })
  await expectExact(redis, oracle, 0)
})

test('a corrected order whose original was meanwhile admitted is a conflict or a duplicate, never counted twice', async () => {
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs)
  await using all = runOrders(['run', 'bridge', ...stages, 'api', 'jobs'], env)
  await all.started()
  const url = await all.apiUrl()
  const good = JSON.parse(valid(1, 7)[0] ?? '')
  const bad = { ...good, order_value: good.order_value * 3 }
  await sendBodies(env, [JSON.stringify(bad)])
  const [{ id }] = (await until(
    'it to be rejected',
    async () => (await (await fetch(`${url}/orders/invalid`)).json()) as { id: string }[],
    (found) => found.length === 1,
  )) as [{ id: string }]
  await sendBodies(env, [JSON.stringify(good)]) // the producer has corrected it, too
  await until(
    'it to be counted',
    () => world.redis.hget('pipeline:counters', 'applied'),
    (applied) => applied === '1',
  )

  const same = await send(`${url}/orders/reprocess`, 'POST', good)
  expect((await ended(url, same.body['job_id'])).verdict).toEqual({ verdict: 'duplicate' })
  const other = await send(
    `${url}/orders/invalid/${id}`,
    'PUT',
    { ...good, items: null, order_value: 1 },
    { 'x-operator': 'ann' },
  )
  const conflict = await ended(url, other.body['job_id'])
  expect(conflict.verdict).toMatchObject({
    verdict: 'conflict',
    code: 'conflict',
    reason: expect.stringMatching('was already accepted'),
  })
  const kept = await (await fetch(`${url}/orders/invalid/${conflict.verdict?.['invalid_id']}`)).json()
  expect(kept).toMatchObject({
    attempts: 2,
    first_reason: expect.stringMatching('Calculated total'),
    edits: [{ by: 'ann', ts: expect.any(String), before: JSON.stringify(bad) }],
  })
  expect(await (await fetch(`${url}/stats/global`)).json()).toEqual({
    total_orders: 1,
    total_revenue: good.order_value,
  })
})

test('single entries: found by code, user and page, discarded with a reason, replayed by id', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  await using all = runOrders(['run', ...stages, 'api', 'jobs'], envOf(world.url, undefined, { STAGE_IN_FLIGHT: '1' }))
  await all.started()
  const url = await all.apiUrl()
  const app = appOn(redis)
  const body = (order_id: number, user_id: unknown): string => JSON.stringify({ user_id, order_id, order_value: -1 })
  for (let i = 0; i < 60; i++) await enqueue(redis, app.keys, [{ id: `m${i}`, body: body(i, i % 3 ? `u${i % 3}` : 7) }])
  await enqueue(redis, app.keys, [{ id: 'json', body: 'nonsense' }])
  await redis.xadd('orders:raw', '*', 'r', Buffer.from([0xff]))
  await until(
    '62 invalid orders',
    () => redis.llen('invalid_orders'),
    (length) => length === 62,
  )

  interface Kept {
    id: string
    order: { order_id: number; user_id: unknown } | null
    hint?: string
  }
  const list = async (query: string): Promise<Kept[]> =>
    (await fetch(`${url}/orders/invalid?${query}`)).json() as Promise<Kept[]>
  const everything = await list('limit=1000')
  expect(everything).toHaveLength(62)
  const ofUser = await list('user_id=7&limit=1000')
  expect(ofUser.map(({ order }) => order?.user_id)).toEqual(Array.from({ length: 20 }, () => 7))
  expect(await list('code=malformed-json')).toHaveLength(2)
  const pages: Kept[] = []
  for (let before = ''; ; ) {
    const page = await list(`code=bad-value&limit=7${before}`)
    pages.push(...page)
    if (page.length < 7) break
    before = `&before=${page.at(-1)?.id}`
  }
  expect(pages.map(({ order }) => order?.order_id)).toEqual(Array.from({ length: 60 }, (_, i) => 59 - i))
  const [one = everything[0]] = pages.slice(30)
  if (!one) throw new Error('no entry')
  expect(await (await fetch(`${url}/orders/invalid/${one.id}`)).json()).toEqual(one)

  const gone = await send(
    `${url}/orders/invalid/${one.id}`,
    'DELETE',
    { reason: 'test order' },
    { 'x-operator': 'ann' },
  )
  expect(gone).toEqual({ status: 200, body: { status: 'discarded', id: one.id } })
  const [[, fields = []] = []] = await redis.xrevrange('orders:discarded', '+', '-')
  expect(fields.slice(2)).toEqual(['reason', 'test order', 'by', 'ann', 'ts', expect.any(String)])
  const { hint: _, ...kept } = one // the hint is of the reading
  expect(JSON.parse(fields[1] ?? '')).toEqual(kept)
  expect((await send(`${url}/orders/invalid/${one.id}`, 'DELETE', { reason: 'again' })).status).toBe(404)
  expect((await send(`${url}/orders/invalid/${one.id}`, 'PUT', {})).status).toBe(404)
  expect((await list('limit=1000')).map(({ id }) => id)).toEqual(
    everything.map(({ id }) => id).filter((id) => id !== one.id),
  )

  const ids = [pages[3]?.id, pages[40]?.id, one.id, '1-1']
  const { body: accepted } = await send(`${url}/orders/replay`, 'POST', { ids })
  expect(await ended(url, accepted['job_id'])).toMatchObject({
    state: 'completed',
    result: { sent: 2, rejected: { 'bad-value': 2 } },
  })
  const { body: rest } = await send(`${url}/orders/replay`, 'POST', { dry_run: true })
  expect(rest).toMatchObject({ message: 'Dry run accepted.', matching: 61 })
  expect((await send(`${url}/orders/replay`, 'POST', { dryRun: false, dry_run: true })).status).toBe(422)
  expect(await ended(url, rest['job_id'])).toMatchObject({
    result: { dry_run: true, sent: 0, rejected: { 'bad-value': 59, 'malformed-json': 1 } },
  })
  // A body that is not text stays where it is; it can be corrected or discarded.
  const { body: last } = await send(`${url}/orders/replay`, 'POST', { code: 'malformed-json' })
  expect(await ended(url, last['job_id'])).toMatchObject({ result: { sent: 1, rejected: { 'malformed-json': 1 } } })
  await expectExact(redis, new Oracle(), 61)
})

test('what a later stage rejected by a bug goes back to that stage, and a job that does not exist is refused', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  const bodies = valid(30, 10)
  const oracle = new Oracle()
  for (const body of bodies) oracle.take(body)
  const app = appOn(redis)
  await ensureGroups(app)
  await enqueue(
    redis,
    app.keys,
    bodies.map((body, at) => ({ id: `m${at}`, body })),
  )
  const buggy = {
    ...aggregate,
    decide: () => {
      throw new Error('a bug')
    },
  } as unknown as Stage
  const stop = new AbortController()
  const running = [validate, buggy].map((stage) => runStage(app, stage, () => {}, stop.signal))
  await until(
    'aggregate to have rejected all',
    () => redis.llen('invalid_orders'),
    (length) => length === 30,
  )
  stop.abort()
  await Promise.all(running)

  await using all = runOrders(['run', ...stages, 'api', 'jobs'], envOf(world.url))
  await all.started()
  const url = await all.apiUrl()
  const [kept] = (await (await fetch(`${url}/orders/invalid`)).json()) as { id: string; stage: string }[]
  expect(kept?.stage).toBe('aggregate')
  // Another body in its place would be a duplicate, and the admitted order would be lost.
  expect((await send(`${url}/orders/invalid/${kept?.id}`, 'PUT', bodies[0])).status).toBe(409)
  const { body } = await send(`${url}/orders/replay`, 'POST', {})
  expect(await ended(url, body['job_id'])).toMatchObject({
    state: 'completed',
    result: { sent: 30, returned: 30, admitted: 0 },
  })
  await until(
    'all to be ranked',
    () => redis.hget('pipeline:counters', 'ranked'),
    (ranked) => ranked === '30',
  )
  await expectExact(redis, oracle, 0)
  await using status = runOrders(['status', '--json'], envOf(world.url))
  await status.exit()
  expect(JSON.parse(status.stdout()).stages.map(({ waiting }: { waiting: number }) => waiting)).toEqual([0, 0, 0])

  const added = await send(`${url}/admin/queues/api/queues/replay/add`, 'POST', {
    name: 'replay',
    data: { limit: 1, dryRun: false, until: '9-9' },
    options: {},
  })
  expect(added.status).toBe(200)
  await until(
    'it to be refused',
    () => redis.zcard('{jobs}:replay:failed'),
    (failed) => failed === 1,
  )
})

test('bodies of a megabyte are replayed, a few at a time', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  const bodies = Array.from({ length: 15 }, (_, i) =>
    JSON.stringify({ user_id: 'u', order_id: i, order_value: 1, note: '\u0001'.repeat(150_000) }),
  )
  await rejectByBug(redis, bodies)
  await using all = runOrders(['run', ...stages, 'api', 'jobs'], envOf(world.url, undefined, { LOG_LEVEL: 'debug' }))
  await all.started()
  const url = await all.apiUrl()
  const { body } = await send(`${url}/orders/replay`, 'POST', {})
  expect(await ended(url, body['job_id'])).toMatchObject({ state: 'completed', result: { sent: 15, admitted: 15 } })
  expect(all.events('requeued').length).toBeGreaterThanOrEqual(15)
  expect(all.events('replayed')).toMatchObject([{ sent: 15, admitted: 15 }])
})
