import { expect, test } from 'vitest'
import { spawnOrders } from '../support/process.ts'
import { until } from '../support/until.ts'
import { emptyRedis, envOf } from '../support/world.ts'

/** Gives a slow machine the time to ask everything. */
const drainMs = '60000'

test.each([
  ['api', { API_PORT: '0' }],
  ['validate', { METRICS_PORT: '0' }],
])('on SIGTERM %s is not ready at once, and its port answers for DRAIN_MS', async (role, port) => {
  await using redis = await emptyRedis()
  await using orders = spawnOrders(['run', role], envOf(redis.url, undefined, { ...port, DRAIN_MS: drainMs }))
  const url = await orders.apiUrl()
  await orders.started()
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
  orders.child.kill('SIGTERM')
  const refused = await until(
    'it to be unready',
    () => fetch(`${url}/readyz`),
    ({ status }) => status === 503,
  )
  expect(await refused.json()).toMatchObject({
    status: 503,
    detail: 'This process is stopping: send requests to another.',
  })
  await until('its work to have ended', () => orders.events('stopped').length)
  const paths = ['/livez', '/metrics', ...(role === 'api' ? ['/stats/global', '/', '/live/snapshot'] : [])]
  for (const path of paths) {
    const { status, headers } = await fetch(`${url}${path}`)
    expect([path, status, headers.get('connection')]).toEqual([path, 200, 'close'])
  }
  expect((await fetch(`${url}/readyz`)).status).toBe(503)
})

test('the port is closed, and the process has ended, once DRAIN_MS is over', async () => {
  await using redis = await emptyRedis()
  await using orders = spawnOrders(['run', 'api'], envOf(redis.url, undefined, { DRAIN_MS: '300' }))
  const url = await orders.apiUrl()
  await orders.started()
  expect(await orders.kill('SIGTERM')).toEqual({ code: 0, signal: null })
  await expect(fetch(url)).rejects.toThrow()
})

test('a dashboard that looks on stays with a process that stops until DRAIN_MS is over', async () => {
  await using redis = await emptyRedis()
  await using orders = spawnOrders(['run', 'api'], envOf(redis.url, undefined, { DRAIN_MS: drainMs }))
  const url = await orders.apiUrl()
  await orders.started()
  const events = (await fetch(`${url}/live`)).body?.getReader()
  orders.child.kill('SIGTERM')
  await until('its work to have ended', () => orders.events('stopped').length)
  for (let chunk = 0; chunk < 3; chunk++) expect(await events?.read()).toMatchObject({ done: false })
  await events?.cancel()
})
