import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Unwrapping, unwrap, unwrapInner } from '../../../../src/ingest/envelope/unwrap.ts'
import { type EnvelopeKind, envelopeKinds } from '../../../../src/messages.ts'
import { isObject, parseJson } from '../../../../src/order/json.ts'
import { type InlineKind, inlineKinds, wrap } from '../../../support/envelopes.ts'
import { plainFormat } from '../../../support/plain-format.ts'

const all: Unwrapping = { envelopes: new Set(envelopeKinds), format: plainFormat }
const only = (kinds: readonly EnvelopeKind[]): Unwrapping => ({ ...all, envelopes: new Set(kinds) })
const order = '{"user_id":"ada","order_id":9007199254740993,"order_value":10.10}'
const kinds = inlineKinds

describe.each(kinds)('an order in an envelope of kind %s', (kind) => {
  test('is taken out byte for byte, with its provenance', () => {
    const text = wrap(kind, order)
    const unwrapped = unwrap(text, all)
    expect(unwrapped?.body).toBe(order)
    expect(unwrapped?.envelope.text).toBe(text)
    expect(unwrapped?.envelope.layers).toMatchObject([{ kind }])
  })

  test('stays as it is where the kind is off', () => {
    expect(unwrap(wrap(kind, order), only(kinds.filter((other) => other !== kind && kind !== 'gzip')))).toBeUndefined()
  })

  test('stays as it is where it holds no order', () => {
    for (const body of ['{}', '[]', '{"a":1}', 'hello, this is no JSON at all', `[${order}]`]) {
      expect(unwrap(wrap(kind, body), all)).toBeUndefined()
    }
  })

  test('cut or changed anywhere, it is never unwrapped to anything but the order', () => {
    const text = wrap(kind, order)
    const change = fc.tuple(fc.nat(text.length - 1), fc.nat(40), fc.string({ maxLength: 3 }))
    fc.assert(
      fc.property(change, ([at, count, put]) => {
        const half = text.slice(0, at) + put + text.slice(at + count)
        const unwrapped = unwrap(half, all)
        if (unwrapped) expect(unwrapped.envelope.text).toBe(half)
        if (unwrapped) expect(isObject(parseJson(unwrapped.body ?? ''))).toBe(true)
      }),
      { numRuns: 200 },
    )
  })
})

test('the provenance of each kind is named', () => {
  const layersOf = (kind: InlineKind) => unwrap(wrap(kind, order), all)?.envelope.layers
  expect(layersOf('sns')).toEqual([
    { kind: 'sns', source: 'arn:aws:sns:us-east-1:000000000000:orders', id: 'n-1', subject: 'An order' },
  ])
  expect(layersOf('eventbridge')).toEqual([{ kind: 'eventbridge', source: 'shop', id: 'e-1', subject: 'OrderPlaced' }])
  expect(layersOf('cloudevents')).toEqual([
    { kind: 'cloudevents', source: '/shop', id: 'c-1', subject: 'com.example.order' },
  ])
})

test('envelopes in envelopes are opened three deep, each encoded or not', () => {
  const three = wrap('sns', wrap('eventbridge', wrap('cloudevents', order)))
  expect(unwrap(three, all)?.body).toBe(order)
  expect(unwrap(three, all)?.envelope.layers.map(({ kind }) => kind)).toEqual(['sns', 'eventbridge', 'cloudevents'])
  expect(unwrap(wrap('sns', three), all)).toBeUndefined()
  const encoded = wrap('gzip', wrap('sns', wrap('base64', wrap('cloudevents', wrap('gzip', order)))))
  expect(unwrap(encoded, all)?.body).toBe(order)
})

test('an order with the fields of an envelope is an order', () => {
  for (const kind of ['sns', 'eventbridge', 'cloudevents'] as const) {
    const envelope = JSON.parse(wrap(kind, order))
    for (const field of ['user_id', 'order_id', 'order_value']) {
      expect(unwrap(JSON.stringify({ ...envelope, [field]: null }), all)).toBeUndefined()
    }
  }
})

test('an order that breaks a rule is taken out as it is, to be judged as a bare one', () => {
  for (const body of ['{"user_id":1e400}', '{"order_value":NaN,"user_id":"a"}', '{"order_id":"\\ud800"}']) {
    expect(unwrap(wrap('sns', body), all)?.body).toBe(body)
  }
})

test('bare bodies of any text stay as they are', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json(), fc.base64String()), (text) => {
      expect(unwrap(text, all)).toBeUndefined()
    }),
    { numRuns: 300 },
  )
})

test('data of a CloudEvents event may be JSON text, or base64 of it', () => {
  const event = (data: string): string => wrap('cloudevents', order).replace(/"data":.*/, `${data}}`)
  expect(unwrap(event(`"data":${JSON.stringify(order)}`), all)?.body).toBe(order)
  const encoded = `"data_base64":"${wrap('base64', order)}"`
  expect(unwrap(event(encoded), all)?.body).toBe(order)
  expect(unwrap(event(`${encoded},"data":${order}`), all)).toBeUndefined()
})

test('the last member of a name counts, as in JSON.parse', () => {
  const detail = (value: string): string => wrap('eventbridge', order).replace(/}$/, `,"detail":${value}}`)
  expect(unwrap(detail('{"user_id":"last", "a":{"b":"}\\""}}'), all)?.body).toBe('{"user_id":"last", "a":{"b":"}\\""}}')
  expect(unwrap(detail('[]'), all)).toBeUndefined()
})

test('a text that unzips to more than SQS takes is not unwrapped', () => {
  const large = `{"user_id":"${' '.repeat(2_000_000)}"}`
  expect(unwrap(gzipSync(large).toString('base64'), all)).toBeUndefined()
})

describe('a pointer to an object of S3', () => {
  const pointer = (name: string, place: unknown = { s3BucketName: 'shop', s3Key: 'a/1' }): string =>
    JSON.stringify([name, place])
  const current = 'software.amazon.payloadoffloading.PayloadS3Pointer'
  const found = { pointer: { bucket: 'shop', key: 'a/1' } }

  test.each([current, 'com.amazon.sqs.javamessaging.MessageS3Pointer'])('is known by the class %s', (name) => {
    expect(unwrap(pointer(name), all)).toMatchObject(found)
    expect(unwrap(wrap('sns', pointer(name)), all)).toMatchObject({
      ...found,
      envelope: { layers: [{ kind: 'sns' }, { kind: 's3', source: 'shop', id: 'a/1' }] },
    })
  })

  test.each([
    pointer('com.example.S3Pointer'),
    pointer(current, {}),
    pointer(current, { s3BucketName: 'shop', s3Key: '' }),
    `${pointer(current)} `.replace(']', ',1]'),
    pointer(current).slice(0, -1),
  ])('is nothing else: %s', (text) => {
    expect(unwrap(text, all)).toBeUndefined()
  })

  test('stays as it is where the kind is off', () => {
    expect(unwrap(pointer(current), only(inlineKinds))).toBeUndefined()
  })

  test('leads to an order in envelopes, to an order, or to what is judged as it is', () => {
    const before = { layers: [{ kind: 's3' as const }], text: 'the message' }
    expect(unwrapInner(wrap('eventbridge', order), { envelope: before }, all)).toMatchObject({
      body: order,
      envelope: { layers: [{ kind: 's3' }, { kind: 'eventbridge' }], text: 'the message' },
    })
    expect(unwrapInner(order, { envelope: before }, all)).toEqual({ body: order, envelope: before })
    expect(unwrapInner('no JSON', { envelope: before }, all)).toEqual({ body: 'no JSON', envelope: before })
  })
})
