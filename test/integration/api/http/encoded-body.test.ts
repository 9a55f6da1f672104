import { brotliCompressSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { openApi } from '../../../../src/api/server.ts'
import { readConfig } from '../../../../src/config.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const plain = Buffer.from('{}')
const notAs = (encoding: string): string =>
  `The body is not ${encoding}, as Content-Encoding says: send it in that encoding, or without the header.`

test.each([
  ['gzip', plain, 400, notAs('gzip')],
  ['gzip', gzipSync(plain).subarray(0, 12), 400, notAs('gzip')],
  ['deflate', plain, 400, notAs('deflate')],
  ['br', Buffer.from('no brotli'), 400, notAs('br')],
  [
    'zip',
    plain,
    415,
    'Content-Encoding zip is not known here: send the body in gzip, deflate or br, or without the header.',
  ],
])('a body that claims to be %s and is not is refused with a sentence', async (encoding, body, status, detail) => {
  await using world = await emptyRedis()
  await using server = await openApi(appOn(world.redis, readConfig({ REDIS_URL: world.url, API_PORT: '0' })))
  const headers = { 'content-type': 'application/json', 'content-encoding': encoding }
  const reply = await fetch(`${server.url}/admin/pause/validate`, { method: 'POST', headers, body })
  expect(reply.headers.get('content-type')).toContain('application/problem+json')
  expect(await reply.json()).toMatchObject({ status, detail })
})

test.each([
  ['gzip', gzipSync(plain)],
  ['br', brotliCompressSync(plain)],
])('a body that is %s is taken', async (encoding, body) => {
  await using world = await emptyRedis()
  await using server = await openApi(appOn(world.redis, readConfig({ REDIS_URL: world.url, API_PORT: '0' })))
  const headers = { 'content-type': 'application/json', 'content-encoding': encoding }
  const reply = await fetch(`${server.url}/admin/pause/validate`, { method: 'POST', headers, body })
  expect(reply.status).toBe(200)
})

test('other requests that cannot be read are refused with a sentence too', async () => {
  await using world = await emptyRedis()
  await using server = await openApi(appOn(world.redis, readConfig({ REDIS_URL: world.url, API_PORT: '0' })))
  const headers = { 'content-type': 'application/json; charset=utf-99' }
  const reply = await fetch(`${server.url}/admin/pause/validate`, { method: 'POST', headers, body: '{}' })
  expect(await reply.json()).toMatchObject({
    status: 415,
    detail: 'The charset of the content-type is not known here: send JSON in UTF-8.',
  })
  expect(await (await fetch(`${server.url}/users/%ff/stats`)).json()).toMatchObject({
    status: 400,
    detail: 'The path is no UTF-8: encode it in percent signs as UTF-8.',
  })
})
