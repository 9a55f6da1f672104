import { expect, test } from 'vitest'
import { makeKeys, makePartitions } from '../../../src/keys.ts'
import { partitionFor } from '../../../src/partitions.ts'
import { plainFormat } from '../../support/plain-format.ts'
import { withFraud } from '../../support/sample-stages.ts'
import { formatOfShop, shopifyOrder } from '../../support/shops.ts'
import { validate } from '../../support/stages.ts'

const body = JSON.stringify(shopifyOrder({ user: 77, id: 5, lines: [{ sku: 'A', quantity: 2, cents: 1_000 }] }))
const format = formatOfShop('shopify')

test('with a field map, an order in the partition of another user is not counted', () => {
  const partitions = makePartitions(3)
  const home = partitionFor(partitions, '77')
  const verdicts = partitions.map((keys) => validate.decide({ id: 'm', body }, keys, format))
  expect(verdicts.map(({ outcome }) => outcome)).toEqual(partitions.map((keys) => (keys === home ? 'admit' : 'reject')))
  const away = partitions.find((keys) => keys !== home)
  expect(verdicts.find(({ outcome }) => outcome === 'reject')).toEqual({
    outcome: 'reject',
    code: 'other-partition',
    reason: `The order is in partition ${away?.partition} and its user in partition ${home.partition}`,
  })
  expect(validate.decide({ id: 'm', body }, makeKeys(), format)).toMatchObject({ outcome: 'admit' })
})

test('without one, an order is taken where another producer has put it', () => {
  const own = '{"user_id":"77","order_id":"5","order_value":1}'
  for (const keys of makePartitions(3)) {
    expect(validate.decide({ id: 'm', body: own }, keys, plainFormat)).toMatchObject({ outcome: 'admit' })
  }
})

test('a stage gets the fields that it needs from where the map has them', () => {
  const mapped = JSON.stringify({ ...JSON.parse(body), shipping_address: '12 Main St' })
  expect(withFraud.first.decide({ id: 'm', body: mapped }, makeKeys(), format)).toMatchObject({
    emit: { user_id: '77', order_id: '5', minor: 2_000, shipping_address: '12 Main St' },
  })
})
