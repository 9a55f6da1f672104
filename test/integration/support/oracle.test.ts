import fc from 'fast-check'
import { expect, test } from 'vitest'
import { identityOf } from '../../../src/stages/runner/ledger.ts'
import { Oracle } from '../../support/oracle.ts'
import { checkOrder } from '../../support/order-bodies.ts'
import { plainFormat } from '../../support/plain-format.ts'

/*
 * Sends few different orders, so that identities and payloads meet: in other digits, a cent away, with ids that are one
 * double, with NaN. The rules and the fingerprint must judge them one after the other as the independent oracle does.
 */
const mostly = (usual: readonly string[], other: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof({ weight: 20, arbitrary: fc.constantFrom(...usual) }, { weight: 1, arbitrary: fc.constantFrom(...other) })
const id = mostly(['9007199254740992', '9007199254740993', '"9007199254740993"'], ['1e3', '1000', '1e20', 'NaN'])
const amount = mostly(['5', '5.001', '4.995', '4.9949999', '5.01'], ['0.8', '0.7999999999999999', 'Infinity'])
const product = mostly(['9007199254740992', '9007199254740993'], ['"P"', '7', 'NaN', 'null', '[]'])
const list = fc.oneof(
  mostly(['null', 'null'], ['[]', 'NaN', '[NaN]']),
  fc
    .tuple(product, mostly(['1', '1.0'], ['1.001', 'NaN']), amount)
    .map(([of, quantity, price]) => `[{"product_id":${of},"quantity":${quantity},"price_per_unit":${price}}]`),
)
const order = fc
  .tuple(id, id, amount, list, mostly(['1', 'NaN', '[-Infinity,Infinity]', '"NaN"'], ['nan']))
  .map(([user, id, value, items, more]) => {
    return `{"user_id":${user},"order_id":${id},"order_value":${value},"items":${items},"more":${more}}`
  })

test('the rules and the fingerprint say what the oracle says of the same money in other digits, large ids and NaN', () => {
  const totals = { admitted: 0, duplicates: 0, rejected: 0 }
  const property = fc.property(fc.array(order, { minLength: 1, maxLength: 40 }), (bodies) => {
    const oracle = new Oracle()
    const known = new Map<string, string>()
    const codes: string[] = []
    const expected: string[] = []
    for (const body of bodies) {
      const before = { duplicates: oracle.duplicates, codes: new Map(oracle.codes) }
      oracle.take(body)
      const rejected = [...oracle.codes].find(([code, count]) => count > (before.codes.get(code) ?? 0))?.[0]
      expected.push(rejected ?? (oracle.duplicates > before.duplicates ? 'duplicate' : 'valid'))

      const verdict = checkOrder(body, plainFormat)
      if ('code' in verdict) {
        codes.push(verdict.code)
        continue
      }
      const { userId, orderId, fingerprint } = identityOf(verdict, plainFormat)
      const name = JSON.stringify([userId, orderId])
      const first = known.get(name) ?? fingerprint
      codes.push(known.has(name) ? (first === fingerprint ? 'duplicate' : 'conflict') : 'valid')
      known.set(name, first)
    }
    expect(codes).toEqual(expected)
    totals.admitted += oracle.admitted
    totals.duplicates += oracle.duplicates
    totals.rejected += oracle.codes.get('conflict') ?? 0
  })
  fc.assert(property, { numRuns: 500 })
  // Each came up, or the property has proved less than it says.
  expect(Math.min(...Object.values(totals))).toBeGreaterThan(50)
})

test.each([
  ['20871735244018610', 'Order must be a JSON object'],
  ['{"user_id":"u","order_id":"o","order_value":1,"items":[20871735244018610]}', "Invalid structure in 'items' list"],
])('an integer that no double holds is no object: %s', (body, reason) => {
  const oracle = new Oracle()
  oracle.take(body)
  expect([...oracle.reasons.keys()]).toEqual([reason])
  expect(checkOrder(body, plainFormat)).toMatchObject({ reason })
})
