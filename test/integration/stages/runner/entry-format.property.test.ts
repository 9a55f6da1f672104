import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { measure } from '../../../../src/reads/measure.ts'
import { decodeEntry } from '../../../../src/stages/runner/entry.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { withRevenue as pipeline } from '../../../support/sample-stages.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

/** As our scripts write them, as another client might, and as no client should. */
const stated = fc.oneof(
  fc.constantFrom('1', '7', '9999', '10000', '10001', '25000', '999999999', '1000000000', '9007199254740993'),
  fc.constantFrom('0', '-1', '1.5', '1e3', '0x10', ' 7 ', '7\n', '07', '+7', '', 'nan', 'inf', '1\0', '٣', '7.0'),
)
const field = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant('n'), stated) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('c'), fc.constantFrom('1', '', '0')) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('g'), fc.constantFrom('aggregate', 'revenue', 'validate', '')) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('r', '', 'N', 'cc', '__proto__'), fc.constantFrom('[]', '[{}]')) },
)
/** A field may occur several times. */
const entry = fc.array(field, { minLength: 1, maxLength: 6 }).map((pairs) => pairs.flat())
const entries = fc.array(entry, { minLength: 1, maxLength: 8 })

/** Orders that wait for a stage, by the decoder in TypeScript. */
function waitingFor(stage: string, all: readonly (readonly string[])[]): number {
  const decoded = all.map((fields) =>
    decodeEntry(
      pipeline,
      '1-1',
      fields.map((field) => Buffer.from(field)),
      'valid',
    ),
  )
  const own = decoded.filter(({ counted, group }) => counted && (group === undefined || group === stage))
  return own.reduce((sum, { orders }) => sum + orders, 0)
}

/** More than all entries of a run can state. */
const admitted = 10 ** 11

test('the scripts read the fields of an entry as the decoder does: the books, and the orders a new stage has missed', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis, undefined, { pipeline })
  const stream = app.keys.stream('valid')
  const property = fc.asyncProperty(entries, async (all) => {
    await redis.flushdb()
    for (const fields of all) await redis.xadd(stream, '*', ...fields)
    await redis.hset(app.keys.counters, 'received', admitted, 'admitted', admitted)
    await ensureGroups(app)
    const { held } = await measure(app)
    for (const [at, { name, from, counters }] of pipeline.stages.entries()) {
      if (from !== 'valid') continue
      const waiting = waitingFor(name, all)
      assert.equal(held[at], waiting, `the books of ${name}`)
      assert.equal(
        Number(await redis.hget(app.keys.counters, counters.missed)),
        admitted - waiting,
        `missed by ${name}`,
      )
    }
  })
  await fc.assert(property, { numRuns: 150 })
})
