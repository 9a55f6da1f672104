import { expect, test } from 'vitest'
import { escaped } from '../support/generated.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { emptyRedis, emptySqs, envOf } from '../support/world.ts'

const order = (fields: object): string =>
  escaped(JSON.stringify({ user_id: 'u', order_id: 'o', order_value: 1, ...fields }))
const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`
const big = 'x'.repeat(200_000)

/** Bodies that break careless code, all invalid: what is kept of each (the order, or null and its text) and why. */
const refused: readonly [name: string, body: string, reason: string][] = [
  [
    '__proto__ as an order',
    '{"__proto__":{"user_id":"u","order_id":"o","order_value":1}}',
    'Missing required field: user_id',
  ],
  ['constructor as an order', '{"constructor":{"user_id":"u"}}', 'Missing required field: user_id'],
  ['emoji', order({ user_id: '', note: '😀' }), 'user_id must be a non-empty string'],
  ['RTL text', order({ order_id: ['طلب'] }), 'order_id must be a non-empty string'],
  ['a NUL character', order({ order_value: '\u0000' }), 'order_value must be a number'],
  ['a 200 KB field', order({ user_id: big }), 'user_id must be a non-empty string'],
  [
    '10,000 items',
    order({ items: Array.from({ length: 10_000 }, () => ({ quantity: 1, price_per_unit: 1 })) }),
    'Calculated total (10000) does not match order_value (1)',
  ],
  [
    'depth 1,000 in an order',
    order({ order_value: -1, note: 0 }).replace('"note":0', `"note":${nested(1_000)}`),
    'order_value must be between 0 and 1000000000',
  ],
  ['depth 100,000', nested(100_000), 'Order must be a JSON object'],
  ['a BOM', '\ufeff{"user_id":"u","order_id":"o","order_value":1}', 'Malformed JSON'],
  [
    'duplicate keys',
    '{"user_id":"u","order_id":"o","order_value":1,"order_value":"last"}',
    'order_value must be a number',
  ],
  ['NaN', '{"user_id":"u","order_id":"o","order_value":NaN}', 'order_value must be a number'],
  ['1e999', '{"user_id":"u","order_id":"o","order_value":1e999}', 'order_value must be a number'],
  [
    'half a surrogate pair as a name',
    '{"user_id":"\\ud800","order_id":"o","order_value":1}',
    'user_id must be a non-empty string',
  ],
  [
    'what stands for the text around it in a replacement',
    order({ order_value: -2, note: "$& $' $` $$ $1" }),
    'order_value must be between 0 and 1000000000',
  ],
  ['no JSON', 'not json at all', 'Malformed JSON'],
  ['150,000 open strings', `{${'"'.repeat(150_000)}`, 'Malformed JSON'],
  ['backslashes after NaN', `NaN"${'\\"'.repeat(100_000)}`, 'Malformed JSON'],
]

/** Bodies as odd, but orders that keep every rule. */
const accepted: readonly [name: string, body: string, user: string, spend: number][] = [
  ['__proto__ as a user', order({ user_id: '__proto__', order_id: 1 }), '__proto__', 1],
  ['constructor as a user', order({ user_id: 'constructor', order_id: 2 }), 'constructor', 1],
  ['emoji as a user', order({ user_id: '👩‍👩‍👧‍👦', order_id: 3 }), '👩‍👩‍👧‍👦', 1],
  ['RTL user', order({ user_id: 'مستخدم', order_id: 4 }), 'مستخدم', 1],
  ['a NUL in a user', order({ user_id: 'a\u0000b', order_id: 5 }), 'a\u0000b', 1],
  ['the same without the NUL', order({ user_id: 'ab', order_id: 6, order_value: 2 }), 'ab', 2],
  ['a 200 KB field', order({ user_id: 'big', shipping_address: big }), 'big', 1],
  [
    '10,000 items',
    order({
      user_id: 'many',
      order_value: 10_000,
      items: Array.from({ length: 10_000 }, () => ({ quantity: 1, price_per_unit: 1 })),
    }),
    'many',
    10_000,
  ],
  ['depth 1,000', order({ user_id: 'deep', note: 0 }).replace('"note":0', `"note":${nested(1_000)}`), 'deep', 1],
  [
    'depth 100,000',
    order({ user_id: 'deeper', note: 0 }).replace('"note":0', `"note":${nested(100_000)}`),
    'deeper',
    1,
  ],
  ['duplicate keys', '{"user_id":"first","user_id":"last","order_id":"o","order_value":1}', 'last', 1],
  [
    'half a surrogate pair as a timestamp',
    '{"user_id":"half","order_id":"o","order_value":1,"order_timestamp":"\\ud83d"}',
    'half',
    1,
  ],
  ['a __proto__ key', '{"__proto__":{"user_id":"evil"},"user_id":"proto","order_id":"o","order_value":1}', 'proto', 1],
]

test('hostile bodies: the pipeline goes on, each is where it belongs with its text and reason', async () => {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(redis.url, sqs)
  await using all = runOrders(['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'api'], env)
  await all.started()
  const url = await all.apiUrl()

  // Entries that no bridge wrote, among them bytes that are not UTF-8.
  await redis.redis.xadd('orders:raw', '*', 'colour', 'blue')
  await redis.redis.xadd('orders:raw', '*', 'n', '1', 'r', '["neither id nor body"]')
  await redis.redis.xadd('orders:raw', '*', 'n', '1', 'r', Buffer.from([0xff, 0xfe, 0x80]))
  for (const [, body] of [...refused, ...accepted]) await sendBodies(env, [body])
  const last = accepted.length
  await until(
    'all to be processed',
    () => redis.redis.hgetall('pipeline:counters'),
    ({ ranked, rejected }) => Number(ranked) === last && Number(rejected) === refused.length + 3,
  )

  const invalid = (await (await fetch(`${url}/orders/invalid?limit=1000`)).json()) as {
    order: unknown
    raw?: string
    raw_base64?: string
    reason: string
  }[]
  const texts = await redis.redis.lrange('invalid_orders', 0, -1)
  for (const [name, body, reason] of refused) {
    // As an object or as text, the invalid channel has byte for byte what was sent.
    const isKept = (text: string): boolean =>
      text.includes(`"order":${body},`) || text.includes(`"raw":${JSON.stringify(body)},`)
    const reasons = invalid.filter((_, at) => isKept(texts[at] ?? '')).map((entry) => entry.reason)
    expect([name, reasons]).toEqual([name, [reason]])
  }
  expect(invalid.filter(({ raw }) => raw === '["colour","blue"]')).toHaveLength(1)
  const summary = (await (await fetch(`${url}/orders/invalid/summary`)).json()) as {
    total: number
    reasons: { example: unknown }[]
  }
  for (const { example } of summary.reasons) expect(invalid).toContainEqual(example)
  expect(summary.total).toBe(invalid.length)
  const bytes = [Buffer.from('n'), Buffer.from('1'), Buffer.from('r'), Buffer.from([0xff, 0xfe, 0x80])]
    .map((field) => field.toString('base64'))
    .join(' ')
  expect(invalid.filter(({ raw_base64 }) => raw_base64 === bytes)).toHaveLength(1)

  for (const [name, , user, spend] of accepted) {
    const stats = await (await fetch(`${url}/users/${encodeURIComponent(user)}/stats`)).json()
    expect([name, stats]).toEqual([name, { user_id: user, order_count: 1, total_spend: spend }])
  }
  for (const untouched of ['first', 'evil', '\ufffd']) {
    expect(await (await fetch(`${url}/users/${encodeURIComponent(untouched)}/stats`)).json()).toMatchObject({
      order_count: 0,
    })
  }
  const counters = await redis.redis.hgetall('pipeline:counters')
  expect(Number(counters['received'])).toBe(Number(counters['admitted']) + Number(counters['rejected']))
  expect(all.events('decideFailed')).toEqual([])
})
