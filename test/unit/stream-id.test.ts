import { expect, test } from 'vitest'
import {
  compareIds,
  idMs,
  idOfSortable,
  lastMs,
  maxId,
  minId,
  newestId,
  nextId,
  olderThan,
  oldestId,
  parseId,
  sortableId,
} from '../../src/stream-id.ts'

test('ids compare as numbers, beyond what a double holds', () => {
  const ordered = [minId, '0-1', '9-9', '9-10', '10-0', '9007199254740992-0', '9007199254740993-0', maxId]
  expect([...ordered].reverse().sort(compareIds)).toEqual(ordered)
  expect(newestId(ordered.toReversed())).toBe(maxId)
  expect(oldestId(ordered.toReversed())).toBe(minId)
  expect(oldestId([])).toBeUndefined()
})

test('an id that no clock has made stands for the last time that every zone can place', () => {
  expect(['1764000000000-3', '99999999999999999-0', maxId].map(idMs)).toEqual([1_764_000_000_000, lastMs, lastMs])
})

test.each([
  ['0-0', '0-1'],
  ['7', '7-1'],
  ['1764000000000-9', '1764000000000-10'],
  ['5-9007199254740993', '5-9007199254740994'],
  ['5-18446744073709551615', '6-0'],
  [maxId, maxId],
])('the id after %s is %s', (id, next) => {
  expect(nextId(id)).toBe(next)
})

test('text that is no id is taken for the smallest', () => {
  expect(parseId('nonsense')).toEqual(parseId(minId))
  expect(olderThan('0-0')).toBeUndefined()
  expect(olderThan('0-1')).toBe('(0-1')
  expect(olderThan(undefined)).toBe('+')
})

test('sortable text sorts as ids do, and an id that no clock has made is the greatest', () => {
  const ordered = ['5-3', '1764000000000-2', '1764000000000-10', '99999999999999-0', '+']
  const texts = ordered.map(sortableId)
  expect(texts.toSorted()).toEqual(texts)
  expect(texts.slice(0, 3).map(idOfSortable)).toEqual(ordered.slice(0, 3))
})
