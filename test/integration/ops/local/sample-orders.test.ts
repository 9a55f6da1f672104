import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type SampleOptions, sampleOrders } from '../../../../src/ops/local/sample-orders.ts'
import { currencyOf } from '../../../../src/order/currency.ts'
import { moneyOf } from '../../../../src/order/money.ts'
import { rejectCodes } from '../../../../src/reject-codes.ts'
import { Oracle } from '../../../support/oracle.ts'
import { checkOrder } from '../../../support/order-bodies.ts'
import { plainFormat } from '../../../support/plain-format.ts'

const samplesOf = (options: Partial<SampleOptions> = {}) => [
  ...sampleOrders({ valid: 100, invalid: 20, users: 10, seed: 1, ...options }),
]

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const counts = fc.record({ valid: fc.integer({ min: 0, max: 60 }), invalid: fc.integer({ min: 0, max: 60 }) })

/** (user_id, order_id) of the valid ones. */
function identities(options: Partial<SampleOptions>): string[] {
  return samplesOf(options)
    .filter(({ kind }) => kind === 'valid')
    .map(({ body }) => JSON.stringify([JSON.parse(body).user_id, JSON.parse(body).order_id]))
}

describe('sample orders', () => {
  test('are the same for the same seed', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        expect(samplesOf({ seed })).toEqual(samplesOf({ seed }))
      }),
      { numRuns: 20 },
    )
  })

  test('have other identities with another seed, and other contents', () => {
    fc.assert(
      fc.property(fc.uniqueArray(seeds, { minLength: 2, maxLength: 4 }), (several) => {
        const all = several.flatMap((seed) => identities({ seed }))
        expect(new Set(all).size).toBe(several.length * 100)
        const values = several.map((seed) =>
          samplesOf({ seed, invalid: 0 }).map(({ body }) => JSON.parse(body).order_value),
        )
        expect(new Set(values.map(String)).size).toBe(several.length)
      }),
      { numRuns: 30 },
    )
  })

  test('have each identity once', () => {
    expect(new Set(identities({ valid: 20_000, users: 3 })).size).toBe(20_000)
  })

  test('marked valid keep every rule, their value the sum of their items to the cent', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        for (const { body } of samplesOf({ seed, invalid: 0 })) {
          const { items } = JSON.parse(body) as { items: { quantity: number; price_per_unit: number }[] }
          const cents = items.reduce((sum, item) => sum + item.quantity * Math.round(item.price_per_unit * 100), 0)
          expect(checkOrder(body, plainFormat)).toMatchObject({ minor: cents })
        }
      }),
      { numRuns: 50 },
    )
  })

  test.each([
    ['JPY', 0],
    ['KWD', 3],
    ['CLF', 4],
  ])('marked valid are whole minor units of %s', (code, decimals) => {
    const money = moneyOf(currencyOf(code))
    const format = { ...plainFormat, money }
    const inMinor = (amount: number): bigint => BigInt((amount * 10 ** decimals).toFixed(6).replace(/\.0+$/, ''))
    for (const { body } of samplesOf({ invalid: 0, money })) {
      const { order_value, items } = JSON.parse(body) as {
        order_value: number
        items: { quantity: number; price_per_unit: number }[]
      }
      const sum = items.reduce((sum, item) => sum + BigInt(item.quantity) * inMinor(item.price_per_unit), 0n)
      expect([inMinor(order_value), BigInt((checkOrder(body, format) as { minor: number }).minor)]).toEqual([sum, sum])
    }
  })

  test('are of the 30 days before a time, which changes nothing else', () => {
    const until = new Date('2025-03-31T12:00:00Z')
    const [one, other] = [samplesOf({ invalid: 0, until }), samplesOf({ invalid: 0 })].map((samples) =>
      samples.map(({ body }) => JSON.parse(body)),
    )
    for (const { order_timestamp } of one ?? []) {
      expect(order_timestamp >= '2025-03-01T12:00:00.000Z' && order_timestamp < '2025-03-31T12:00:00.000Z').toBe(true)
    }
    const rest = (orders: object[] = []) => orders.map((order) => ({ ...order, order_timestamp: '' }))
    expect(rest(one)).toEqual(rest(other))
  })

  test('marked valid are whole: what the reprocess route asks for is there', () => {
    for (const { body } of samplesOf({ invalid: 0 })) {
      expect(JSON.parse(body)).toEqual({
        user_id: expect.stringMatching(/^user_([1-9]|10)$/),
        order_id: expect.stringMatching(/./),
        order_value: expect.any(Number),
        order_timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/),
        items: expect.arrayContaining([
          { product_id: expect.any(String), quantity: expect.any(Number), price_per_unit: expect.any(Number) },
        ]),
        shipping_address: expect.stringMatching(/./),
        payment_method: expect.stringMatching(/./),
      })
    }
  })

  test('marked invalid are refused', () => {
    const accepted = Array.from({ length: 200 }, (_, seed) => samplesOf({ seed, valid: 0, invalid: 50 }))
      .flat()
      .filter(({ body }) => !('code' in checkOrder(body, plainFormat)))
    expect(accepted.slice(0, 3)).toEqual([])
  })

  test.each([
    [undefined, ['other-currency']],
    ['JPY', []],
    ['EUR', []],
  ])('marked invalid break every rule that one order can break, with CURRENCY=%s', (currency, more) => {
    const money = moneyOf(currency === undefined ? undefined : currencyOf(currency))
    const codes = samplesOf({ valid: 0, invalid: 33, money }).map(({ body }) => {
      const verdict = checkOrder(body, { ...plainFormat, money })
      return 'code' in verdict ? verdict.code : 'valid'
    })
    const bridges = ['unresolved-pointer', 'too-many-orders', 'other-partition']
    const corrections = ['unknown-event', 'unknown-order', 'cancelled-order', 'refund-exceeds']
    const others = ['conflict', ...corrections, ...bridges, 'erased', 'internal-error', 'refused', ...more]
    expect(new Set(codes)).toEqual(new Set(rejectCodes.filter((code) => !others.includes(code))))
  })

  test('are exactly as many as asked for, and mixed evenly from beginning to end', () => {
    fc.assert(
      fc.property(counts, seeds, ({ valid, invalid }, seed) => {
        const marks = samplesOf({ valid, invalid, seed }).map(({ kind }) => kind === 'valid')
        expect(marks).toHaveLength(valid + invalid)
        expect(marks.filter((mark) => !mark)).toHaveLength(invalid)
        let bad = 0
        for (const [at, mark] of marks.entries()) {
          if (!mark) bad++
          const share = ((at + 1) * invalid) / marks.length
          assert(Math.abs(bad - share) <= 1) // an expectation each would take longer than all that is tested
        }
      }),
      { numRuns: 300 },
    )
  })

  test.each([
    [0, 0],
    [1, 0],
    [0, 1],
    [50, 10],
    [10, 50],
    [9_999, 1],
    [1, 9_999],
    [33_333, 1_667],
  ])('%d valid and %d invalid are just those', (valid, invalid) => {
    const samples = samplesOf({ valid, invalid })
    expect(samples.filter(({ kind }) => kind === 'valid')).toHaveLength(valid)
    expect(samples).toHaveLength(valid + invalid)
  })

  test('are made as they are asked for', () => {
    const endless = sampleOrders({ valid: Number.MAX_SAFE_INTEGER, invalid: 0, users: 1, seed: 0 })
    expect(endless.next().value).toMatchObject({ kind: 'valid' })
  })

  test('are corrected in the share that was asked for, each later, once, and validly', () => {
    const percents = fc.constantFrom(0, 0.5, 5, 33.3, 100)
    const property = fc.property(percents, seeds, fc.integer({ min: 0, max: 400 }), (corrections, seed, valid) => {
      const samples = samplesOf({ valid, invalid: 7, corrections, seed })
      const sent = samples.filter(({ kind }) => kind === 'correction').map(({ body }) => body)
      expect(sent).toHaveLength(Math.floor((valid * corrections) / 100))
      const book = new Oracle()
      for (const { body } of samples) book.take(body)
      expect([book.admitted, book.corrected, book.codes.get('refund-exceeds')]).toEqual([valid, sent.length, undefined])
      expect(samples.filter(({ kind }) => kind !== 'correction')).toEqual(samplesOf({ valid, invalid: 7, seed }))
      const timesOf = ({ body }: { body: string }) => JSON.parse(body).order_timestamp
      const times = samples.filter(({ kind }) => kind !== 'invalid').map(timesOf)
      assert(times.every((time) => time <= '2026-11-28T00:00:00.000Z'))
    })
    fc.assert(property, { numRuns: 30 })
  })

  test('are refunded, amended and cancelled, a hundred orders after they were sent or at the end', () => {
    const samples = samplesOf({ valid: 1_000, corrections: 20 })
    const end = samples.findLastIndex(({ kind }) => kind !== 'correction')
    const placeOf = new Map(
      samples.map(({ body, kind }, at) => [kind === 'valid' ? JSON.parse(body).order_id : at, at]),
    )
    const kinds = new Map<string, number>()
    for (const [at, { body, kind }] of samples.entries()) {
      if (kind !== 'correction') continue
      const { event, order_id } = JSON.parse(body)
      kinds.set(event, (kinds.get(event) ?? 0) + 1)
      const after = at - Number(placeOf.get(order_id))
      assert(at > end || (after >= 100 && after < 150))
    }
    expect([...kinds.keys()].sort()).toEqual(['order.amended', 'order.cancelled', 'order.refunded'])
    expect(Math.min(...kinds.values())).toBeGreaterThan(20)
  })

  test('with one user are all that user', () => {
    for (const identity of identities({ users: 1 })) expect(identity).toContain('"user_1"')
  })
})
