import { enqueue } from '../../src/ingest/enqueue.ts'
import { makeKeys } from '../../src/keys.ts'
import { admittedOrder, rawOrder } from '../../src/messages.ts'
import type { RedisClient } from '../../src/redis/client.ts'
import { ensureGroups } from '../../src/stages/runner/groups.ts'
import { runStage } from '../../src/stages/runner/run.ts'
import { place } from './stages.ts'
import { until } from './until.ts'
import { appOn } from './world.ts'

/** A validate with a bug: every order that it judges ends in the invalid channel as an internal error. */
const broken = place({
  name: 'validate',
  takes: rawOrder,
  passes: { channel: 'valid', record: admittedOrder },
  counts: 'admitted',
  decide: () => {
    throw new Error('a bug')
  },
})

/** Puts orders in the invalid channel that are all right: what a release with a bug leaves behind for a replay. */
export async function rejectByBug(redis: RedisClient, bodies: readonly string[], keys = makeKeys()): Promise<void> {
  const app = appOn(redis, undefined, { keys })
  await ensureGroups(app)
  const before = await redis.llen(keys.invalidOrders)
  for (let from = 0; from < bodies.length; from += 10) {
    const records = bodies.slice(from, from + 10).map((body, at) => ({ id: `bug ${before + from + at}`, body }))
    await enqueue(redis, keys, records)
  }
  const stop = new AbortController()
  const running = runStage(app, broken, () => {}, stop.signal)
  await until(
    'the bug to have rejected all',
    () => redis.llen(keys.invalidOrders),
    (length) => length === before + bodies.length,
  )
  stop.abort()
  await running
}
