import type { Redis } from 'ioredis'
import { readEntries } from '../../src/stages/invalid/entry.ts'
import { replayEntries } from '../../src/stages/invalid/requeue.ts'
import { idOfSortable } from '../../src/stream-id.ts'
import { appOn } from './world.ts'

/**
 * Replays the corrections that were rejected because they overtook their orders, as an operator or the jobs role would. All
 * orders must have arrived. Returns how many it replayed.
 */
export async function replayUnknown(redis: Redis): Promise<number> {
  const app = appOn(redis)
  const ids = (await redis.zrange(app.keys.invalidGroup('unknown-order'), '0', '-1')).map(idOfSortable)
  const entries = await readEntries(redis, app.keys, ids)
  return (await replayEntries(app, entries, { jobId: 'overtaken', limit: Number.MAX_SAFE_INTEGER })).length
}
