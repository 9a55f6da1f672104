import { expect, test } from 'vitest'
import { openPace } from '../../../../src/ingest/dead-letters/pace.ts'

/** Sends as many as are due for some seconds of a clock of its own. Returns how many were sent by each second. */
function sendFor(seconds: number, rate: number): number[] {
  let ms = 0
  const pace = openPace(rate, () => ms)
  const bySecond: number[] = []
  for (let sent = 0; ms < seconds * 1_000; ) {
    if (pace.dueMs() > 0) {
      ms += pace.dueMs()
      continue
    }
    pace.sent(pace.batch)
    sent += pace.batch
    bySecond[Math.floor(ms / 1_000)] = sent
  }
  return bySecond
}

test('messages are spread over time, a few together', () => {
  expect(sendFor(3, 100)).toEqual([100, 200, 300])
  expect(sendFor(3, 1)).toEqual([1, 2, 3])
  expect(sendFor(2, 1_000)).toEqual([1_000, 2_000])
})

test('what a pause has left out is not made up for', () => {
  let ms = 0
  const pace = openPace(100, () => ms)
  pace.sent(25)
  expect(pace.dueMs()).toBe(250)
  ms = 60_000
  pace.sent(25)
  expect(pace.dueMs()).toBe(0) // a quarter of a second may be caught up
  pace.sent(25)
  expect(pace.dueMs()).toBe(250)
})

test('without a rate everything is due at once, in writes like those of the bridge', () => {
  const pace = openPace(undefined)
  pace.sent(1_000_000)
  expect([pace.batch, pace.dueMs()]).toEqual([100, 0])
})
