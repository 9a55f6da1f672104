import { setTimeout as sleep } from 'node:timers/promises'
import { aliveMs, renewEveryMs } from '../control/presence.ts'
import type { RedisClient } from '../redis/client.ts'
import type { ReadBacklog } from './backlog.ts'
import { readStatus, type Status, type Whole } from './status.ts'

/** After an outage of Redis, other processes need this long to connect again and renew their presence. */
const reconnectMs = 5_000

/** Opens a reader of the status. For some seconds after it has failed, it does not say which components run. */
export function openStatus(redis: RedisClient, whole: Whole, readBacklog?: ReadBacklog): () => Promise<Status> {
  let failedAt = Number.NEGATIVE_INFINITY
  return async () => {
    try {
      const status = await readStatus(redis, whole, readBacklog)
      return performance.now() - failedAt < reconnectMs ? withoutProcesses(status) : status
    } catch (error) {
      failedAt = performance.now()
      throw error
    }
  }
}

/**
 * Reads the status once it is known which components run. A process that is missing may only be on its way back: it is
 * missing if it does not come while it could.
 */
export async function readSettled(read: () => Promise<Status>, signal: AbortSignal): Promise<Status> {
  const start = performance.now()
  for (;;) {
    const status = await read()
    if (performance.now() - start >= settlingMs(status)) return status
    await sleep(renewEveryMs, undefined, { signal })
  }
}

/** Returns how long another reading may find more processes. */
function settlingMs({ bridge, stages, unread }: Status): number {
  const all = [bridge, ...stages]
  if (unread.some(({ reading }) => reading === 'processes')) return 0
  if (all.some(({ processes }) => processes === null)) return reconnectMs + aliveMs
  return all.some(({ processes, stall }) => processes === 0 && stall !== null) ? reconnectMs : 0
}

function withoutProcesses({ bridge, stages, ...rest }: Status): Status {
  const nothingKnown = { processes: null, stall: null }
  return {
    ...rest,
    bridge: { ...bridge, ...nothingKnown },
    stages: stages.map((stage) => ({ ...stage, ...nothingKnown })),
  }
}
