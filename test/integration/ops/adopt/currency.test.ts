import { expect, test } from 'vitest'
import { openApi } from '../../../../src/api/server.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { adopt, preview } from '../../../../src/ops/adopt/adopt.ts'
import { foundLines } from '../../../../src/ops/terminal/adoption-text.ts'
import { verify } from '../../../../src/ops/verify/verification.ts'
import { connectAsPython, dumps, rejectAsPython } from '../../../support/python-system.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { appOn, emptyRedis, envOf } from '../../../support/world.ts'

const never = new AbortController().signal

test.for([
  { currency: 'JPY', orders: ['1500', '0.1', '0.2', '250'], total: '1750', minor: 1_750n },
  { currency: 'KWD', orders: ['1.5', '0.1', '0.2', '0.25'], total: '2.05', minor: 2_050n },
  { currency: 'EUR', orders: ['15', '0.1', '0.2', '2.5'], total: '17.8', minor: 1_780n },
])('the floats of the Python system become minor units of $currency', async (of, context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const python = connectAsPython(world.url)
  for (const value of of.orders) {
    await python.hincrby('user:ann', 'order_count', 1)
    await python.hincrbyfloat('user:ann', 'total_spend', value)
    await python.hincrby('global:stats', 'total_orders', 1)
    await python.hincrbyfloat('global:stats', 'total_revenue', value)
    await python.zincrby('leaderboard:spend', value, 'ann')
    await python.zincrby('leaderboard:orders', 1, 'ann')
  }
  python.disconnect()
  const foreign = { user_id: 'bob', order_id: 'b1', order_value: 1, currency: 'USD' }
  await rejectAsPython(world.url, [dumps({ order: foreign })])
  const app = appOn(world.redis, readConfig(envOf(world.url, undefined, { CURRENCY: of.currency })))

  const { differences } = await preview(app, never)
  expect(differences).toEqual([])
  const found = await adopt(app, { force: false, settleMs: 0, print: () => {} }, never)
  expect(found.adopted).toMatchObject({ orders: 4n, minor: of.minor, users: 1, invalid: 1 })
  const lines = foundLines(app, found).join('\n')
  const name = of.currency === 'EUR' ? 'cent' : 'minor unit'
  expect(lines).toContain(`  ${name}s\n`)
  expect(lines).toContain(`agree to the ${name}.`)
  expect(lines).toContain(`4 orders and ${of.total} of revenue`)
  expect(await world.redis.hget('pipeline:manifest', 'CURRENCY')).toBe(of.currency)

  await using server = await openApi(app)
  const text = async (path: string): Promise<string> => (await fetch(`${server.url}${path}`)).text()
  expect(await text('/users/ann/stats')).toBe(`{"user_id":"ann","order_count":4,"total_spend":${of.total}}`)
  expect(await text('/stats/global')).toBe(`{"total_orders":4,"total_revenue":${of.total}}`)
  expect(await text('/orders/invalid')).toContain(`"reason":"currency must be ${of.currency}"`)
  expect(await verify(app, { deep: true, repair: false, force: false }, never)).toMatchObject({ verdict: 'right' })
})
