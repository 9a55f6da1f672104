import { describe, expect, test } from 'vitest'
import { makeKeys } from '../../../../src/keys.ts'
import { judgeClock } from '../../../../src/ops/incidents/clock.ts'
import { judgeData, openMemory } from '../../../../src/ops/incidents/data.ts'
import type { Clock, Scan } from '../../../../src/ops/incidents/scan.ts'

const day = 86_400_000
const start = Date.parse('2026-11-27T10:00:00Z')
const period = 14 * 86_400

/** A look at so many ms after the start by every clock; what is given is off. */
function clock(ms: number, { redisMs = ms, tripMs = 1, sleptMs = 0 } = {}): Clock {
  const instant = (at: number) => ({ monotonicMs: at, uptimeMs: at + sleptMs })
  return { asked: instant(ms), answered: instant(ms + tripMs), redisMs: start + redisMs }
}

describe('the clock of Redis', () => {
  test.each([
    ['goes on', clock(0), clock(1_000)],
    ['goes on while an answer takes long', clock(0), clock(1_000, { tripMs: 40_000, redisMs: 38_000 })],
    ['goes on after an answer that took long', clock(0, { tripMs: 40_000, redisMs: 1_000 }), clock(41_000)],
    ['goes on while this machine sleeps', clock(0), clock(1_000, { redisMs: 3_601_000, sleptMs: 3_600_000 })],
    ['goes on while this process stands still', clock(0), clock(3_600_000)],
    ['is set right by seconds', clock(0), clock(1_000, { redisMs: 4_000 })],
  ])('%s: no incident', (_, before, now) => {
    expect(judgeClock(before, now, period)).toBeUndefined()
  })

  test.each([
    [
      20_000,
      "Redis' clock jumped 19 seconds ahead, from 2026-11-27T10:00:00.000Z to 2026-11-27T10:00:20.000Z. The ledger has forgotten nothing; the times of orders and rejections are off.",
    ],
    [
      15 * day,
      "Redis' clock jumped 15 days ahead, from 2026-11-27T10:00:00.000Z to 2026-12-12T10:00:00.000Z. The ledger has forgotten the orders from before 2026-11-19T00:00:00.000Z: one that SQS delivers again may be counted twice.",
    ],
    [
      40 * day,
      "Redis' clock jumped 40 days ahead, from 2026-11-27T10:00:00.000Z to 2027-01-06T10:00:00.000Z. The ledger has forgotten every order: one that SQS delivers again may be counted twice.",
    ],
    [
      -3 * 3_600_000,
      "Redis' clock jumped 3 hours back, from 2026-11-27T10:00:00.000Z to 2026-11-27T07:00:00.000Z. The ledger has forgotten nothing; the times of orders and rejections are off.",
    ],
  ])('jumps by %i ms: what it does is said', (redisMs, text) => {
    expect(judgeClock(clock(0), clock(1_000, { redisMs }), period)?.text).toBe(text)
  })
})

describe('the data of Redis', () => {
  const counts = (received: number) => ({
    received,
    admitted: received,
    duplicates: 0,
    rejected: 0,
    applied: received,
    ranked: received,
  })
  const seen = (seconds: number, incarnation: string, received: number): Scan => ({
    clock: clock(seconds * 1_000),
    at: new Date(start + seconds * 1_000),
    data: { incarnation, counts: counts(received) },
  })
  const story = (...looks: readonly Scan[]) => {
    const memory = openMemory()
    return looks.flatMap((look) => judgeData(memory, look, makeKeys()) ?? [])
  }

  test('that only grows, is moved by a repartition, or cannot be marked, is no incident', () => {
    expect(story(seen(0, 'a', 0), seen(1, 'a', 5), { ...seen(2, 'a', 0), data: undefined }, seen(3, 'a', 9))).toEqual(
      [],
    )
    expect(story(seen(0, '', 0), seen(1, '', 5), seen(2, 'a', 6))).toEqual([])
    expect(story(seen(0, 'a', 0), seen(1, 'b', 0))).toEqual([]) // nothing was there
  })

  test('that went back is one incident, not one at each look', () => {
    expect(story(seen(0, 'a', 1_000), seen(1, 'a', 511), seen(2, 'a', 512), seen(3, 'a', 2_000))).toMatchObject([
      { orders: 489 },
    ])
  })

  test('that was replaced by other data with more orders has lost all that it had, at most', () => {
    expect(story(seen(0, 'a', 100), seen(1, 'b', 5_000))).toMatchObject([
      {
        orders: 100,
        text: expect.stringMatching(
          /^Other data was put in place of what Redis had, or the key that marks it was deleted, between .*: received 100 → 5,000/,
        ),
      },
    ])
  })

  test('that came back older than it was has lost both', () => {
    const all = story(seen(0, 'a', 100), seen(1, 'b', 0), seen(2, 'b', 7), seen(3, 'a', 90))
    expect(all).toMatchObject([{ orders: 100 }, { orders: 17 }])
    const text = expect.stringContaining(': received 0 → 100, ')
    expect(story(seen(0, 'a', 100), seen(1, 'b', 0), seen(2, 'a', 100))[1]).toMatchObject({ orders: 0, text })
  })

  test('of a Redis that takes no writes and was emptied is known by its counters', () => {
    expect(story(seen(0, 'a', 100), seen(1, '', 0), seen(2, 'b', 1))).toMatchObject([{ orders: 100 }])
  })
})
