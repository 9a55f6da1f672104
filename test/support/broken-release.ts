import type { Redis } from 'ioredis'
import { enqueue } from '../../src/ingest/enqueue.ts'
import { ensureGroups } from '../../src/stages/groups.ts'
import { runStage } from '../../src/stages/run.ts'
import { defineStage, type Stage } from '../../src/stages/stage.ts'
import { until } from './until.ts'
import { appOn } from './world.ts'

/** A validate with a bug: every order that it judges ends in the invalid channel as an internal error. */
const broken = defineStage({
  name: 'validate',
  from: 'raw',
  to: 'valid',
  counts: 'admitted',
  decide: () => {
    throw new Error('a bug')
  },
}) as Stage

/** Puts orders in the invalid channel that are all right: what a release with a bug leaves behind for a replay. */
export async function rejectByBug(redis: Redis, bodies: readonly string[]): Promise<void> {
  const app = appOn(redis)
  await ensureGroups(redis, app.keys)
  const before = await redis.llen('invalid_orders')
  for (let from = 0; from < bodies.length; from += 10) {
    const records = bodies.slice(from, from + 10).map((body, at) => ({ id: `bug ${before + from + at}`, body }))
    await enqueue(redis, app.keys, records)
  }
  const stop = new AbortController()
  const running = runStage(app, broken, () => {}, stop.signal)
  await until(
    'the bug to have rejected all',
    () => redis.llen('invalid_orders'),
    (length) => length === before + bodies.length,
  )
  stop.abort()
  await running
}
