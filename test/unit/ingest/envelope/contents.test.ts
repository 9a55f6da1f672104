import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { maxInBody } from '../../../../src/ingest/bodies/split.ts'
import { type Content, contentsOf, contentsOfObject, type Reading } from '../../../../src/ingest/envelope/contents.ts'
import type { Pointed } from '../../../../src/ingest/envelope/unwrap.ts'
import { envelopeKinds } from '../../../../src/messages.ts'
import { inlineKinds, pointerTo, wrap } from '../../../support/envelopes.ts'
import { body } from '../../../support/generated.ts'
import { bodyForms, joined } from '../../../support/many.ts'
import { plainFormat } from '../../../support/plain-format.ts'

const many: Reading = { envelopes: new Set(envelopeKinds), many: true, format: plainFormat }
const one: Reading = { ...many, many: false }
const order = (id: number): string => `{"user_id":"ada","order_id":${id},"order_value":1.10}`

function recordsOf(text: string, how: Reading): Content['record'][] {
  const contents = contentsOf('m', text, how)
  if ('pointer' in contents) throw new Error('a pointer')
  return contents.map(({ record }) => record)
}

const part = (at: number, ...outer: object[]) => ({ layers: [...outer, { kind: 'many', id: `m/${at}` }] })
const notification = {
  kind: 'sns',
  source: 'arn:aws:sns:us-east-1:000000000000:orders',
  id: 'n-1',
  subject: 'An order',
}

describe.each(bodyForms)('a body of many orders as %s', (form) => {
  const text = joined(form, [order(1), '{"a":1}', order(2)])

  test('is a record per order, with the message and its place in it', () => {
    expect(recordsOf(text, many)).toEqual([
      { id: 'm/0', body: order(1), envelope: part(0) },
      { id: 'm/1', body: '{"a":1}', envelope: part(1) },
      { id: 'm/2', body: order(2), envelope: part(2) },
    ])
  })

  test('is one record where a body is one order', () => {
    expect(recordsOf(text, one)).toEqual([{ id: 'm', body: text }])
    expect(recordsOf(wrap('sns', text), one)).toEqual([{ id: 'm', body: wrap('sns', text) }])
  })

  test('comes in an envelope, and each order says so', () => {
    const records = recordsOf(wrap('sns', text), many)
    expect(records.map((record) => record.body)).toEqual([order(1), '{"a":1}', order(2)])
    expect(records[2]).toEqual({ id: 'm/2', body: order(2), envelope: part(2, notification) })
  })

  test('comes from an object of S3', () => {
    const pointed = contentsOf('m', wrap('sns', pointerTo('shop', 'a/1')), many) as Pointed
    const object = { kind: 's3', source: 'shop', id: 'a/1' }
    expect(contentsOfObject('m', text, pointed, many).map(({ record }) => record)).toMatchObject([
      { id: 'm/0', body: order(1), envelope: part(0, notification, object) },
      { id: 'm/1' },
      { id: 'm/2' },
    ])
  })
})

test.each(inlineKinds)('many orders come in an envelope of kind %s', (kind) => {
  const text = kind === 'eventbridge' ? joined('orders', [order(1), order(2)]) : joined('list', [order(1), order(2)])
  expect(recordsOf(wrap(kind, text), many).map((record) => record.body)).toEqual([order(1), order(2)])
})

test('each order may be in an envelope of its own, as in a batch of CloudEvents, and keeps that', () => {
  const events = [wrap('cloudevents', order(1)), wrap('sns', wrap('base64', order(2))), order(3)]
  const [first, second, third] = recordsOf(wrap('gzip', `[${events}]`), many)
  expect(first).toMatchObject({ id: 'm/0', body: order(1), envelope: { text: events[0] } })
  expect(first?.envelope?.layers.map(({ kind }) => kind)).toEqual(['gzip', 'many', 'cloudevents'])
  expect(second?.body).toBe(order(2))
  expect(second?.envelope?.layers.map(({ kind }) => kind)).toEqual(['gzip', 'many', 'sns', 'base64'])
  expect(third).toEqual({ id: 'm/2', body: order(3), envelope: part(2, { kind: 'gzip' }) })
})

test('what an order keeps of its message grows with the order, not with the message', () => {
  const orders = Array.from({ length: maxInBody }, (_, at) => wrap('cloudevents', order(at)))
  const text = joined('lines', orders)
  const kept = JSON.stringify(recordsOf(text, many)).length
  expect(kept).toBeLessThan(4 * text.length)
})

test('a part is not unzipped, nor read from S3: 10,000 of those would fill the memory', () => {
  const parts = [wrap('sns', wrap('gzip', order(1))), pointerTo('shop', 'a'), order(2)]
  expect(recordsOf(`[${parts}]`, many).map((record) => record.body)).toEqual(parts)
})

test('many that hold no order stay in their envelope, to be rejected as one', () => {
  for (const inside of ['[1,2]', '{"a":1}\n{"b":2}', '[]']) {
    expect(recordsOf(wrap('sns', inside), many)).toEqual([{ id: 'm', body: wrap('sns', inside) }])
  }
})

test('a pointer is no list of orders, even if it is not followed', () => {
  const off = { ...many, envelopes: new Set<never>() }
  expect(recordsOf(pointerTo('shop', 'a/1'), off)).toEqual([{ id: 'm', body: pointerTo('shop', 'a/1') }])
})

test('more than 10,000 are one invalid order with all of the text', () => {
  const most = Array.from({ length: maxInBody }, (_, at) => `{"order_id":${at}}`)
  expect(recordsOf(joined('list', most), many)).toHaveLength(maxInBody)
  for (const form of bodyForms) {
    const text = joined(form, [...most, order(1)])
    const rejection = { code: 'too-many-orders', reason: 'The body holds more than 10000 orders' }
    expect(recordsOf(text, many)).toEqual([{ id: 'm', body: text, rejection }])
  }
})

test('one order is the same record with one and with many, byte for byte', () => {
  const kinds = fc.constantFrom(undefined, ...inlineKinds)
  fc.assert(
    fc.property(body, kinds, (sent, kind) => {
      const text = kind === undefined ? sent : wrap(kind, sent)
      fc.pre(!sent.trimStart().startsWith('['))
      expect(JSON.stringify(recordsOf(text, many))).toBe(JSON.stringify(recordsOf(text, one)))
    }),
    { numRuns: 500 },
  )
})

test('the span that sent an order is named by its message, or by what is nearest around the order', () => {
  const traced = (text: string, id: string): string =>
    text
      .replace('"MessageAttributes":{', `"MessageAttributes":{"traceparent":{"Type":"String","Value":"${id}"},`)
      .replace('"specversion"', `"traceparent":"${id}","specversion"`)
  const spansOf = (text: string) => (contentsOf('m', text, many) as readonly Content[]).map(({ trace }) => trace)
  expect(spansOf(traced(wrap('sns', order(1)), 'sns'))).toEqual(['sns'])
  expect(spansOf(wrap('sns', order(1)))).toEqual([undefined])
  const batch = `[${traced(wrap('cloudevents', order(1)), 'event')},${order(2)}]`
  expect(spansOf(traced(wrap('sns', batch), 'sns'))).toEqual(['event', 'sns'])
})
