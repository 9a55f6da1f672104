import { expect, test } from 'vitest'
import type { Received } from '../../../src/ingest/envelope/received.ts'
import { countFitting, inPieces, type Size } from '../../../src/ingest/pieces.ts'

const received = (length: number, at: number): Received => {
  const messageId = `m${at}`
  return { message: {}, messageId, record: { id: messageId, body: 'x'.repeat(length) } }
}

const sizes = (lengths: readonly number[]): number[] => inPieces(lengths.map(received)).map((piece) => piece.length)

test('a piece has 100 orders and 8 million characters at most, and one order at least', () => {
  expect(sizes(Array(250).fill(10))).toEqual([100, 100, 50])
  expect(sizes(Array(5).fill(4_000_000))).toEqual([2, 2, 1])
  expect(sizes([9_000_000, 1, 9_000_000, 1, 1])).toEqual([1, 1, 1, 2])
  expect(sizes([])).toEqual([])
})

test('pieces have all orders, in their order', () => {
  const all = Array.from({ length: 230 }, (_, at) => received(at * 1_000, at))
  expect(inPieces(all).flat()).toEqual(all)
})

test('the layers of an envelope and its text count too', () => {
  const text = 'x'.repeat(3_000_000)
  const enveloped = Array.from({ length: 4 }, (_, at): Received => {
    const one = received(1_500_000, at)
    return { ...one, record: { ...one.record, envelope: { layers: [{ kind: 'sns' }], text } } }
  })
  expect(inPieces(enveloped).map(({ length }) => length)).toEqual([1, 1, 1, 1])
})

test('pieces that wait go into one write as long as they fit', () => {
  const fitting = (...waiting: Size[]): number => countFitting(waiting, (size) => size)
  const small = { orders: 10, length: 1_000 }
  const large = { orders: 1, length: 5_000_000 }
  expect(fitting(...Array(12).fill(small))).toBe(10)
  expect(fitting(small, large, large)).toBe(2)
  expect(fitting({ orders: 1, length: 30_000_000 }, small)).toBe(1)
  expect(fitting(small)).toBe(1)
})
