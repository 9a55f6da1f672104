import { setInterval as every } from 'node:timers/promises'
import type { App, Loop, PartitionScope, Tick } from '../../app.ts'
import { lockKey, manifestKey } from '../../keys.ts'
import { type InvalidEntry, toEntry } from '../../stages/invalid/entry.ts'
import { removeEntries } from '../../stages/invalid/requeue.ts'
import { timeMs } from '../../stream-id.ts'
import { expireDiscarded } from './expire-discarded.ts'

/*
 * Removes invalid orders that are older than INVALID_DAYS, and discarded ones that are older than DISCARDED_DAYS. Their ids
 * say when. Any number of processes may do it at once, because a record is removed and counted once.
 */

/** Days are coarse. */
const checkEveryMs = 60_000
const msPerDay = 86_400_000
/** An entry may have 1 MB. */
const pageLength = 20

/** Returns a loop that removes what is too old, at its start and once a minute. */
export function retentionLoop(app: App): Loop {
  return {
    name: 'jobs-retention',
    run: async (tick, signal) => {
      try {
        await removeOld(app, tick)
        let checkedAt = performance.now()
        for await (const _ of every(1_000, undefined, { signal })) {
          tick()
          if (performance.now() - checkedAt < checkEveryMs) continue
          await removeOld(app, tick)
          checkedAt = performance.now()
        }
      } catch (error) {
        if (!signal.aborted) throw error
      }
    },
  }
}

/** Removes what is too old now. A repartition counts the records that it moves, so they stay until it has ended. */
export async function removeOld(app: App, tick: Tick): Promise<void> {
  const { redis, config, partitions, telemetry } = app
  const { invalidDays, discardedDays } = config
  if (invalidDays === undefined && discardedDays === undefined) return
  if ((await redis.exists(lockKey)) + (await redis.hexists(manifestKey, 'REPARTITION')) > 0) return
  const now = timeMs(await redis.time())
  const cutoff = (days: number): string => `${Math.max(0, now - days * msPerDay)}-0`
  for (const keys of partitions) {
    const scope = { ...app, keys }
    const invalid = invalidDays === undefined ? 0 : await expireInvalid(scope, cutoff(invalidDays), tick)
    const discarded = discardedDays === undefined ? 0 : await expireDiscarded(scope, cutoff(discardedDays), tick)
    if (invalid + discarded > 0) telemetry.emit('expired', { partition: keys.partition, invalid, discarded })
  }
}

async function expireInvalid(scope: PartitionScope, before: string, tick: Tick): Promise<number> {
  const { redis, keys } = scope
  let expired = 0
  for (let after = '-', read = pageLength; read === pageLength; tick()) {
    const page = await redis.xrange(keys.invalid, after, `(${before}`, 'COUNT', pageLength)
    read = page.length
    after = `(${page.at(-1)?.[0] ?? ''}`
    const entries = page.flatMap((found): InvalidEntry[] => {
      try {
        return [toEntry(keys, found)]
      } catch {
        return [] // of another client, which must remove it
      }
    })
    if (entries.length > 0) expired += await removeEntries(scope, entries, 'expired:invalid')
  }
  return expired
}
