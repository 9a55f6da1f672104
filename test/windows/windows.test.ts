import { afterAll, beforeAll, expect, test } from 'vitest'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { expectStats, getFrom } from '../support/expected.ts'
import { Oracle } from '../support/oracle.ts'
import { freePort } from '../support/redis-server.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { openWindows, type Windows } from '../support/windows/wine.ts'
import { emptyRedis, emptySqs, envOf } from '../support/world.ts'

let windows: Windows | undefined
beforeAll(async () => {
  windows = await openWindows()
})
afterAll(() => windows?.[Symbol.asyncDispose]())

function opened(): Windows {
  if (!windows) throw new Error('Windows is not open')
  return windows
}

test('the demo counts its orders, on the emulators of SQS and Redis', async () => {
  await using demo = opened().orders(['demo'], { API_PORT: `${await freePort()}` })
  await demo.shows('Ctrl-C stops.')
  expect(demo.screen()).toContain('Global stats: 1,000 orders')
  expect(demo.screen()).toContain('Invalid orders: 50')
})

test('a system that is killed counts each order once; populate, status, replay, verify and doctor end as their pages say', async () => {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  const port = await freePort()
  const env = { ...envOf(redis.url, sqs, { CLAIM_IDLE_MS: '1000' }), API_PORT: `${port}` }
  const oracle = new Oracle()
  const send = async (seed: number): Promise<void> => {
    const bodies = [...sampleOrders({ valid: 500, invalid: 20, users: 50, seed })].map(({ body }) => body)
    for (const body of bodies) oracle.take(body)
    await sendBodies(env, bodies)
  }
  const orders = async (...args: string[]): Promise<{ code: number | null; screen: string }> => {
    await using command = opened().orders(args, env)
    const code = await command.exit()
    return { code, screen: command.screen() }
  }
  const get = getFrom(`http://127.0.0.1:${port}`)
  const total = async (): Promise<unknown> => (await get('/stats/global').catch(() => ({}) as never))['total_orders']
  {
    await using first = opened().orders(['start'], env)
    await first.shows(`http://127.0.0.1:${port}`)
    await send(1)
    await until('some orders to be counted', async () => Number(await total()) > 0)
    await first.kill()
  }
  await using _ = opened().orders(['start'], env)
  await send(2)
  await until('every order to be counted', total, (orders) => orders === oracle.admitted)
  const verified = await until(
    'the books to balance with nothing waiting',
    () => orders('verify', '--deep'),
    ({ code, screen }) => code === 0 && screen.includes('waiting 0'),
  )
  expect(verified.screen).toContain('Everything balances.')
  await expectStats(get, oracle)
  expect(await orders('status')).toMatchObject({ code: 0, screen: expect.stringContaining('leaderboard') })
  expect(await orders('replay', '40', '--wait')).toMatchObject({ code: 1, screen: expect.stringContaining('40') })
  expect(await orders('populate', '--valid', '50', '--invalid', '0')).toMatchObject({ code: 0 })
  await until('those of populate to be counted', total, (orders) => orders === oracle.admitted + 50)
  expect(await orders('doctor')).toMatchObject({ screen: expect.stringContaining('Redis') })
})
