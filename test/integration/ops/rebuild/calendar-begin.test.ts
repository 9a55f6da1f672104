import { expect, test } from 'vitest'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { flip } from '../../../../src/ops/rebuild/flip/flip.ts'
import { comparisonOf } from '../../../../src/ops/rebuild/reply.ts'
import { openRebuildWorld, rebuilt, runningStages, settled } from '../../../support/rebuilding.ts'
import { until } from '../../../support/until.ts'

/** More than the 4 MB that a read of the books looks at by default, in entries that the archive has yet to commit. */
const [orders, bytes] = [30, 250_000]

test('a wrong begin of the calendar is found and corrected, however much the stream holds', async () => {
  await using world = await openRebuildWorld(undefined)
  const { app, redis } = world
  const [keys] = app.partitions
  if (!keys) throw new Error('There is no partition.')
  const stages = ['validate', 'aggregate', 'calendar', 'leaderboard']
  await using _ = await runningStages(app, stages)
  for (let at = 0; at < orders; at++) {
    const body = JSON.stringify({ user_id: 'u', order_id: `o${at}`, order_value: 1, note: 'x'.repeat(bytes) })
    await enqueue(redis, keys, [{ id: `m${at}`, body }])
    await until(
      'it to be admitted',
      () => redis.hget(keys.counters, 'admitted'),
      (found) => Number(found) === at + 1,
    )
  }
  await settled(world, stages)
  expect(await redis.xlen(keys.stream('valid'))).toBe(orders)
  await redis.hincrby(keys.calendarBooks, 'before:orders', 3)
  const { build, compared } = await rebuilt(world)
  expect(compared.before).toEqual(new Map([['before:orders', -3]]))
  expect(comparisonOf(compared, 0, app.format.money)).toMatchObject({ equal: false, before: { 'before:orders': -3 } })
  await flip(build, compared, undefined)
  expect(await redis.hget(keys.calendarBooks, 'before:orders')).toBe('0')
  expect(comparisonOf((await rebuilt(world)).compared, 0, app.format.money).equal).toBe(true)
})
