import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { maxInBody, splitBody as split } from '../../../../src/ingest/bodies/split.ts'
import { isObject, parseJson } from '../../../../src/order/json.ts'
import { body, escaped } from '../../../support/generated.ts'
import { type BodyForm, bodyForms, joined } from '../../../support/many.ts'
import { plainFormat } from '../../../support/plain-format.ts'

const splitBody = (text: string) => split(text, plainFormat)

const order = '{"user_id":"ada","order_id":9007199254740993,"order_value":10.10,"order_value":NaN}'
const odd = '{ "a" : "},{\\"\\\\" , "b":[[1,{"c":"]"}],{}] }'

describe.each(bodyForms)('orders as %s', (form) => {
  test('are taken apart byte for byte, with duplicate keys, exact integers and tokens as Python writes them', () => {
    expect(splitBody(joined(form, [order, odd, order]))).toEqual([order, odd, order])
  })

  test('of any kind come out as they went in', () => {
    fc.assert(
      fc.property(fc.array(objects, { minLength: 2, maxLength: 20 }), blanks, (orders, blank) => {
        expect(splitBody(joined(form, orders, blank))).toEqual(orders)
      }),
      { numRuns: 150 },
    )
  })

  test('deeply nested ones too, and 10,000', () => {
    const deep = `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`
    expect(splitBody(joined(form, [order, deep, order]))).toEqual([order, deep, order])
    const many = Array.from({ length: maxInBody }, (_, at) => `{"order_id":${at}}`)
    expect(splitBody(joined(form, many))).toEqual(many)
    expect(splitBody(joined(form, [...many, ...many]))).toHaveLength(maxInBody + 1)
  })
})

const objects = fc.oneof(
  body.filter((text) => isObject(parseJson(text)) && !text.includes('\n')).map((text) => text.trim()),
  fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()).map((value) => escaped(JSON.stringify(value))),
)
const blanks = fc.stringMatching(/^[ \t\r]{0,3}$/)
const whole: readonly BodyForm[] = ['list', 'orders']

test('one order is no body of many, whatever is around and in it', () => {
  for (const text of [order, ` ${odd}\r\n`, `{"user_id":"a","orders":[${order}]}`, '{"orders":null}', '{}']) {
    expect(splitBody(text)).toBeUndefined()
  }
})

test('values of a list that are no objects are parts, too', () => {
  expect(splitBody(' [1, [2,[3]],"a,b" ,null,\n{"a":NaN} ]\n')).toEqual(['1', '[2,[3]]', '"a,b"', 'null', '{"a":NaN}'])
})

test('an empty list is one body', () => {
  for (const text of ['[]', ' [ \n] ', '{"orders":[]}', '{"orders":[ ]}']) expect(splitBody(text)).toBeUndefined()
})

test('the last list named orders counts, as in JSON.parse', () => {
  expect(splitBody(`{"orders":[1],"n":2,"orders":[${order}, ${odd}]}`)).toEqual([order, odd])
})

test('in lines a line that cannot be read is one part, blank lines are none, and the others stay as they are', () => {
  const cut = order.slice(0, 30)
  expect(splitBody(`${order}\r\n\r\n \t\n${cut}\r\n42\r\n${odd}\r\n`)).toEqual([order, cut, '42', odd])
  expect(splitBody(`${cut}\n${order}`)).toEqual([cut, order])
  expect(splitBody(`\ufeff${order}\n${odd}`)).toEqual([`\ufeff${order}`, odd])
})

test('of objects one behind the other, what follows the last that can be read is one part', () => {
  const cut = order.slice(0, 30)
  expect(splitBody(`${order}${odd} ${cut}`)).toEqual([order, odd, cut])
  expect(splitBody(`${order}{"a":oops}${odd}`)).toEqual([order, `{"a":oops}${odd}`])
  expect(splitBody(`${order}${odd}, ${order}`)).toEqual([order, odd, `, ${order}`])
})

test('a list or an order that cannot be read is one body, in one line or in many', () => {
  const pretty = JSON.stringify({ user_id: 'a', items: [{ n: 1 }, { n: 2 }], order_value: 3 }, null, 1)
  const inlined = '{"user_id":"a","items":[\n{"n":1},\n{"n":2}\n],\n"order_value":3'
  for (const text of [
    `[${order},${odd}`,
    `[\n${order}\n${odd}\n]`,
    `{"orders":[${order}`,
    pretty.slice(0, -1),
    inlined,
    `${order} and more`,
    `${order},${order}`,
    `${order}42`,
    '\ufeff[1,2]',
    '1\n2',
    '"a"\n"b"',
  ]) {
    expect(splitBody(text)).toBeUndefined()
  }
})

test('a part that is changed changes no other', () => {
  const change = fc.tuple(
    fc.array(objects, { minLength: 3, maxLength: 9 }),
    fc.nat(),
    fc.nat(),
    fc.constantFrom(...'x}{"\\[],:'),
  )
  fc.assert(
    fc.property(change, ([orders, which, where, put]) => {
      const at = which % orders.length
      const old = orders[at] ?? ''
      const place = where % old.length
      const changed = old.slice(0, place) + put + old.slice(place + 1)
      const all = orders.with(at, changed)
      const beginsList = at === 0 && changed.startsWith('[')
      expect(splitBody(joined('lines', all))).toEqual(beginsList ? undefined : all)
      const readable = parseJson(changed) !== undefined
      for (const form of whole) expect(splitBody(joined(form, all))).toEqual(readable ? all : undefined)
      const chain = splitBody(joined('chain', all))
      if (readable || at > 1) expect(chain?.slice(0, at)).toEqual(orders.slice(0, at))
    }),
    { numRuns: 150 },
  )
})

test('no text makes it throw, and parts are pieces of the text in their order', () => {
  const token = fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ':', '\n', ' ', '{}', '{"a":1}', '"orders":', order)
  const noise = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc.array(token, { maxLength: 30 }).map((all) => all.join('')),
  )
  fc.assert(
    fc.property(noise, (text) => {
      let at = 0
      for (const part of splitBody(text) ?? []) {
        at = text.indexOf(part, at)
        expect(at).toBeGreaterThanOrEqual(0)
        at += part.length
      }
    }),
    { numRuns: 2_000 },
  )
})

test('a text without an object and a list stays one body', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }).filter((text) => !/[{[]/.test(text)),
      (text) => {
        expect(splitBody(text)).toBeUndefined()
      },
    ),
  )
})

test.each(['[', '{', '"', '\\', '{"', '{"a":', '[{', '{}', '"\\', '\n{', '{"a\\\\'])(
  'a megabyte of %j is read in one pass',
  (unit) => {
    expect(splitBody(unit.repeat(1_048_576 / unit.length))?.length ?? 0).toBeLessThanOrEqual(maxInBody + 1)
  },
)
