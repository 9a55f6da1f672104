import { request as httpRequest } from 'node:http'
import { expect, test } from 'vitest'
import { routes } from '../../../../src/api/server.ts'
import { openTestApi, type TestApi } from '../../../support/api.ts'
import { corrected } from '../../../support/jobs.ts'
import { adminToken } from '../../../support/world.ts'

interface Sent {
  readonly status: number | undefined
  readonly headers: Record<string, unknown>
  readonly body: Record<string, unknown>
}

/** By node:http, because fetch does not let one set Host and Origin. */
async function ask(url: string, method: string, headers: Record<string, string> = {}, body?: string): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    const request = httpRequest(url, { method, headers: { ...length, ...headers } }, (response) => {
      let text = ''
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () => {
        const json = response.headers['content-type']?.includes('json') ? JSON.parse(text) : {}
        resolve({ status: response.statusCode, headers: response.headers, body: json })
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}

const wrongToken =
  'The token is not the ADMIN_TOKEN of this API: send the right one as Authorization: Bearer <ADMIN_TOKEN>.'
const json = { 'content-type': 'application/json' }
const post = (server: TestApi, headers: Record<string, string> = {}, body = JSON.stringify(corrected)): Promise<Sent> =>
  ask(`${server.url}/orders/reprocess`, 'POST', { ...json, ...headers }, body)
const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})

test('without a token this machine may write, by a name of its own only', async () => {
  await using server = await openTestApi()
  const port = new URL(server.url).port
  for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) {
    expect([host, (await post(server, { host })).status]).toEqual([host, 202])
  }
  for (const host of ['evil.example', `localhost.evil.example:${port}`, '127.0.0.1.evil.example']) {
    expect([host, (await post(server, { host })).status]).toEqual([host, 403])
    expect((await ask(`${server.url}/admin/queues/`, 'GET', { host })).status).toBe(403)
  }
  expect((await ask(`${server.url}/admin/queues/`, 'GET')).status).toBe(200)
  expect(server.log.some((line) => line.includes('ADMIN_TOKEN is not set'))).toBe(true)
})

test('another site cannot write through a browser: neither by a form nor by naming itself', async () => {
  for (const env of [{}, { ADMIN_TOKEN: adminToken }]) {
    await using server = await openTestApi(env)
    const known = env.ADMIN_TOKEN ? basic('ann', adminToken) : {}
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      expect((await post(server, { ...known, 'content-type': type })).status).toBe(415)
    }
    expect((await post(server, { ...known, origin: 'https://evil.example' })).status).toBe(403)
    expect((await post(server, { ...known, origin: 'null' })).status).toBe(403)
    expect(
      (await ask(`${server.url}/admin/queues/api/queues/pause`, 'PUT', { ...known, origin: 'https://evil.example' }))
        .status,
    ).toBe(403)
    expect((await post(server, { ...known, origin: server.url })).status).toBe(202)
  }
})

test('with a token: Bearer, or Basic with any user name; anything else is 401', async () => {
  await using server = await openTestApi({ ADMIN_TOKEN: 'se:cret-of-16-characters' })
  expect((await post(server, { authorization: 'Bearer se:cret-of-16-characters' })).status).toBe(202)

  expect((await post(server, basic('anyone', 'se:cret-of-16-characters'))).status).toBe(202)
  expect((await ask(`${server.url}/admin/queues/`, 'GET', basic('', 'se:cret-of-16-characters'))).status).toBe(200)
  const refused = await post(server)
  expect(refused.status).toBe(401)
  expect(refused.headers['www-authenticate']).toMatch(/^Basic/)
  for (const authorization of [
    'Bearer wrong',
    'Bearer ',
    'Bearer se:cret-of-16-characters2',
    'Basic x',
    'Digest se:cret-of-16-characters',
  ]) {
    const wrong = await post(server, { authorization })
    expect([authorization, wrong.status, wrong.body['detail']]).toEqual([authorization, 401, wrongToken])
  }
  for (const route of routes.filter(({ body }) => body)) {
    const url = `${server.url}${route.path.replace('{id}', '1-0')}`
    expect([route.path, (await ask(url, route.method.toUpperCase(), json, '{}')).status]).toEqual([route.path, 401])
  }
  expect((await ask(`${server.url}/stats/global`, 'GET')).status).toBe(200) // reading needs none
  expect(server.log.join()).not.toContain('se:cret-of-16-characters')
})

test('each of several tokens is accepted, the list itself and any other token is not', async () => {
  const [next, old] = ['next-token-of-this-test', 'old-token-of-this-test']
  await using server = await openTestApi({ ADMIN_TOKEN: `${next},${old}` })
  const statusOf = async (headers: Record<string, string>) => (await post(server, headers)).status
  for (const token of [next, old]) {
    expect(await statusOf({ authorization: `Bearer ${token}` })).toBe(202)
    expect(await statusOf(basic('anyone', token))).toBe(202)
  }
  for (const token of [`${next},${old}`, `${next}x`, old.slice(1), ','])
    expect([token, await statusOf({ authorization: `Bearer ${token}` })]).toEqual([token, 401])
})

test('too many wrong tokens are 429; a right one is never refused, and who sends none is not counted', async () => {
  await using server = await openTestApi({ ADMIN_TOKEN: adminToken })
  const right = { authorization: `Bearer ${adminToken}` }
  for (let i = 0; i < 20; i++) expect((await post(server)).status).toBe(401)
  expect((await post(server, right)).status).toBe(202)
  for (let i = 0; i < 10; i++) expect((await post(server, { authorization: `Bearer ${i}` })).status).toBe(401)
  const refused = await post(server, { authorization: 'Bearer x' })
  expect(refused).toMatchObject({ status: 429, body: { title: 'Too Many Requests' } })
  expect(refused.headers).toMatchObject({ connection: 'close', 'retry-after': '60' })
  expect((await post(server, right)).status).toBe(202)
})

/** Sends guesses one behind the other from an address of this machine, a connection each. */
async function guess(server: TestApi, localAddress: string, guesses: number): Promise<(number | undefined)[]> {
  const url = `${server.url}/admin/audit`
  const one = (at: number): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${localAddress}-${at}` }
      const request = httpRequest(url, { headers, localAddress, agent: false }, (response) => {
        response.resume().once('end', () => resolve(response.statusCode))
      })
      request.once('error', reject)
      request.end()
    })
  return Promise.all(Array.from({ length: guesses }, (_, at) => one(at)))
}

test('of guesses from many addresses at once ten an address and a hundred in all are answered as wrong', async () => {
  await using server = await openTestApi({ ADMIN_TOKEN: adminToken })
  const addresses = Array.from({ length: 20 }, (_, at) => `127.0.1.${at + 1}`)
  const statuses = (await Promise.all(addresses.map((address) => guess(server, address, 12)))).flat()
  expect(statuses.filter((status) => status === 401)).toHaveLength(100)
  expect(statuses.filter((status) => status === 429)).toHaveLength(140)
  expect((await post(server, { authorization: `Bearer ${adminToken}` })).status).toBe(202)
})

test('a corrected order must have every field, and each wrong one is named', async () => {
  await using server = await openTestApi()
  const wrong = {
    order_id: '',
    user_id: 1.5,
    order_timestamp: 5,
    order_value: -1,
    items: [{ quantity: 1.5, price_per_unit: 'x' }],
    shipping_address: 1,
  }
  const { status, body } = await post(server, {}, JSON.stringify(wrong))
  expect(status).toBe(422)
  const fields = (body['errors'] as { field: string }[]).map(({ field }) => field)
  expect(fields.sort()).toEqual([
    'items.0.price_per_unit',
    'items.0.product_id',
    'items.0.quantity',
    'order_id',
    'order_timestamp',
    'order_value',
    'payment_method',
    'shipping_address',
    'user_id',
  ])
  for (const field of Object.keys(corrected)) {
    const { [field]: _, ...rest } = corrected as Record<string, unknown>
    expect(await post(server, {}, JSON.stringify(rest))).toMatchObject({
      status: 422,
      body: { errors: [{ field, message: expect.any(String) }] },
    })
  }
  expect(await ask(`${server.url}/orders/replay`, 'POST', json)).toMatchObject({
    status: 400,
    body: { detail: 'A JSON body is needed: send {} at least.' },
  })
  expect(await post(server, {}, '{')).toMatchObject({ status: 400, body: { detail: 'The body is not JSON.' } })
  expect(await post(server, {}, JSON.stringify({ ...corrected, note: 'x'.repeat(4_200_000) }))).toMatchObject({
    status: 413,
  })
})

test('an Idempotency-Key is one job, and with another order it is 409', async () => {
  await using server = await openTestApi()
  const key = { 'idempotency-key': 'k1' }
  const first = await post(server, key)
  expect(first).toMatchObject({ status: 202, body: { status: 'accepted', message: 'Order sent for reprocessing.' } })
  expect((await post(server, key)).body['job_id']).toBe(first.body['job_id'])
  expect((await post(server, { 'idempotency-key': 'k2' })).body['job_id']).not.toBe(first.body['job_id'])
  expect((await post(server)).body['job_id']).not.toBe(first.body['job_id'])
  expect(await post(server, key, JSON.stringify({ ...corrected, order_value: 9.95 }))).toMatchObject({ status: 409 })
})

test('an Idempotency-Key whose job was cancelled is 409', async () => {
  await using server = await openTestApi()
  const key = { 'idempotency-key': 'k' }
  const { body } = await post(server, key)
  expect((await ask(`${server.url}/jobs/${body['job_id']}`, 'DELETE')).status).toBe(200)
  expect(await post(server, key)).toMatchObject({
    status: 409,
    body: { detail: 'The job of this Idempotency-Key was cancelled: use a new one.' },
  })
  expect((await post(server, { 'idempotency-key': 'another' })).status).toBe(202)
})

test('what is not there is 404, what is no id is 422', async () => {
  await using server = await openTestApi()
  const put = (id: string) => ask(`${server.url}/orders/invalid/${id}`, 'PUT', json, '{}')
  expect((await put('1-0')).status).toBe(404)
  expect((await put('one')).status).toBe(422)
  expect((await ask(`${server.url}/orders/invalid/1-0`, 'DELETE', json, '{"reason":"old"}')).status).toBe(404)
  expect((await ask(`${server.url}/orders/invalid/1-0`, 'DELETE', json, '{}')).status).toBe(422)
  expect((await ask(`${server.url}/orders/invalid/1-0`, 'GET')).status).toBe(404)
  for (const id of ['replay-1', 'reprocess-1', 'nonsense']) {
    expect([id, (await ask(`${server.url}/jobs/${id}`, 'GET')).status]).toEqual([id, 404])
  }
  for (const body of ['{"limit":0}', '{"code":"x"}', '{"ids":["x"]}', '{"dryrun":true}']) {
    expect([body, (await ask(`${server.url}/orders/replay`, 'POST', json, body)).status]).toEqual([body, 422])
  }
  const unknown = await ask(`${server.url}/orders/replay`, 'POST', json, '{"dryrun":true}')
  expect(unknown.body['errors']).toEqual([{ field: 'dryrun', message: 'is not known' }])
  const many = await post(server, {}, JSON.stringify({ ...corrected, items: Array.from({ length: 100_000 }, () => 0) }))
  expect(many.body['errors']).toHaveLength(100)
})
