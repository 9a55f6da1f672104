import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rejectCodes } from '../../../src/reject-codes.ts'
import {
  accepted,
  badIdentity,
  badItems,
  checkOrder,
  codeOf,
  malformed,
  notANumber,
  notAnObject,
  order,
  outOfRange,
  priced,
} from '../../support/order-bodies.ts'
import { plainFormat } from '../../support/plain-format.ts'

describe('a hostile body', () => {
  const deep = (depth: number): string => `${'[{"a":'.repeat(depth / 2)}1${'}]'.repeat(depth / 2)}`

  test('with __proto__ and constructor as fields is valid and changes nothing else', () => {
    const body = order({ ['__proto__']: '{"polluted":1,"items":[1]}', constructor: '{"prototype":{"polluted":1}}' })
    expect(body).toContain('"__proto__"')
    expect(codeOf(checkOrder(body, plainFormat))).toBe('valid')
    expect({}).not.toHaveProperty('polluted')
  })

  test('with a key twice has its last value', () => {
    const twice = '{"user_id":"first","user_id":"last","order_id":"","order_id":"o","order_value":"x","order_value":2}'
    expect(checkOrder(twice, plainFormat)).toEqual({ userId: 'last', orderId: 'o', minor: 200, value: 2 })
    expect(checkOrder(order().replace('}', ',"order_value":-1}'), plainFormat)).toEqual(outOfRange)
  })

  test('with a 200 KB field is valid', () => {
    expect(codeOf(checkOrder(order({ note: JSON.stringify('é'.repeat(200_000)) }), plainFormat))).toBe('valid')
  })

  test('with 10,000 items is judged by all of them', () => {
    const items = Array.from({ length: 10_000 }, () => '{"product_id":"P1","quantity":3,"price_per_unit":0.1}')
    expect(accepted(order({ order_value: '3000', items: `[${items}]` })).items).toHaveLength(10_000)
    expect(checkOrder(order({ order_value: '3000', items: `[${items},{"quantity":-1}]` }), plainFormat)).toEqual(
      badItems,
    )
  })

  test.each([1_000, 500_000])('nested %d deep is judged like any other', (depth) => {
    expect(checkOrder(deep(depth), plainFormat)).toEqual(notAnObject)
    expect(codeOf(checkOrder(order({ note: deep(depth) }), plainFormat))).toBe('valid')
    expect(
      codeOf(checkOrder(order({ items: `[{"quantity":1,"price_per_unit":50,"x":${deep(depth)}}]` }), plainFormat)),
    ).toBe('valid')
    expect(checkOrder(order({ items: `[${deep(depth)}]` }), plainFormat)).toEqual(badItems)
    expect(checkOrder(order({ user_id: deep(depth) }), plainFormat)).toEqual(badIdentity('user_id'))
    expect(checkOrder(order({ order_value: deep(depth) }), plainFormat)).toEqual(notANumber)
    expect(checkOrder(deep(depth).slice(0, -1), plainFormat)).toEqual(malformed)
  })

  const megabyte = 1_000_000
  test.each(['"', '\\', '[', '{', ']', '}', '-', '"\\', '\\"', '[{', '{"a":', '[]', '\0', 'e', '\ud800', '\ufeff'])(
    'of 1 MB of %j is malformed, also with NaN before or behind',
    (unit) => {
      const garbage = unit.repeat(megabyte / unit.length)
      const bodies = [
        garbage,
        `${garbage}NaN`,
        `NaN${garbage}`,
        `{"order_value":NaN,"x":"${garbage}`,
        `"${garbage}Infinity`,
      ]
      for (const body of bodies) expect(checkOrder(body, plainFormat)).toEqual(malformed)
    },
  )

  test.each(['"', '\\', '[', '{"a":', '-', 'NaN', 'Infinity,', '-Infinity "', '\\"NaN'])(
    'with 1 MB of %j in a string is valid, and with NaN as value is refused by name',
    (unit) => {
      const note = JSON.stringify(unit.repeat(megabyte / unit.length))
      expect(codeOf(checkOrder(order({ note }), plainFormat))).toBe('valid')
      expect(checkOrder(order({ note, order_value: 'NaN' }), plainFormat)).toEqual(notANumber)
    },
  )

  test('with 1 MB of digits is judged like any other, next to a large id too', () => {
    const digits = '1'.repeat(megabyte)
    const large = { user_id: '9007199254740993', order_id: '9007199254740994' }
    expect(checkOrder(order({ ...large, user_id: digits }), plainFormat)).toEqual(badIdentity('user_id'))
    expect(checkOrder(digits, plainFormat)).toEqual(notAnObject)
    for (const note of [
      digits,
      `-${digits}.${digits}e1`,
      JSON.stringify(digits),
      `[${'1'.repeat(16)},`.repeat(9) + ']'.repeat(9),
    ]) {
      const body = order({ ...large, note })
      expect(codeOf(checkOrder(body, plainFormat))).toBe(isJson(body) ? 'valid' : 'malformed-json')
    }
    expect(accepted(order({ ...large, note: `[${'9007199254740993,'.repeat(60_000)}1]` })).userId).toBe(large.user_id)
    const items = `[${'{"product_id":9007199254740993},'.repeat(30_000)}{}]`
    expect(accepted(order({ ...large, order_value: '0', items })).items).toHaveLength(30_001)
  })

  test('nested half a million deep next to a large id is judged by its digits', () => {
    const large = order({ user_id: '9007199254740993', note: deep(500_000) })
    expect(accepted(large).userId).toBe('9007199254740993')
  })

  test('with 1 MB of NaN in a list is rejected by its own rule', () => {
    const list = `[${'NaN,'.repeat(megabyte / 4)}NaN]`
    expect(checkOrder(order({ items: list }), plainFormat)).toEqual(badItems)
    expect(checkOrder(list, plainFormat)).toEqual(notAnObject)
  })
})

test('the total of an order may differ by exactly 1 % of the larger, and not a ten-thousandth of a unit more', () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 99_999_999 }), fc.boolean(), (cents, totalIsLarger) => {
      const codeFor = (smaller: bigint): string => {
        const texts = [decimal(BigInt(cents) * 100n), decimal(smaller)] as const
        return codeOf(checkOrder(totalIsLarger ? priced(texts[1], texts[0]) : priced(...texts), plainFormat))
      }
      const onePercentBelow = BigInt(cents) * 99n // in ten-thousandths
      assert.equal(codeFor(onePercentBelow), 'valid')
      assert.equal(codeFor(onePercentBelow - 1n), 'total-mismatch')
    }),
    { numRuns: 2_000 },
  )
})

/** Random cases use assert: tens of thousands of expectations would take longer than all that they test. */
describe('whatever the body, checkOrder', () => {
  const anyUnit = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) })
  const jsonText = fc.oneof(
    fc.json(),
    fc.jsonValue().map((value) => JSON.stringify(value)),
  )
  const fragments = [
    '"',
    '\\',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '-',
    '1e999',
    'NaN',
    '-Infinity',
    '\\u0000',
    '\0',
    '\ud800',
    '"__proto__":',
  ]
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    remove: fc.integer({ min: 0, max: 12 }),
    insert: fc.oneof(fc.constantFrom('', ...fragments), anyUnit),
  })
  const wellFormed = order({ items: '[{"product_id":"P1","quantity":2,"price_per_unit":25}]', note: '"a \\"NaN\\" b"' })
  const mutated = fc.array(edit, { minLength: 1, maxLength: 6 }).map((edits) =>
    edits.reduce((body, { at, remove, insert }) => {
      const from = Math.floor(at * body.length)
      return body.slice(0, from) + insert + body.slice(from + remove)
    }, wellFormed),
  )
  const fieldValue = fc.oneof(jsonText, fc.constantFrom('NaN', '1e999', '-0', '""', '[]', '[{}]'))
  const filled = fc
    .dictionary(fc.constantFrom('user_id', 'order_id', 'order_value', 'items', 'order_timestamp', 'note'), fieldValue)
    .map(order)

  test.each([
    ['text', fc.oneof(anyUnit, fc.string({ unit: 'binary' }))],
    ['JSON', jsonText],
    ['a mutated order', mutated],
    ['an order with arbitrary values', filled],
  ])('does not throw and gives a sound verdict on %s', (_, bodies) => {
    fc.assert(
      fc.property(bodies, (body) => {
        const verdict = checkOrder(body, plainFormat)
        if ('code' in verdict) {
          assert(rejectCodes.includes(verdict.code))
          assert(!['conflict', 'internal-error', 'refused'].includes(verdict.code))
          assert.match(verdict.reason, /^[\x20-\x7e]+$/)
        } else {
          for (const { length } of [[...verdict.userId], [...verdict.orderId]]) assert(length >= 1 && length <= 256)
          assert(Number.isInteger(verdict.minor) && verdict.minor >= 0 && verdict.minor <= 1e11)
        }
        if (!/NaN|Infinity/.test(body)) assert.equal(codeOf(verdict) === 'malformed-json', !isJson(body))
      }),
      { numRuns: 2_000 },
    )
  })
})

/** Lists the codes that the contract has for a single order. A rule that a user adds has cases of its own. */
const contractCodes = [
  ...['malformed-json', 'not-an-object', 'missing-field', 'bad-identity'],
  ...['bad-value', 'bad-items', 'total-mismatch'],
]

describe('the verdict on a generated order', () => {
  test("has the oracle's code, identity and cents", () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(sentOrder, ({ fields, wrapping }) => {
        const expected = oracle(fields, wrapping)
        seen.add(expected.code)
        const verdict = checkOrder(wrappings[wrapping](bodyOf(fields)), plainFormat)
        const got = 'code' in verdict ? { code: verdict.code } : { code: 'valid', ...verdict }
        assert.partialDeepStrictEqual(got, expected)
      }),
      { numRuns: 6_000 },
    )
    // Every verdict came up, or the property has proved less than it says.
    expect([...seen].sort()).toEqual(['valid', ...contractCodes].sort())
  })
})

// The oracle: written from the contract alone, on exact decimals (integers of ten-thousandths), not on doubles.

type Value =
  | { readonly kind: 'number'; readonly units: bigint }
  | { readonly kind: 'text'; readonly text: string }
  /** An integer, written without fraction and exponent. */
  | { readonly kind: 'digits'; readonly text: string }
  | { readonly kind: 'null' }
  | { readonly kind: 'odd'; readonly json: string }
  | { readonly kind: 'list'; readonly items: readonly (Item | 'not an object')[] }
interface Item {
  readonly quantity?: Value
  readonly price_per_unit?: Value
}
interface Sent {
  readonly user_id?: Value
  readonly order_id?: Value
  readonly order_value?: Value
  readonly items?: Value
}
type Wrapping = keyof typeof wrappings
interface Expected {
  readonly code: string
  readonly userId?: string
  readonly orderId?: string
  readonly minor?: number
}

function oracle(sent: Sent, wrapping: Wrapping): Expected {
  if (wrapping === 'cut') return { code: 'malformed-json' }
  if (wrapping === 'list') return { code: 'not-an-object' }
  const { user_id, order_id, order_value, items } = sent
  if (user_id === undefined || order_id === undefined || order_value === undefined) return { code: 'missing-field' }
  const userId = oracleIdentity(user_id)
  const orderId = oracleIdentity(order_id)
  if (userId === undefined || orderId === undefined) return { code: 'bad-identity' }
  if (order_value.kind !== 'number') return { code: 'bad-value' }
  const value = order_value.units
  if (value < 0n || value > 1_000_000_000n * one) return { code: 'bad-value' }
  const valid = { code: 'valid', userId, orderId, minor: Number((value + 50n) / 100n) }
  if (items === undefined || items.kind === 'null') return valid
  if (items.kind !== 'list') return { code: 'bad-items' }
  let total = 0n // of squared units
  for (const item of items.items) {
    if (item === 'not an object') return { code: 'bad-items' }
    const { quantity = zero, price_per_unit = zero } = item
    if (quantity.kind !== 'number' || price_per_unit.kind !== 'number') return { code: 'bad-items' }
    if (quantity.units < 0n || price_per_unit.units < 0n) return { code: 'bad-items' }
    total += quantity.units * price_per_unit.units
  }
  const difference = absolute(total - value * one)
  const larger = total > value * one ? total : value * one
  return difference * 100n > larger ? { code: 'total-mismatch' } : valid
}

function oracleIdentity(value: Value): string | undefined {
  if (value.kind === 'digits') return value.text.replace('-', '').length <= 256 ? value.text : undefined
  if (value.kind === 'number') {
    const whole =
      value.units % one === 0n && value.units / one <= 9007199254740991n && value.units / one >= -9007199254740991n
    return whole ? String(value.units / one) : undefined
  }
  if (value.kind !== 'text') return undefined
  const characters = Array.from(value.text)
  const broken = characters.some(
    (character) => character.length === 1 && character >= '\ud800' && character <= '\udfff',
  )
  return characters.length === 0 || characters.length > 256 || broken ? undefined : value.text
}

const one = 10_000n
const absolute = (n: bigint): bigint => (n < 0n ? -n : n)
const zero: Value = { kind: 'number', units: 0n }

/** Ten-thousandths as decimal text. */
function decimal(units: bigint): string {
  const digits = String(absolute(units)).padStart(5, '0')
  return `${units < 0n ? '-' : ''}${digits.slice(0, -4)}.${digits.slice(-4)}`
}

function jsonOf(value: Value): string {
  if (value.kind === 'number') return decimal(value.units)
  if (value.kind === 'text') return JSON.stringify(value.text)
  if (value.kind === 'digits') return value.text
  if (value.kind === 'null') return 'null'
  if (value.kind === 'odd') return value.json
  return `[${value.items.map((item) => (item === 'not an object' ? '7' : bodyOf({ ...item })))}]`
}

function bodyOf(fields: Sent | Item): string {
  return `{${Object.entries(fields).map(([name, value]) => `"${name}":${jsonOf(value)}`)}}`
}

const wrappings = {
  none: (body: string) => body,
  cut: (body: string) => body.slice(0, -1),
  list: (body: string) => `[${body}]`,
} as const

const mostly = <T>(usual: fc.Arbitrary<T>, other: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 30, arbitrary: usual }, { weight: 1, arbitrary: other })
const numberOf = (units: fc.Arbitrary<bigint>): fc.Arbitrary<Value> => units.map((n) => ({ kind: 'number', units: n }))
const digitsOf = (integers: fc.Arbitrary<bigint>): fc.Arbitrary<Value> =>
  integers.map((n) => ({ kind: 'digits', text: String(n) }))
const textOf = (texts: fc.Arbitrary<string>): fc.Arbitrary<Value> => texts.map((text) => ({ kind: 'text', text }))
const odd: fc.Arbitrary<Value> = fc.oneof(
  fc
    .constantFrom('true', 'false', '{}', '1e999', '-1e999', 'NaN', '-Infinity', '{"a":[1]}')
    .map((json) => ({ kind: 'odd' as const, json })),
  fc.constant({ kind: 'null' as const }),
)
const loneSurrogate = fc.constantFrom('\ud800', 'a\udfffb', '\ude00\ud83d')
const identity = mostly(
  fc.oneof(
    textOf(fc.string({ unit: 'binary', minLength: 1 })),
    numberOf(fc.bigInt(-9007199254740991n, 9007199254740991n).map((n) => n * one)),
    digitsOf(fc.bigInt(-(2n ** 70n), 2n ** 70n)),
  ),
  fc.oneof(
    odd,
    digitsOf(fc.constantFrom(10n ** 255n, 1n - 10n ** 256n, 10n ** 256n, 10n ** 400n)),
    textOf(fc.constantFrom('', ...[256, 257].flatMap((length) => ['x'.repeat(length), '😀'.repeat(length)]))),
    textOf(loneSurrogate),
    numberOf(fc.constantFrom(9007199254740992n * one, -9007199254740992n * one, 15_000n, 1n)),
  ),
)
const part = (usual: fc.Arbitrary<bigint>): fc.Arbitrary<Value> =>
  mostly(numberOf(usual), fc.oneof(odd, textOf(fc.constantFrom('1', '')), numberOf(fc.bigInt(-20_000n, -1n))))
const item: fc.Arbitrary<Item> = fc.record(
  {
    quantity: part(fc.bigInt(0n, 40n).map((n) => (n * one) / 2n)),
    price_per_unit: part(fc.bigInt(0n, 99_999n).map((n) => n * 100n)),
  },
  { requiredKeys: [] },
)
const items: fc.Arbitrary<Value> = mostly(
  fc
    .array(mostly<Item | 'not an object'>(item, fc.constant('not an object')), { maxLength: 6 })
    .map((list) => ({ kind: 'list', items: list })),
  fc.oneof(odd, textOf(fc.constantFrom('', 'P1'))),
)

/** In units; of its numbers, whatever their sign, where it is no proper list. */
function totalOf(list: Value | undefined): bigint {
  if (list?.kind !== 'list') return 0n
  return list.items.reduce((sum, each) => {
    if (each === 'not an object') return sum
    const { quantity = zero, price_per_unit = zero } = each
    return quantity.kind === 'number' && price_per_unit.kind === 'number'
      ? sum + absolute(quantity.units * price_per_unit.units) / one
      : sum
  }, 0n)
}

/** Values around the total and around both ends of what is allowed, to the ten-thousandth. */
const valueFor = (total: bigint): fc.Arbitrary<Value> =>
  mostly(
    fc.oneof(
      fc
        .tuple(fc.constantFrom(total, (total * 99n) / 100n, (total * 100n) / 99n), fc.bigInt(-2n, 2n))
        .map(([near, by]): Value => ({ kind: 'number', units: near + by })),
      numberOf(fc.bigInt(0n, total * 2n + 1n)),
    ),
    fc.oneof(
      odd,
      textOf(fc.constant('10')),
      numberOf(fc.constantFrom(-1n, 1_000_000_000n * one, 1_000_000_000n * one + 1n)),
    ),
  )

const sentOrder = fc.option(items, { nil: undefined, freq: 4 }).chain((list) => {
  const fields = fc
    .tuple(identity, identity, valueFor(totalOf(list)), fc.integer({ min: 0, max: 80 }), fc.nat(3))
    .map(([user_id, order_id, order_value, drop, turn]) => {
      const all: [string, Value][] = [
        ['user_id', user_id],
        ['order_id', order_id],
        ['order_value', order_value],
        ...(list ? [['items', list] as [string, Value]] : []),
      ]
      const turned = [...all.slice(turn), ...all.slice(0, turn)]
      return Object.fromEntries(turned.filter((_, at) => at !== drop)) as Sent
    })
  return fc.record({ fields, wrapping: mostly<Wrapping>(fc.constant('none'), fc.constantFrom('cut', 'list')) })
})

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
