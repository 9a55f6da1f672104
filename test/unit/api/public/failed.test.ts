import { expect, test } from 'vitest'

/** Modules of the page, as the browser gets them. */
const load = (name: string): Promise<Record<string, (...given: unknown[]) => unknown>> =>
  import(new URL(`../../../../src/api/public/${name}.js`, import.meta.url).href)
const { trendOf, trendText } = await load('failed/trend')
const { identityIn } = await load('lib/json')
const { resultOf } = await load('failed/result')
const { rehearsed, replayed } = await load('failed/replay-text')

test.each([
  [0, 0, 'steady'],
  [1, 0, 'steady'],
  [3, 0, 'rising'],
  [0, 3, 'falling'],
  [10, 12, 'steady'],
  [20, 10, 'rising'],
  [1_000, 1_050, 'steady'],
  [1_000, 1_200, 'falling'],
])('%d orders in a minute after %d are %s', (now, before, trend) => {
  expect(trendOf?.(now, before)).toBe(trend)
})

test('the trend is part of a sentence, which is left out if no order failed in the last minute', () => {
  expect(trendText?.({ last_minute: 10, minute_before: 2 })).toBe('10 in the last minute, rising, ')
  expect(trendText?.({ last_minute: 0, minute_before: 2 })).toBe('')
})

test.each([
  ['{"user_id":"u","order_id":"o"}', { user: 'u', order: 'o' }],
  ['{"user_id":7,"order_id": 12345678901234567890 }', { user: '7', order: '12345678901234567890' }],
  ['{"order_id":"o","user_id":"__proto__"}', { user: '__proto__', order: 'o' }],
  ['{"user_id":"u"}', undefined],
  ['{"user_id":null,"order_id":true}', undefined],
  ['null', undefined],
  ['[]', undefined],
  ['{', undefined],
])('the identity in %s', (text, identity) => {
  expect(identityIn?.(text)).toEqual(identity)
})

test('a verdict names the order, or says why it was rejected and where it is now', () => {
  const text = '{"user_id":"u","order_id":"o"}'
  const links = { user: 'u', order: 'o' }
  const name = 'order \u2068o\u2069 of \u2068u\u2069'
  expect(resultOf?.(text, { verdict: 'admitted' })).toEqual({ text: `Admitted: ${name}.`, kind: 'good', links })
  expect(resultOf?.(text, { verdict: 'duplicate' })).toMatchObject({
    text: `A duplicate: ${name} was admitted before.`,
  })
  expect(resultOf?.(text, { verdict: 'cancelled' })).toMatchObject({ text: `Cancelled: ${name} was not sent.` })
  expect(resultOf?.('{}', { verdict: 'rejected', reason: 'r', hint: 'h.', invalid_id: '1-0' })).toEqual({
    ...{ text: 'Rejected again: r. h.', kind: 'bad', invalidId: '1-0' },
  })
})

test('the result of a replay is one sentence', () => {
  const result = { sent: 0, admitted: 2, duplicate: 0, conflict: 1, returned: 0, rejected: { 'bad-value': 3 } }
  expect(rehearsed?.(result)).toBe('2 would pass the rules, 4 would not (bad-value 3). Nothing was sent.')
  expect(rehearsed?.({ ...result, cancelled: true })).toMatch(/^Cancelled before its end\. 2 would pass/)
  expect(replayed?.({ ...result, sent: 6 })).toBe('6 sent: 2 admitted, 4 failed again (bad-value 3).')
  expect(replayed?.({ ...result, sent: 6, cancelled: true }, 9_210)).toMatch(/^Cancelled: .* stays\. 6 of 9,210 sent:/)
  expect(replayed?.({ ...result, sent: 6, cancelled: true }, 6)).toMatch(/^Cancelled: .* stays\. 6 sent:/)
})
