import { expect, test } from 'vitest'
import { patient } from '../../../src/api/cached.ts'

/** Longer than a test may take: who waits for it fails. */
const longMs = 600_000
const never = new Promise<string>(() => {})

test('after a reading that failed, one that hangs is not waited for, and one that works again is', async () => {
  const readings = [Promise.resolve(undefined), never, never, Promise.resolve('back'), Promise.resolve('well')]
  const read = patient(longMs, () => readings.shift() ?? never)
  const found = [await read(), await read(), await read(), await read(), await read()]
  expect(found).toEqual([undefined, undefined, undefined, 'back', 'well'])
})
