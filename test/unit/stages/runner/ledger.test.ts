import { hash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { makeKeys } from '../../../../src/keys.ts'
import { userHash } from '../../../../src/partitions.ts'
import { ledgerRecord, orderLine, rejectedLine, userHashIn } from '../../../../src/stages/runner/ledger.ts'

const keys = makeKeys()
const place = (buckets: number) => ({ keys, buckets, generation: 7 })
const identity = (userId: string, orderId: string) => ({ userId, orderId, minor: 150, fingerprint: 'abcdef' })

/** The bucket's number, which ends its key. */
const bucketOf = (key: string): number => Number(/\d+$/.exec(key)?.[0])

/** Bits 78 to 109 of the digest: those behind the 13 base64 characters that the field keeps. */
function uint32Behind13(name: string): bigint {
  const digest = BigInt(`0x${hash('sha256', name, 'hex')}`)
  return (digest >> BigInt(256 - 13 * 6 - 32)) & 0xffff_ffffn
}

test('the bucket of an identity is the next 32 bits of its digest, modulo the number of buckets', () => {
  const text = fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
  fc.assert(
    fc.property(text, text, fc.integer({ min: 1, max: 100_000 }), (user, order, buckets) => {
      const { current, previous } = ledgerRecord(orderLine(identity(user, order)), place(buckets))
      const expected = Number(uint32Behind13(`order ${user.length} ${user}${order}`) % BigInt(buckets))
      expect(current).toBe(keys.ledger(7, expected))
      expect(previous).toBe(keys.ledger(6, expected))
    }),
    { numRuns: 200 },
  )
})

test.each([16, 1_000])('identities spread evenly over %i buckets', (buckets) => {
  const perBucket = 8
  const sizes = new Map<number, number>()
  for (let order = 0; order < perBucket * buckets; order++) {
    const at = bucketOf(ledgerRecord(orderLine(identity(`u${order % 50}`, String(order))), place(buckets)).current)
    sizes.set(at, (sizes.get(at) ?? 0) + 1)
  }
  expect(Math.max(...sizes.keys())).toBeLessThan(buckets)
  const all = Array.from({ length: buckets }, (_, at) => sizes.get(at) ?? 0)
  const chiSquare = all.reduce((sum, size) => sum + (size - perBucket) ** 2 / perBucket, 0)
  // A random spread gives one less than the number of buckets, give or take √(2 × buckets); five times that is no chance.
  // If one bucket in twenty stayed empty, these alone would add more.
  expect(Math.abs(chiSquare - (buckets - 1))).toBeLessThan(5 * Math.sqrt(2 * buckets))
})

test('the field of an identity names its user by hash, and the order by the digest', () => {
  for (const user of ['u', 'user 1', 'ä', 'x'.repeat(300)]) {
    const { field } = ledgerRecord(orderLine(identity(user, '1')), place(16))
    expect(field).toHaveLength(16)
    expect(userHashIn(field)).toBe(userHash(user))
  }
  expect(userHashIn('not of ours')).toBeUndefined()
})

test('a message without a user belongs to hash 0, and its value is a dash', () => {
  const { field, value } = ledgerRecord(rejectedLine('m1', undefined), place(16))
  expect(field).toBe(`AAA${hash('sha256', 'message m1', 'base64url').slice(0, 13)}`)
  expect(value).toBe('-')
})

test('the same letters split differently are two identities', () => {
  const fields = [identity('a', 'bc'), identity('ab', 'c')].map((one) =>
    ledgerRecord(orderLine(one), place(16)).field.slice(3),
  )
  expect(new Set(fields).size).toBe(2)
})
