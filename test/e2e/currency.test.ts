import { expect, test } from 'vitest'
import type { Snapshot } from '../../src/api/live/snapshot.ts'
import { snapshotLines } from '../../src/ops/commands/inspect/tail.ts'
import { textOf } from '../../src/ops/terminal/output.ts'
import { ended, send } from '../support/jobs.ts'
import { requireRealRedis } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

async function output(words: readonly string[], env: Env): Promise<string> {
  await using command = runOrders(words, env)
  const { code } = await command.exit()
  return `${code} ${command.stdout()}${command.stderr()}`
}

/** A currency, and how it shows the amounts of these orders: of 1,500, 1,751 and 1e9 units with 1,751 minor units. */
const currencies = [
  {
    currency: 'JPY',
    decimals: 0,
    ann: '1500',
    bob: '251',
    revenue: '1000001751',
    shown: { ann: '1,500', revenue: '1,000,001,751' },
    mismatch: 'Calculated total (1500) does not match order_value (1800)',
  },
  {
    currency: 'KWD',
    decimals: 3,
    ann: '1.5',
    bob: '0.251',
    revenue: '1000000001.751',
    shown: { ann: '1.500', revenue: '1,000,000,001.751' },
    mismatch: 'Calculated total (1.5) does not match order_value (1.8)',
  },
]

test.for(currencies)('orders in $currency: every number is in its minor units', async (of, context) => {
  requireRealRedis(context)
  const { currency, decimals, shown } = of
  const scale = 10 ** decimals
  await using world = await emptyRedis()
  const { redis } = world
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs, { CURRENCY: currency })
  await using running = runOrders(['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'jobs', 'api'], env)
  await running.started()
  const url = await running.apiUrl()
  const text = async (path: string): Promise<string> => (await fetch(`${url}${path}`)).text()
  const settled = (counts: object) =>
    until(
      'the orders to be judged',
      async () => JSON.parse(await text('/integrity')),
      (books) => books.waiting === 0 && Object.entries(counts).every(([name, count]) => books[name] === count),
    )
  /** An order of so many minor units, which may be a fraction. */
  const body = (user: string, order: string, minor: number, price = minor, more: object = {}): string => {
    const items = [{ product_id: 'P1', quantity: 1, price_per_unit: price / scale }]
    return JSON.stringify({ user_id: user, order_id: order, order_value: minor / scale, items, ...more })
  }

  await sendBodies(env, [body('ann', 'a1', 1_500), body('cat', 'c1', 1e9 * scale, 1e9 * scale, { currency })])
  await settled({ admitted: 2 })
  await sendBodies(env, [
    body('ann', 'a1', 1_500.4, 1_499.6), // the same money in other digits
    body('ann', 'a1', 1_501, 1_500),
    body('bob', 'b1', 0.5, 0.5, { currency: currency.toLowerCase() }),
    body('bob', 'b2', 1_800, 1_500),
    body('bob', 'b3', 250, 250, { currency: 'USD' }),
  ])
  await settled({ admitted: 3, duplicates: 1, rejected: 3 })

  const failed = JSON.parse(await text('/orders/invalid')) as {
    id: string
    code: string
    reason: string
    hint: string
  }[]
  const of3 = failed.find(({ code }) => code === 'other-currency')
  expect(Object.fromEntries(failed.map(({ code, reason }) => [code, reason]))).toEqual({
    conflict: `Order a1 of user ann was already accepted with order_value ${of.ann}`,
    'total-mismatch': of.mismatch,
    'other-currency': `currency must be ${currency}`,
  })
  expect(of3?.hint).toBe(
    `\`currency\` is "USD", and this system counts ${currency} alone: convert all amounts, and send ${currency} or leave \`currency\` out.`,
  )
  const metrics = await text('/metrics')
  expect(metrics).toContain('orders_rejected_total{code="other-currency"} 1')

  const edit = await send(`${url}/orders/invalid/${of3?.id}`, 'PUT', body('bob', 'b3', 250, 250, { currency }))
  expect(await ended(url, edit.body['job_id'])).toMatchObject({ verdict: { verdict: 'admitted' } })
  await settled({ admitted: 4, duplicates: 1, applied: 4 })
  await until(
    'all to be ranked',
    () => redis.hget('pipeline:counters', 'ranked'),
    (ranked) => ranked === '4',
  )

  expect(await redis.hgetall('user:ann')).toEqual({ order_count: '1', total_spend_minor: '1500' })
  expect(await redis.hget('global:stats', 'total_revenue_minor')).toBe(String(1e9 * scale + 1_751))
  expect(await text('/users/ann/stats')).toBe(`{"user_id":"ann","order_count":1,"total_spend":${of.ann}}`)
  expect(await text('/users/bob/stats')).toBe(`{"user_id":"bob","order_count":2,"total_spend":${of.bob}}`)
  expect(await text('/stats/global')).toBe(`{"total_orders":4,"total_revenue":${of.revenue}}`)
  expect(await text('/stats/top-users')).toBe(
    `{"by":"spend","n":10,"offset":0,"users":[{"user_id":"cat","score":1000000000},{"user_id":"ann","score":${of.ann}},{"user_id":"bob","score":${of.bob}}]}`,
  )
  expect(await text('/stats/top-users?by=orders&n=1')).toContain('{"user_id":"bob","score":2}')
  expect(await text('/users/ann/rank')).toContain(`"spend":{"rank":2,"score":${of.ann},`)
  expect(await text('/integrity')).toContain(`"total_revenue":${of.revenue},`)
  expect(await text('/orders/ann/a1/trace')).toContain(`"amount":${of.ann},`)
  const snapshot = JSON.parse(await text('/live/snapshot')) as Snapshot
  expect(snapshot).toMatchObject({
    currency,
    decimals,
    totals: { revenue_minor: 1e9 * scale + 1_751 },
    top: { spend: [{ user_id: 'cat' }, { user_id: 'ann', spend_minor: 1_500 }, { user_id: 'bob' }] },
    books: { balanced: true },
  })

  expect(await output(['status'], env)).toContain(`4 orders, ${shown.revenue} revenue`)
  expect(await output(['user', 'ann'], env)).toMatch(
    new RegExp(`^0 .*\\nspend +${shown.ann.replace('.', '\\.')}\\n`, 's'),
  )
  expect(await output(['user', 'ann', '--json'], env)).toContain(`"total_spend":${of.ann}`)
  expect(await output(['top'], env)).toMatch(new RegExp(`2\\. ann +${shown.ann.replace('.', '\\.')}\\n`))
  expect(await output(['trace', 'a1', '--user', 'ann'], env)).toMatch(
    new RegExp(`[Ii]t was admitted with ${shown.ann}`),
  )
  const verified = await output(['verify', '--deep'], env)
  expect(verified).toMatch(/^0 /)
  expect(verified).toMatch(new RegExp(`\\nleaderboards +4 +${shown.revenue.replace('.', '\\.')}\\n`))
  expect(verified).toContain('Everything balances.')
  // A command of a terminal without CURRENCY reads the currency from Redis, or is refused.
  expect(await output(['verify'], { ...env, CURRENCY: '' })).toContain(`${shown.revenue} revenue`)
  expect(await output(['status'], { ...env, CURRENCY: '' })).toMatch(
    new RegExp(
      `^1 Redis at \\S+ was set up with CURRENCY=${currency}, this process has none: set CURRENCY=${currency}\\.\\n$`,
    ),
  )
  expect(textOf(snapshotLines(snapshot))).toContain(`${shown.revenue} revenue`)
})

test('a process in another currency than Redis is refused, and ends when Redis gets another one', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const envIn = (currency: string): Env => envOf(world.url, undefined, { CURRENCY: currency })
  await using first = runOrders(['run', 'aggregate'], envIn('EUR'))
  await first.started()
  for (const other of ['JPY', 'USD']) {
    expect(await output(['run', 'validate'], envIn(other))).toMatch(
      new RegExp(
        `^1 Redis at \\S+ was set up with CURRENCY=EUR, this process has ${other}: set CURRENCY=EUR\\.\\n$`,
        's',
      ),
    )
  }
  await world.redis.hset('pipeline:manifest', 'CURRENCY', 'KWD')
  expect(await first.exit()).toMatchObject({ code: 1 })
  expect(first.stderr()).toContain('was set up with CURRENCY=KWD, this process has EUR: set CURRENCY=KWD.')
})

test.each(['XAU', 'XXX', 'DEM', 'EURO'])('CURRENCY=%s is refused at the start with one line', async (currency) => {
  expect(await output(['run', 'validate'], { REDIS_URL: 'redis://127.0.0.1:1', CURRENCY: currency })).toMatch(
    new RegExp(
      `^1 [^\\n]*CURRENCY is "${currency}": expected the code of a currency with minor units by ISO 4217, such as EUR\\.\\n$`,
    ),
  )
})
