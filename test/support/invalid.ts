import type { PartitionScope } from '../../src/app.ts'
import { enqueue } from '../../src/ingest/enqueue.ts'
import { ensureGroups } from '../../src/stages/runner/groups.ts'
import { runStage } from '../../src/stages/runner/run.ts'
import { received } from './received.ts'
import { validate } from './stages.ts'
import { until } from './until.ts'

/** Has validate reject bodies, one by one: their ids in the invalid channel, oldest first. */
export async function rejectBodies(scope: PartitionScope, bodies: readonly string[]): Promise<string[]> {
  const { redis, keys } = scope
  await ensureGroups(scope)
  const records = await received(bodies.map((Body, at) => ({ MessageId: `${keys.partition}-${at}`, Body })))
  await enqueue(
    redis,
    keys,
    records.map(({ record }) => record),
  )
  const stop = new AbortController()
  const running = runStage(scope, validate, () => {}, stop.signal)
  await until('all to be rejected', async () => (await redis.xlen(keys.invalid)) === bodies.length)
  stop.abort()
  await running
  return (await redis.xrange(keys.invalid, '-', '+')).map(([id]) => id)
}
