import { setTimeout as sleep } from 'node:timers/promises'
import { type Outage, retryDelayMs } from './failure-log.ts'

/** Slows one poller down whose receives come back empty at once, though each asks SQS to wait: each is paid for. */
export interface Haste {
  answered(messages: number, tookMs: number): void
  pause(signal: AbortSignal): Promise<void>
}

/** Several pollers wake for one message, and all but one get none: that may come a few times in a row. */
const maxHasty = 10

/** @param waiting shared by all pollers of the queue; it is over when an empty receive has waited */
export function openHaste(waiting: Outage, poller: object, waitSeconds: number): Haste {
  const asks = `SQS answers receives empty at once, though each asks it to wait ${waitSeconds} s and is paid for`
  const error = new Error(`${asks}: see what stands between. Meanwhile each poller asks once a second.`)
  let hasty = 0
  return {
    answered: (messages, tookMs) => {
      if (messages > 0) {
        hasty = Math.min(hasty, maxHasty - 1) // what came may not be all
      } else if (tookMs >= waitSeconds * 500) {
        hasty = 0
        waiting.worked(poller)
      } else if (++hasty >= maxHasty) waiting.failed(error, poller)
    },
    pause: async (signal) => {
      if (hasty >= maxHasty) await sleep(retryDelayMs, undefined, { signal })
    },
  }
}
