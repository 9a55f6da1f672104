import { setTimeout as sleep } from 'node:timers/promises'
import type { PartitionScope, Tick } from '../../app.ts'
import { messageOf, OrdersError } from '../../errors.ts'

/** Soon enough after a short failure, rarely enough for an S3 that is overloaded. */
const [firstDelayMs, maxDelayMs] = [250, 10_000]

/** Retries calls of the store, however long it is away. */
export type Patiently = <T>(call: (signal: AbortSignal) => Promise<T>) => Promise<T>

/**
 * Returns a function that retries a call until it succeeds. The first failure of an outage is logged, and written down in Redis
 * for status and dashboard. While it waits, the loop counts as alive: a restart would not help.
 * @param signal ends the tries, and the call in flight; then the last error is thrown. So is each that is not of the store.
 */
export function patience({ redis, keys, telemetry, now }: PartitionScope, tick: Tick, signal: AbortSignal): Patiently {
  let failingSince: number | undefined
  let failure = ''
  const failed = async (error: unknown): Promise<void> => {
    if (failingSince === undefined) {
      failingSince = performance.now()
      const found = { since: now().toISOString(), error: messageOf(error) }
      failure = JSON.stringify(found)
      telemetry.emit('archiveAway', { partition: keys.partition, error: found.error })
    }
    // At each try: a full Redis takes none, and another process that had just uploaded a segment removes it.
    await redis.hsetnx(keys.archive, 'failure', failure).catch(() => {})
  }
  const worked = async (): Promise<void> => {
    if (failingSince === undefined) return
    const seconds = Math.round((performance.now() - failingSince) / 1_000)
    failingSince = undefined
    telemetry.emit('archiveBack', { partition: keys.partition, seconds })
    await redis.hdel(keys.archive, 'failure')
  }
  return async (call) => {
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(2 * delayMs, maxDelayMs)) {
      try {
        const result = await call(signal)
        await worked()
        return result
      } catch (error) {
        if (signal.aborted || !isOfStore(error)) throw error
        await failed(error)
        tick()
        await sleep(delayMs, undefined, { signal }).catch(() => {})
        if (signal.aborted) throw error
      }
    }
  }
}

const isOfStore = (error: unknown): boolean => error instanceof OrdersError && error.code === 'ORD_ARCHIVE'
