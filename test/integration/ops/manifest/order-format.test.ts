import { expect, test } from 'vitest'
import { renewPresence } from '../../../../src/control/presence.ts'
import { orderFormat } from '../../../../src/ops/checks/order-format.ts'
import { announceFormat } from '../../../../src/ops/manifest/order-format.ts'
import { formatWith, shopFields } from '../../../support/shops.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

test('roles that run by other settings than this process are named, until they are started with the same', async () => {
  await using world = await emptyRedis()
  const plain = appOn(world.redis)
  const mapped = { ...plain, format: formatWith({ ORDER_FIELDS: shopFields.wooCommerce, VALUE_TOLERANCE: '2' }) }
  await announceFormat(mapped, ['validate', 'aggregate', 'leaderboard'])
  expect(await orderFormat(plain)).toEqual([]) // none of them runs
  await renewPresence(plain, new Map(['bridge', 'validate', 'aggregate'].map((role) => [role, 0])), true)

  const advice = (setting: string) => `Start every process with the same ${setting}: docs/how-to/map-your-fields.md.`
  const fields =
    'user_id:customer_id,order_id:id,order_value:total:decimal,items:line_items,order_timestamp:date_created_gmt,items.product_id:sku,items.price_per_unit:price:decimal'
  const finding = (found: string, setting: string) => ({
    check: 'order format',
    level: 'warning',
    found,
    advice: advice(setting),
  })
  expect(await orderFormat(plain)).toEqual([
    finding(`validate was started with ORDER_FIELDS=${fields}, this process has no ORDER_FIELDS`, 'ORDER_FIELDS'),
    finding('validate was started with VALUE_TOLERANCE=2, this process has no VALUE_TOLERANCE', 'VALUE_TOLERANCE'),
  ])
  expect((await orderFormat(mapped)).map(({ found }) => found)).toEqual([
    `bridge was started with no ORDER_FIELDS, this process has ORDER_FIELDS=${fields}`,
    'bridge was started with no VALUE_TOLERANCE, this process has VALUE_TOLERANCE=2',
  ])
  await announceFormat(mapped, ['bridge'])
  expect(await orderFormat(mapped)).toEqual([])
  await announceFormat(plain, ['bridge', 'validate'])
  expect(await orderFormat(plain)).toEqual([])
  expect(await world.redis.hgetall('pipeline:manifest')).toEqual({})
})
