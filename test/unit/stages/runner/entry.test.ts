import { expect, test } from 'vitest'
import { type Entry, recordTimes } from '../../../../src/stages/runner/entry.ts'

const entry = (sent: readonly number[]): Entry => ({
  ...{ id: '1764000000000-3', fields: [], records: [], orders: 1, counted: true },
  ...{ sent, traceparent: undefined, group: undefined },
})

const timesOf = (sent: readonly number[], orders: readonly number[]): number[] => {
  const timesOf = recordTimes(entry(sent))
  return orders.map((count) => timesOf({}, count).sentMs)
}

test('each record has the time that its orders were sent', () => {
  expect(timesOf([100, 2, 200, 1, 300, 3], [1, 1, 1, 1, 1, 1])).toEqual([100, 100, 200, 300, 300, 300])
})

test('a record of several orders has the time of the last', () => {
  expect(timesOf([100, 2, 200, 2, 300, 1], [3, 1, 1])).toEqual([200, 200, 300])
})

test('beyond the known times the last one counts, and without any the time of the entry', () => {
  expect(timesOf([100, 1], [1, 1, 1])).toEqual([100, 100, 100])
  expect(timesOf([], [1, 1])).toEqual([1_764_000_000_000, 1_764_000_000_000])
})

test('only a record that a replay has put into an entry for one stage alone has times of its own', () => {
  const times = { sentMs: 1, atMs: 2 }
  const ofEntry = { sentMs: 1_764_000_000_000, atMs: 1_764_000_000_000 }
  for (const [group, expected] of [
    ['calendar', [times, ofEntry]],
    [undefined, [ofEntry, ofEntry]],
  ] as const) {
    const timesOf = recordTimes({ ...entry([]), group })
    expect([timesOf({ times }), timesOf({})]).toEqual(expected)
  }
})
