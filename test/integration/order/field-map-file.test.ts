import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readFieldMap } from '../../../src/order/read-field-map.ts'
import { placesIn, shopFields } from '../../support/shops.ts'

const folder = mkdtempSync(join(tmpdir(), 'field-map-'))
afterAll(() => rmSync(folder, { recursive: true }))

function fileWith(text: string): string {
  const file = join(folder, 'fields.json')
  writeFileSync(file, text)
  return file
}

test('a file holds the same as JSON, a path as text or as a list of names', () => {
  const file = fileWith(
    '{"user_id":"customer.id","order_id":["a.b","c"],"order_value":{"path":"total","decimal":true},"items.quantity":{"path":["n"]}}',
  )
  expect(placesIn(readFieldMap(file))).toEqual({
    user_id: ['customer', 'id'],
    order_id: ['a.b', 'c'],
    order_value: [['total'], 'decimal'],
    quantity: ['n'],
  })
})

test.each([
  ['no JSON', 'a file with JSON in it'],
  ['["user_id"]', 'a file with a JSON object of paths by field'],
  ['{"user_id":1}', 'a file with a JSON object of paths by field'],
  ['{"order_value":{"path":"a","decimal":1}}', 'a file with a JSON object of paths by field'],
  ['{"order_value":{"path":"a","text":true}}', 'a file with a JSON object of paths by field'],
  ['{"user":"a"}', 'fields from user_id'],
  ['{"user_id":[]}', 'a path without empty names'],
  ['{}', 'a file with at least one field in it'],
])('a file with %s is refused', (text, expected) => {
  expect(readFieldMap(fileWith(text))).toContain(expected)
})

test('a file that is not there is refused', () => {
  expect(readFieldMap(join(folder, 'none.json'))).toBe(
    'a list of field:path, or the path of a JSON file that can be read',
  )
})

test('the ready maps of the page are the ones that the tests run with, as lists and as a file', () => {
  const page = readFileSync(new URL('../../../docs/how-to/map-your-fields.md', import.meta.url), 'utf8')
  const lists = [...page.matchAll(/^ORDER_FIELDS=(.*)$/gm)].map(([, list]) => list)
  expect(lists).toEqual([shopFields.shopify, shopFields.wooCommerce])
  const [, json = ''] = /```json woocommerce\n(.*?)```/s.exec(page) ?? []
  expect(readFieldMap(fileWith(json))).toEqual(readFieldMap(shopFields.wooCommerce))
})
