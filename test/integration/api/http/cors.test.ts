import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { describe, expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { openTestApi } from '../../../support/api.ts'

/** By node:http, because fetch does not let one set Origin. */
async function ask(url: string, method: string, headers: Record<string, string>) {
  return new Promise<{ status: number | undefined; headers: IncomingHttpHeaders }>((resolve, reject) => {
    const request = httpRequest(url, { method, headers }, (reply) => {
      reply.resume().on('end', () => resolve({ status: reply.statusCode, headers: reply.headers }))
    })
    request.on('error', reject).end(method === 'POST' ? '{}' : undefined)
  })
}

const shop = 'https://shop.example'
const list = { API_CORS_ORIGINS: `${shop},http://localhost:3000` }
const preflight = (method: string) => ({ origin: shop, 'access-control-request-method': method })

test('without API_CORS_ORIGINS no other site may read: no reply has a header of CORS', async () => {
  await using api = await openTestApi()
  for (const asked of [
    ask(`${api.url}/stats/global`, 'GET', { origin: shop }),
    ask(api.url, 'OPTIONS', preflight('GET')),
  ]) {
    const names = Object.keys((await asked).headers)
    expect(names.filter((name) => name.startsWith('access-control-'))).toEqual([])
  }
})

test('the sites that are listed may read, by their exact origin, and never with credentials of the browser', async () => {
  await using api = await openTestApi(list)
  for (const path of ['/stats/global', '/live/snapshot', '/stats/top-users?n=0', '/nowhere']) {
    const { headers } = await ask(`${api.url}${path}`, 'GET', { origin: shop })
    expect([path, headers['access-control-allow-origin'], headers.vary]).toEqual([path, shop, 'Origin'])
    expect(headers['access-control-allow-credentials']).toBeUndefined()
  }
  for (const origin of ['https://shop.example.evil', 'http://shop.example', `${shop}:444`, 'null', '*']) {
    const { headers } = await ask(`${api.url}/stats/global`, 'GET', { origin })
    expect([origin, headers['access-control-allow-origin'], headers.vary]).toEqual([origin, undefined, 'Origin'])
  }
})

test('a preflight is answered for what reads; what writes stays closed to other sites', async () => {
  await using api = await openTestApi({ ...list, ADMIN_TOKEN: 'secret-secret-16' })
  const reading = await ask(`${api.url}/admin/audit`, 'OPTIONS', preflight('GET'))
  expect(reading).toMatchObject({
    status: 204,
    headers: {
      'access-control-allow-origin': shop,
      'access-control-allow-methods': 'GET, HEAD',
      'access-control-allow-headers': 'authorization, content-type, x-request-id',
    },
  })
  const writing = { origin: shop, authorization: 'Bearer secret-secret-16', 'content-type': 'application/json' }
  for (const more of [{}, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }]) {
    const reply = await ask(`${api.url}/admin/pause/validate`, 'POST', { ...writing, ...more })
    expect([more, reply.status]).toEqual([more, 403])
  }
  expect(await ask(`${api.url}/admin/audit`, 'GET', { origin: shop })).toMatchObject({ status: 401 })
  expect(await ask(`${api.url}/admin/audit`, 'GET', writing)).toMatchObject({ status: 200 })
})

describe('API_CORS_ORIGINS', () => {
  test.each([
    '*',
    'shop.example',
    'https://shop.example/',
    'https://shop.example/path',
    'ftp://x',
    'https://a.example,',
    'null',
  ])('refuses %s', (given) => {
    expect(() => readConfig({ API_CORS_ORIGINS: given })).toThrow(
      `API_CORS_ORIGINS is ${JSON.stringify(given)}: expected origins separated by commas, such as https://shop.example`,
    )
  })
})
