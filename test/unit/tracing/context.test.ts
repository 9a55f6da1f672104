import { expect, test } from 'vitest'
import { contextText, readContext, sentContext, traceIdIn } from '../../../src/tracing/context.ts'

const traceId = '5759e988bd862e3fe1be46a994272793'
const spanId = '53995c3f42cd8ad8'
const root = 'Root=1-5759e988-bd862e3fe1be46a994272793'
const parent = `Parent=${spanId}`

test.each([
  [`${root};${parent};Sampled=1`, true],
  [`${root};${parent};Sampled=0;Lineage=a87bd80c:1|68fd508a:5`, false],
  [`Self=1-67891234-12456789abcdef0123456789;${root};${parent};Sampled=1`, true],
  [` Sampled=1; ${parent}; ${root.toUpperCase().replace('ROOT', 'Root')}`, true],
  [`${root};${parent};Sampled=?`, undefined],
  [`${root};${parent}`, undefined],
])('a header of X-Ray is read by its fields: %s', (header, isSampled) => {
  expect(readContext(header)).toEqual({ traceId, spanId, isSampled })
})

test('without a parent the trace of X-Ray goes on, as a load balancer begins it', () => {
  expect(readContext(`Self=1-67891234-12456789abcdef0123456789;${root}`)).toEqual({
    traceId,
    spanId: 'e1be46a994272793',
    isSampled: undefined,
  })
})

test('a traceparent of a later version is read as far as it is known', () => {
  expect(readContext(`01-${traceId}-${spanId}-03-more`)).toEqual({ traceId, spanId, isSampled: true })
})

test.each([
  ['no trace', undefined],
  ['', ''],
  ['text', 'nonsense'],
  ['an invalid trace', `00-${'0'.repeat(32)}-${spanId}-01`],
  ['an invalid span', `00-${traceId}-${'0'.repeat(16)}-01`],
  ['capitals', `00-${traceId.toUpperCase()}-${spanId}-01`],
  ['the invalid version', `ff-${traceId}-${spanId}-01`],
  ['more than version 00 has', `00-${traceId}-${spanId}-01-more`],
  ['X-Ray without a root', `${parent};Sampled=1`],
  ['an invalid root', `Root=1-00000000-${'0'.repeat(24)};${parent};Sampled=1`],
])('%s leads nowhere', (_, text) => {
  expect(readContext(text)).toBeUndefined()
})

test('a context goes on as text, with its tracestate', () => {
  const text = sentContext(`00-${traceId}-${spanId}-01`, 'rojo=00f067aa0ba902b7, congo=t61rcWkgMzE') ?? ''
  const context = readContext(text)
  expect(context).toMatchObject({ isSampled: true, state: 'rojo=00f067aa0ba902b7, congo=t61rcWkgMzE' })
  expect(context && contextText(context)).toBe(text)
  expect(traceIdIn(text)).toBe(traceId)
})

test.each(['x'.repeat(513), 'a=1\n', 'ä=1'])('a tracestate that may not be sent is left out', (state) => {
  expect(readContext(sentContext(`00-${traceId}-${spanId}-00`, state))).toEqual({ traceId, spanId, isSampled: false })
})

test('a tracestate alone means nothing', () => {
  expect(sentContext(undefined, 'a=1')).toBeUndefined()
})
