import type { Starter } from './errands.ts'
import { ended, send, writing } from './jobs.ts'
import { until } from './until.ts'

const order = {
  user_id: 'user_1',
  order_id: 'corrected-1',
  order_value: 2,
  order_timestamp: '2026-01-01T00:00:00Z',
  items: [{ product_id: 'P1', quantity: 2, price_per_unit: 1 }],
  shipping_address: 'a',
  payment_method: 'b',
}

/** Jobs of each kind, with a worker that is killed at work. */
export async function jobErrands(url: string, starter: Starter): Promise<string[]> {
  const [first, second, third] = (await (await fetch(`${url}/orders/invalid?limit=3`)).json()) as { id: string }[]
  const key = { 'idempotency-key': 'errand' }
  const written = [
    await send(`${url}/orders/reprocess`, 'POST', order, key),
    await send(`${url}/orders/reprocess`, 'POST', order, key),
    await send(`${url}/orders/invalid/${first?.id}`, 'PUT', { ...order, order_id: 'corrected-2' }),
    await send(`${url}/orders/invalid/${second?.id}`, 'DELETE', { reason: 'an errand' }),
    await send(`${url}/orders/replay`, 'POST', { ids: [third?.id] }),
    await send(`${url}/orders/replay`, 'POST', { dryRun: true }),
    await send(`${url}/dlq/redrive`, 'POST', { dryRun: true }),
  ]
  const jobs = written.flatMap(({ body }) => (body['job_id'] === undefined ? [] : [String(body['job_id'])]))
  await send(`${url}/admin/pause/validate`, 'POST', {})
  await (async () => {
    await using dead = await starter.spawn('jobs', ['jobs'])
    await until('a job to be worked', async () => (await states(url, jobs)).includes('active'))
    await dead.kill('SIGKILL')
  })()
  const worker = await starter.run('jobs', ['jobs'])
  await until('a job to fail', async () => worker.events('jobFailed').length > 0)
  await send(`${url}/admin/resume/validate`, 'POST', {})
  const { body } = await send(`${url}/dlq/redrive`, 'POST', {})
  await Promise.all([...jobs, body['job_id']].map((id) => ended(url, id)))
  const failures = worker.events('jobFailed').filter(({ error }) => !/verdict/.test(String(error)))
  return [...written.filter(({ status }) => status >= 300), ...failures].map((one) => JSON.stringify(one))
}

async function states(url: string, ids: readonly string[]): Promise<string[]> {
  const jobs = await Promise.all(ids.map(async (id) => (await fetch(`${url}/jobs/${id}`)).json()))
  return (jobs as { state: string }[]).map(({ state }) => state)
}

/** Every page and route that only reads. */
export async function readingErrands(url: string): Promise<string[]> {
  const invalid = await (await fetch(`${url}/orders/invalid?limit=1`)).json()
  const [{ id }] = invalid as [{ id: string }]
  const paths = [
    '/users/user_1/stats',
    '/users/user_1/rank?around=2',
    '/stats/global',
    '/stats/top-users',
    '/stats/top-users?by=orders&after=',
    '/stats/top-users?offset=1&n=2',
    '/integrity',
    '/live/snapshot',
    '/orders/user_1/corrected-1/trace',
    '/orders/user_1/no-such-order/trace',
    `/orders/invalid/${id}`,
    `/orders/invalid?before=${id}`,
    '/orders/invalid?code=malformed-json&user_id=user_1',
    '/orders/invalid?code=malformed-json',
    '/orders/invalid/summary',
    '/admin/pauses',
    '/admin/audit',
    '/',
  ]
  return [...(await getAll(url, paths)), ...(await metricsErrands(url))]
}

export const metricsErrands = (url: string): Promise<string[]> => getAll(url, ['/metrics', '/livez', '/readyz'])

async function getAll(url: string, paths: readonly string[]): Promise<string[]> {
  const answers = await Promise.all(
    paths.map(async (path) => {
      const response = await fetch(url + path, { headers: writing })
      const text = await response.text()
      const unread = /^orders_reading_failing\{.*\} 1$/m.exec(text)?.[0]
      if (unread) return `${path}: ${unread}`
      return response.ok ? '' : `${path}: ${text}`
    }),
  )
  return answers.filter((answer) => answer !== '')
}

/** Does everything that Bull Board can do with our queues. */
export async function boardErrands(url: string): Promise<string[]> {
  const api = `${url}/admin/queues/api`
  const queue = `${api}/queues/reprocess`
  const reads = ['/redis/stats', '/queues?activeQueue=reprocess&status=failed&page=1&jobsPerPage=10', '/job-schedulers']
  const ofQueue = ['/metrics', '/default-job-options', '/workers', '/rate-limit']
  const complaints = await getAll(api, [...reads, ...ofQueue.map((path) => `/queues/reprocess${path}`)])
  const write = async (method: string, path: string, body: unknown = {}): Promise<Record<string, unknown>> => {
    const response = await fetch(`${queue}${path}`, {
      method,
      headers: writing,
      body: JSON.stringify(body),
    })
    const text = await response.text()
    if (!response.ok) complaints.push(`${method} ${path}: ${response.status} ${text}`)
    return response.ok && text !== '' ? JSON.parse(text) : {}
  }
  const add = async (options: object): Promise<string> => {
    const { job } = await write('POST', '/add', { name: 'order', data: { body: '{}' }, options })
    return String((job as { id?: string } | undefined)?.id)
  }
  await write('PUT', '/pause')
  const [waiting, delayed, later] = [await add({}), await add({ delay: 60_000 }), await add({ delay: 60_000 })]
  complaints.push(...(await getAll(queue, [`/${waiting}`, `/${waiting}/logs`, `/${waiting}/flow`])))
  await write('PATCH', `/${waiting}/update-data`, { jobData: { body: '{"user_id":1}' } })
  await write('PATCH', `/${delayed}/delay`, { runAt: Date.now() + 30_000 })
  await write('PATCH', `/${waiting}/priority`, { priority: 2 })
  await write('PUT', `/${delayed}/promote`)
  await write('PUT', '/promote')
  await write('PUT', `/${later}/clean`)
  for (const state of ['completed', 'failed', 'delayed']) await write('PUT', `/clean/${state}`)
  await write('PUT', '/concurrency', { concurrency: 50 })
  await write('PUT', '/empty')
  await write('PUT', '/resume')
  await write('PUT', '/retry/failed')
  return complaints
}

/** Does what an operator does by HTTP. */
export async function adminErrands(url: string): Promise<string[]> {
  const answers = [
    await send(`${url}/admin/pause/leaderboard`, 'POST', { reason: 'an errand' }),
    await send(`${url}/admin/resume/leaderboard`, 'POST', {}),
    await send(`${url}/admin/drain`, 'POST', {}),
    await send(`${url}/admin/resume/bridge`, 'POST', {}),
  ]
  return answers.filter(({ status }) => status >= 300).map((answer) => JSON.stringify(answer))
}
