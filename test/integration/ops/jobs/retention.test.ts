import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { lockKey } from '../../../../src/keys.ts'
import { removeOld } from '../../../../src/ops/jobs/retention.ts'
import { readBooks } from '../../../../src/reads/books.ts'
import { readEntry } from '../../../../src/stages/invalid/entry.ts'
import { discardEntry } from '../../../../src/stages/invalid/requeue.ts'
import { sortableId } from '../../../../src/stream-id.ts'
import { rejectBodies } from '../../../support/invalid.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const config = readConfig({ INVALID_DAYS: '2', DISCARDED_DAYS: '3', BLOCK_MS: '20' })
const msPerDay = 86_400_000

/** Gives each record of the invalid channel an id of so many days ago, as if it had been rejected then. */
async function older(app: ReturnType<typeof appOn>, days: readonly number[]): Promise<void> {
  const { redis, keys } = app
  const entries = await redis.xrange(keys.invalid, '-', '+')
  await redis.del(keys.invalid, keys.invalidOrders, keys.invalidGroup('missing-field:user_id'))
  for (const [at, [, fields]] of entries.entries()) {
    const id = `${Date.now() - (days[at] ?? 0) * msPerDay}-${at}`
    await redis.xadd(keys.invalid, id, ...(fields ?? []))
    await redis.lpush(keys.invalidOrders, `{"id":"${id}",${fields?.[3]?.slice(1)}`)
    await redis.zadd(keys.invalidGroup('missing-field:user_id'), 0, sortableId(id))
  }
}

test('invalid and discarded orders are removed by their age, each counted once, and the books balance', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis, config)
  await rejectBodies(app, ['{}', '{}', '{}'])
  await older(app, [4, 3, 1])
  const [first, second, third] = (await app.redis.xrange(app.keys.invalid, '-', '+')).map(([id]) => id)
  await app.redis.xadd(app.keys.discarded, `${Date.now() - 4 * msPerDay}-0`, 'record', '{}')
  const entry = await readEntry(app.redis, app.keys, third ?? '')
  await app.redis.set(lockKey, 'another')
  await removeOld(app, () => {})
  expect(await app.redis.xlen(app.keys.invalid)).toBe(3)
  await app.redis.del(lockKey)
  await Promise.all([removeOld(app, () => {}), removeOld(app, () => {})])
  expect((await app.redis.xrange(app.keys.invalid, '-', '+')).map(([id]) => id)).toEqual([third])
  expect([first, second]).not.toContain(third)
  expect(await app.redis.xlen(app.keys.discarded)).toBe(0)
  expect(await app.redis.hmget(app.keys.counters, 'expired:invalid', 'expired:discarded')).toEqual(['2', '1'])
  expect((await readBooks(app)).invalid).toEqual({ stream: 1, list: 1, groups: 1, balanced: true })
  if (entry) await discardEntry(app, entry, { reason: 'old', by: 'ann' })
  await removeOld(app, () => {})
  expect(await app.redis.xlen(app.keys.discarded)).toBe(1)
})
