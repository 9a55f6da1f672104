import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { test } from 'vitest'
import { compareIds, maxId, nextId, sortableId } from '../../../../src/stream-id.ts'
import { emptyRedis } from '../../../support/world.ts'

const include = readFileSync(new URL('../../../../src/stream-id.lua', import.meta.url), 'utf8')
/** For each pair of ids in ARGV: whether the first is before the second, the id after the first, and its sortable text. */
const script = `${include}
local replies = {}
for i = 1, #ARGV, 2 do
  local one, other = ARGV[i], ARGV[i + 1]
  replies[#replies + 1] = { id_before(one, other) and 1 or 0, id_after(one), sortable_id(one) }
end
return replies`

const number = fc.oneof(
  fc.bigInt(0n, 2n ** 64n - 1n),
  fc.bigInt(0n, 20n),
  fc.constantFrom(0n, 9n, 99n, 1_764_000_000_000n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 64n - 1n),
)
const id = fc.tuple(number, number).map(([ms, sequence]) => `${ms}-${sequence}`)
const pair = fc.oneof(
  fc.tuple(id, id),
  fc.tuple(number, number, number).map(([ms, one, other]) => [`${ms}-${one}`, `${ms}-${other}`] as const),
  id.map((one) => [one, one] as const),
  fc.constant([maxId, maxId] as const),
)

/** As a clock makes them. */
const isClockMade = (one: string): boolean => /^\d{1,13}-\d{1,10}$/.test(one)

test('scripts compare ids, find the next one and make sortable text as stream-id.ts does', async () => {
  await using world = await emptyRedis()
  const property = fc.asyncProperty(fc.array(pair, { minLength: 1, maxLength: 100 }), async (pairs) => {
    const replies = (await world.redis.eval(script, 0, ...pairs.flat())) as [number, string, string][]
    for (const [at, [one, other]] of pairs.entries()) {
      const sortable = isClockMade(one) ? sortableId(one) : replies[at]?.[2]
      assert.deepEqual(replies[at], [compareIds(one, other) < 0 ? 1 : 0, nextId(one), sortable], `${one} ${other}`)
    }
  })
  await fc.assert(property, { numRuns: 50 })
})
