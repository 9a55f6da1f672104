import { expect, test } from 'vitest'
import { decodeEntry, type Entry, recordTimes } from '../../../../src/stages/runner/entry.ts'
import { lastMs } from '../../../../src/stream-id.ts'
import { withCalendar } from '../../../support/stages.ts'

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
    expect([timesOf({ runner_times: times }), timesOf({})]).toEqual(expected)
  }
})

test('times of their own that no clock has made are ignored, and a time of SQS is bounded', () => {
  const decoded = (runner_times: unknown): Entry => {
    const records = JSON.stringify([{ user_id: 'u', order_id: 'o', minor: 1, runner_times }])
    const fields = ['g', 'calendar', 'r', records].map((text) => Buffer.from(text))
    return decodeEntry(withCalendar, '1764000000000-3', fields, 'valid')
  }
  const own = { sentMs: 1, atMs: lastMs }
  const plain = { user_id: 'u', order_id: 'o', minor: 1 }
  expect(decoded(own).records).toEqual([{ ...plain, runner_times: own }])
  for (const bad of [-1, lastMs + 1, 1e300, 1.5, '1', null]) {
    for (const times of [
      { ...own, sentMs: bad },
      { ...own, atMs: bad },
    ]) {
      expect(decoded(times).records).toEqual([{ ...plain, runner_times: undefined }])
    }
  }
  expect(timesOf([999_999_999_999_999, 1], [1])).toEqual([lastMs])
  expect(timesOf([1, 1, 999_999_999_999_999, 1], [1, 1])).toEqual([1, lastMs])
})

test('a part of an undo has times that every zone can place, or its entry is malformed', () => {
  const decoded = (times: object): unknown => {
    const part = { records: -1, minor: -1, sent: 1, at: lastMs, ...times }
    const undo = { name: 'n', user_id: 'u', order_id: 'o', parts: [part] }
    const fields = ['r', JSON.stringify([{ id: 'm', body: '', undo }])].map((text) => Buffer.from(text))
    return decodeEntry(withCalendar, '1764000000000-3', fields, 'raw').records?.length
  }
  expect([decoded({}), decoded({ sent: -1 }), decoded({ at: lastMs + 1 })]).toEqual([1, undefined, undefined])
})
