import { expect, test } from 'vitest'
import { amountsOf, type ReversedPart } from '../../../src/corrections.ts'
import { ordersOf } from '../../../src/stages/correction.ts'
import { reverse, undoTag } from '../../../src/stages/reversal.ts'
import { correctedValue, isKnownAs, standingIn } from '../../../src/stages/runner/ledger.ts'

const part = (minor: number, correction?: ReversedPart['correction'], records = -1): ReversedPart => ({
  ...{ records, minor, correction, sent: 1, at: 2 },
})
const undone = (parts: ReversedPart[], more: { name?: string; redo?: true } = {}) =>
  reverse({ name: 'twice', user_id: 'ann', order_id: 'o1', parts, ...more })

/** Returns the value of an order after an undo or a redo, by its value in the ledger before. */
function left(known: string, verdict: ReturnType<typeof undone>): string {
  if (verdict.outcome !== 'correct') throw new Error(verdict.outcome)
  const found = verdict.correct(standingIn(`finger${known}`))
  if (found === 'done' || !('standing' in found)) return 'done'
  return correctedValue(`finger${known}`, found.standing).slice('finger'.length)
}

const mark = ` u${undoTag('twice')}`

test.each([
  ['1000', [part(-1_000)], `1000${mark}`],
  ['1000 750', [part(-1_000), part(250, 'refunded')], `1000 750${mark}`],
  ['1000 x', [part(-1_000), part(1_000, 'cancelled')], `1000 x${mark}`],
  ['0', [part(-0)], `0${mark}`],
  ['1000 750', [part(-1_000)], 'done'],
  ['1000 x', [part(-1_000)], 'done'],
  ['0 x', [part(0)], 'done'],
  [`1000${mark}`, [part(-1_000)], 'done'],
  ['1000 uother', [part(-1_000)], 'done'],
])('an undo of an order of %s by the parts %j leaves %s', (known, parts, expected) => {
  expect(left(known, undone(parts))).toBe(expected)
})

test.each([
  [`1000${mark}`, '1000'],
  [`1000 750${mark}`, '1000 750'],
  [`1000 x${mark}`, '1000 x'],
  ['1000', 'done'],
  ['1000 uother', 'done'],
])('a redo of an order of %s leaves %s', (known, expected) => {
  expect(left(known, undone([part(1_000, undefined, 1)], { redo: true }))).toBe(expected)
})

test('an order that is undone is still the one that was admitted', () => {
  expect(isKnownAs(`finger1000${mark}`, 'finger1000')).toBe(true)
  expect(isKnownAs(`finger1000${mark}`, 'finger1001')).toBe(false)
})

test('parts of an order with a cancellation that are taken back change no count and no spend', () => {
  const parts = [part(-1_000), part(1_000, 'cancelled')]
  expect(amountsOf(parts)).toEqual({ orders: 0, minor: 0 })
  expect(ordersOf({ correction: 'undone', undo: { name: 'twice', parts } })).toBe(0)
  expect(ordersOf({ correction: 'undone', undo: { name: 'twice', parts: parts.slice(0, 1) } })).toBe(-1)
})
