import { expect, test } from 'vitest'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { rejectByBug } from '../support/broken-release.ts'
import { corrected, ended, send } from '../support/jobs.ts'
import { spawnOrders } from '../support/process.ts'
import { requireRealRedis } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { until } from '../support/until.ts'
import { adminToken, emptyRedis, envOf } from '../support/world.ts'

const count = 2_500
const bodies = [...sampleOrders({ valid: count, invalid: 0, users: 20, seed: 5 })].map(({ body }) => body)

async function output(words: readonly string[], env: Record<string, string>): Promise<string> {
  await using command = runOrders(words, env)
  const { code } = await command.exit()
  const text = command.stdout() + command.stderr()
  if (!words.includes('--json')) expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  return `${code} ${text}`
}

for (const [when, killed] of [
  ['before', true],
  ['after', true],
  ['without', false],
] as const) {
  test(`a replay is cancelled ${when} a kill -9 of its worker: what it has sent is judged, the rest stays invalid`, async (context) => {
    requireRealRedis(context)
    await using world = await emptyRedis()
    const { redis } = world
    const env = envOf(world.url, undefined, { JOB_LOCK_MS: '500' })
    await rejectByBug(redis, bodies)
    await using line = runOrders(['run', 'validate', 'aggregate', 'leaderboard', 'api'], env)
    await line.started()
    const url = await line.apiUrl()
    const { body } = await send(`${url}/orders/replay`, 'POST', {})
    const id = String(body['job_id'])
    await using worker = spawnOrders(['run', 'jobs'], env)
    await worker.started()
    const moved = async (): Promise<number> => Number((await redis.hget('pipeline:counters', 'replayed')) ?? 0)
    await until('some to be sent', moved, (replayed) => replayed > 0)
    if (when === 'after') await worker.kill('SIGKILL')
    const cancelled = await fetch(`${url}/jobs/${id}`, { method: 'DELETE', headers: authorized })
    expect(cancelled.status).toBe(200)
    expect(await cancelled.json()).toMatchObject({ status: 'stopping', id })
    if (when === 'before') await worker.kill('SIGKILL')
    await using next = runOrders(killed ? ['run', 'jobs'] : ['status'], env)
    const job = await ended(url, id)
    const sent = await moved()
    expect(sent).toBeLessThan(count)
    expect(job).toMatchObject({
      state: 'completed',
      progress: { done: sent, total: count },
      result: { cancelled: true, sent, admitted: sent },
    })
    expect(await redis.llen('invalid_orders')).toBe(count - sent)
    const done = Math.floor((sent / count) * 100)
    expect(await output(['jobs'], env)).toMatch(
      new RegExp(`^0 job .*\\n${id}  cancelled  replay  +\\d+s +${done} %\\n$`),
    )
    expect(await output(['jobs', 'show', id], env)).toMatch(
      /\nprogress +[\d,]+ of 2,500\nIt was cancelled.*\nsent +[\d,]+\n/,
    )
    expect(await output(['jobs', 'cancel', id], env)).toMatch(/^1 Job .* has\s+ended/s)
    const again = await fetch(`${url}/jobs/${id}`, { method: 'DELETE', headers: authorized })
    expect([again.status, again.headers.get('content-type')]).toEqual([409, 'application/problem+json; charset=utf-8'])
    await next.stop()
  })
}

const authorized = { authorization: `Bearer ${adminToken}` }

test('orders jobs lists jobs that wait, removes one, and leaves an entry in the audit log', async () => {
  await using world = await emptyRedis()
  const env = envOf(world.url)
  await using api = runOrders(['run', 'api'], env)
  await api.started()
  const url = await api.apiUrl()
  expect(await output(['jobs'], env)).toBe('0 There is no job.\n')
  const { body } = await send(`${url}/orders/reprocess`, 'POST', corrected)
  const id = String(body['job_id'])
  expect(await output(['jobs'], env)).toMatch(new RegExp(`^0 job .*\\n${id}  waiting  order +\\d+s +-\\n$`))
  expect(JSON.parse((await output(['jobs', '--json'], env)).slice(2))).toMatchObject({ id, state: 'waiting' })
  expect(await output(['jobs', 'show', id], env)).toMatch(/^0 job +reprocess-.*\nkind +order\nstate +waiting\n/)
  expect((await fetch(`${url}/jobs/${id}`, { method: 'DELETE' })).status).toBe(401)
  expect(await output(['jobs', 'cancel', id], env)).toBe(`0 Job ${id} is removed.\nIt has sent nothing.\n`)
  expect(await output(['jobs', 'cancel', id], env)).toMatch(/^1 There is no job/)
  expect((await fetch(`${url}/jobs/${id}`, { method: 'DELETE', headers: authorized })).status).toBe(404)
  const audit = await output(['audit', '--json'], env)
  expect(JSON.parse(audit.slice(2).split('\n')[0] ?? '')).toMatchObject({
    action: 'cancel',
    what: { id },
    outcome: 'done',
  })
  expect(await output(['jobs', 'stop', id], env)).toMatch(/^2 orders jobs: expected list \| show <id> \| cancel <id>/)
})
