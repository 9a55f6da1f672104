import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../app.ts'
import { messageOf } from '../errors.ts'

/** SQS or Redis is asked again after a second: soon enough to go on, rarely enough not to flood. */
export const retryDelayMs = 1_000

export interface Outage {
  failed(error: unknown): void
  over(): void
  /** Waits a moment while it lasts. */
  pause(signal: AbortSignal): Promise<void>
}

/** One line when a part of the bridge fails, one when it works again, and a pause between tries. */
export function reportOutage({ telemetry }: App, part: 'receive' | 'write' | 'confirm' | 'delete' | 'renew'): Outage {
  let failing = false
  return {
    failed: (error) => {
      if (!failing) telemetry.emit('bridgeFailed', { part, error: messageOf(error) })
      failing = true
    },
    over: () => {
      if (failing) telemetry.emit('bridgeBack', { part })
      failing = false
    },
    pause: async (signal) => {
      if (failing) await sleep(retryDelayMs, undefined, { signal })
    },
  }
}
