import fc from 'fast-check'
import { expect, test } from 'vitest'

/** Always knows a smaller value. */
class Endless extends fc.Arbitrary<number> {
  generate(): fc.Value<number> {
    return new fc.Value(0, undefined)
  }
  canShrinkWithoutContext(value: unknown): value is number {
    return typeof value === 'number'
  }
  shrink(value: number): fc.Stream<fc.Value<number>> {
    return fc.Stream.of(new fc.Value(value + 1, undefined))
  }
}

test('the search for the smallest case of a property that failed ends, and says what it has', () => {
  const { interruptAfterTimeLimit, markInterruptAsFailure } = fc.readConfigureGlobal()
  expect(interruptAfterTimeLimit).toBeLessThan(120_000)
  expect(markInterruptAsFailure).toBe(true)
  const failing = fc.property(new Endless(), () => false)
  expect(() => fc.assert(failing, { interruptAfterTimeLimit: 50 })).toThrow('Property failed after 1 tests')
})
