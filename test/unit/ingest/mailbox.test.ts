import { expect, test } from 'vitest'
import { mailbox } from '../../../src/ingest/mailbox.ts'

const open = { signal: new AbortController().signal }

test('letters are taken in the order in which they were put, by those who wait first', async () => {
  const box = mailbox<string>()
  const early = [box.next(open.signal), box.next(open.signal)]
  for (const letter of ['a', 'b', 'c']) box.put(letter)
  expect(await Promise.all([...early, box.next(open.signal)])).toEqual(['a', 'b', 'c'])
})

test('a letter does not go to one who has stopped waiting', async () => {
  const box = mailbox<string>()
  const stop = new AbortController()
  const [left, stays] = [box.next(stop.signal), box.next(open.signal)]
  stop.abort()
  await expect(left).rejects.toThrow()
  box.put('a')
  box.put('b')
  expect([await stays, await box.next(open.signal)]).toEqual(['a', 'b'])
  expect(() => box.next(stop.signal)).toThrow()
})

test('letters at the front are taken without waiting, up to the first that is not accepted', () => {
  const box = mailbox<number>()
  for (const letter of [1, 2, 5, 1]) box.put(letter)
  expect(box.takeWhile((letter) => letter < 3)).toEqual([1, 2])
  expect(box.takeWhile((letter) => letter < 3)).toEqual([])
  expect(box.takeWhile(() => true)).toEqual([5, 1])
})
