import fc from 'fast-check'
import { parseJson } from '../../src/order/json.ts'
import { type RawJson, rawJson } from '../../src/order/raw-json.ts'

/** Bodies that SQS takes: it refuses some control characters, and the emulator raw characters beyond U+FFFF too. */
export function escaped(json: string): string {
  return json.replace(
    /[^\t\n\r\x20-\ud7ff\ue000-\ufffd]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Few ordinary users, so that totals meet, and the names that break careless code. */
export const userId = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 40 }).map((n): string | number | RawJson => `user_${n}`) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 9 }) },
  { weight: 1, arbitrary: fc.integer({ min: 2, max: 5 }).map((n) => rawJson(`900719925474099${n}`)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<string | number>(
      '__proto__',
      'constructor',
      'toString',
      '😀',
      '👩‍👩‍👧‍👦',
      'مستخدم',
      'a\u0000b',
      'a',
      ' ',
      '{p0}',
      '../..',
      'u:1',
      '0',
      'é',
      'e\u0301',
    ),
  },
)

const cents = fc.integer({ min: 0, max: 500_000 })
const item = fc.record(
  {
    product_id: fc.constantFrom('P1', 'P2', 'P3'),
    quantity: fc.integer({ min: 0, max: 9 }),
    price_per_unit: cents.map((c) => c / 100),
  },
  { requiredKeys: [] },
)
const items = fc.array(item, { maxLength: 5 })

const extras = fc.record(
  {
    order_timestamp: fc.oneof(
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      fc.integer(),
    ),
    shipping_address: fc.string(),
    payment_method: fc.constantFrom('PayPal', 'Credit Card'),
    note: fc.jsonValue(),
  },
  { requiredKeys: [] },
)

const totalOf = (list: readonly { quantity?: number; price_per_unit?: number }[]): number =>
  Number(list.reduce((sum, { quantity = 0, price_per_unit = 0 }) => sum + quantity * price_per_unit, 0).toPrecision(10))

const orderId = fc.uuid()

/** Value and items that agree: exactly, or within the 1 % that is allowed, or no items at all. */
const agreeing = fc.oneof(
  items.map((list) => ({ items: list, order_value: totalOf(list) })),
  fc.tuple(items, fc.double({ min: 0.991, max: 1.009, noNaN: true })).map(([list, factor]) => ({
    items: list,
    order_value: totalOf(list) * factor,
  })),
  fc
    .oneof(
      cents.map((c) => c / 100),
      fc.double({ min: 0, max: 1e9, noNaN: true }),
    )
    .map((order_value) => ({ order_value })),
  cents.map((c) => ({ order_value: c / 100, items: null })),
)

type Fields = Record<string, unknown>
const validOrder: fc.Arbitrary<Fields> = fc
  .tuple(userId, orderId, agreeing, extras)
  .map(([user_id, order_id, values, more]) => ({ ...more, user_id, order_id, ...values }))

const without = (name: string) => (order: Fields) =>
  Object.fromEntries(Object.entries(order).filter(([key]) => key !== name))
const withField = (name: string, values: fc.Arbitrary<unknown>) =>
  fc.tuple(validOrder, values).map(([order, value]) => ({ ...order, [name]: value }))

const badIdentity = fc.oneof(
  fc.constantFrom<unknown>('', null, true, 1.5, 1e300, rawJson('9'.repeat(257)), [], {}, 'x'.repeat(257)),
  fc.array(fc.string(), { maxLength: 2 }),
)

/** One arbitrary per row of the contract's rules. */
const broken: Record<string, fc.Arbitrary<string>> = {
  'malformed-json': fc.oneof(
    validOrder.map((order) => JSON.stringify(order).slice(0, -1)),
    fc.constantFrom('\ufeff{}', '{', 'nul', "{'a': 1}", ' ', '{"a":1,}', '"unterminated', '[1,2'),
  ),
  'not-an-object': fc.oneof(
    fc
      .jsonValue()
      .filter((value) => value === null || typeof value !== 'object' || Array.isArray(value))
      .map((v) => JSON.stringify(v)),
    validOrder.map((order) => JSON.stringify([order])),
  ),
  'missing-field': fc
    .tuple(validOrder, fc.subarray(['user_id', 'order_id', 'order_value'], { minLength: 1 }))
    .map(([order, names]) => JSON.stringify(names.reduce((left, name) => without(name)(left), order))),
  'bad-identity': fc
    .oneof(withField('user_id', badIdentity), withField('order_id', badIdentity))
    .map((o) => JSON.stringify(o)),
  'bad-value': fc.oneof(
    withField(
      'order_value',
      fc.constantFrom<unknown>(true, false, '10', null, [], {}, -0.01, -1e300, 1e9 + 0.01, 1e300),
    ).map((o) => JSON.stringify(o)),
    fc
      .tuple(userId, orderId)
      .map(([user, order]) => `{"user_id":${JSON.stringify(user)},"order_id":"${order}","order_value":1e999}`),
  ),
  'bad-items': withField(
    'items',
    fc.oneof(
      fc.constantFrom<unknown>('x', 1, true, {}, { quantity: 1 }, [1], [null], [[]], ['x']),
      fc.constantFrom<unknown>('1', -1, null, true, []).map((quantity) => [{ quantity, price_per_unit: 1 }]),
      fc.constantFrom<unknown>('1', -0.5, null, false, {}).map((price) => [{ quantity: 1, price_per_unit: price }]),
    ),
  ).map((o) => JSON.stringify(o)),
  'total-mismatch': fc
    .tuple(
      validOrder,
      fc.array(item, { minLength: 1, maxLength: 4 }),
      fc.double({ min: 1.02, max: 9, noNaN: true }),
      fc.boolean(),
    )
    .map(([order, list, factor, up]) => {
      const total = totalOf(list)
      return JSON.stringify({
        ...order,
        items: list,
        order_value: up ? total * factor + 1 : total / factor - (total > 100 ? 1 : -1),
      })
    }),
}

/** A valid order, or one that breaks a rule: all rows of the contract come up. */
export const body: fc.Arbitrary<string> = fc
  .oneof(
    { weight: 16, arbitrary: validOrder.map((order) => JSON.stringify(order)) },
    ...Object.values(broken).map((arbitrary) => ({ weight: 1, arbitrary })),
  )
  .map(escaped)

/** Another payload under the identity of a valid order. */
export function conflicting(validBody: string): string {
  const order = parseJson(validBody) as Record<string, unknown> & { order_value: number }
  return escaped(
    JSON.stringify({
      ...order,
      items: null,
      order_value: order.order_value > 1 ? order.order_value - 1 : order.order_value + 1,
    }),
  )
}

/** Deterministic for a seed: fast-check's own random numbers. */
export function shuffled<T>(list: readonly T[], seed: number): T[] {
  const keys = fc.sample(fc.integer(), { numRuns: list.length, seed })
  return list
    .map((value, at) => ({ value, key: keys[at] ?? 0 }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value)
}
