import { brotliCompressSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { openTestApi } from '../../../support/api.ts'

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
    'Content-Encoding zip is not supported: send the body in gzip, deflate or br, or without the header.',
  ],
])('a body that claims to be %s and is not is refused with a sentence', async (encoding, body, status, detail) => {
  await using server = await openTestApi()
  const headers = { 'content-type': 'application/json', 'content-encoding': encoding }
  const reply = await fetch(`${server.url}/admin/pause/validate`, { method: 'POST', headers, body })
  expect(reply.headers.get('content-type')).toContain('application/problem+json')
  expect(await reply.json()).toMatchObject({ status, detail })
})

test.each([
  ['gzip', gzipSync(plain)],
  ['br', brotliCompressSync(plain)],
])('a body that is %s is taken', async (encoding, body) => {
  await using server = await openTestApi()
  const headers = { 'content-type': 'application/json', 'content-encoding': encoding }
  const reply = await fetch(`${server.url}/admin/pause/validate`, { method: 'POST', headers, body })
  expect(reply.status).toBe(200)
})

test('other requests that cannot be read are refused with a sentence too', async () => {
  await using server = await openTestApi()
  const headers = { 'content-type': 'application/json; charset=utf-99' }
  const reply = await fetch(`${server.url}/admin/pause/validate`, { method: 'POST', headers, body: '{}' })
  expect(await reply.json()).toMatchObject({
    status: 415,
    detail: 'The charset of the content-type is not supported: send JSON in UTF-8.',
  })
  expect(await (await fetch(`${server.url}/users/%ff/stats`)).json()).toMatchObject({
    status: 400,
    detail: 'The path is not UTF-8: percent-encode it as UTF-8.',
  })
})
