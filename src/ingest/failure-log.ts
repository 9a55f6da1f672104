import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../app.ts'
import { messageOf } from '../errors.ts'
import { traceOf } from '../tracing/tracing.ts'

/** SQS or Redis is asked again after a second: soon enough to go on, rarely enough not to flood. */
export const retryDelayMs = 1_000
/** An outage is over when all has worked for so long: one poller's success says nothing of the next try of another. */
const calmMs = 3_000

/** How a component of the bridge works, over all that share it: pollers, partitions, batches. `by` is one of them. */
export interface Outage {
  failed(error: unknown, by: object): void
  worked(by: object): void
  /** This one tries no more. */
  left(by: object): void
  /** Waits a moment where the last try of this one failed. */
  pause(by: object, signal: AbortSignal): Promise<void>
}

export const bridgeParts = ['receive', 'wait', 'object', 'write', 'confirm', 'delete', 'renew'] as const
export type BridgePart = (typeof bridgeParts)[number]

/** One line when a component of the bridge fails, one when it has worked again for some seconds, and a pause between tries. */
export function reportOutage({ telemetry }: Pick<App, 'telemetry'>, component: BridgePart): Outage {
  const failing = new Set<object>()
  let reported = false
  let calm: NodeJS.Timeout | undefined
  const end = (): void => {
    reported = false
    calm = undefined
    telemetry.emit('bridgeBack', { component })
  }
  return {
    failed: (error, by) => {
      failing.add(by)
      clearTimeout(calm)
      calm = undefined
      if (!reported) telemetry.emit('bridgeFailed', { component, error: messageOf(error), ...traceOf(error) })
      reported = true
    },
    worked: (by) => {
      failing.delete(by)
      if (reported && failing.size === 0) calm ??= setTimeout(end, calmMs).unref()
    },
    left: (by) => void failing.delete(by),
    pause: async (by, signal) => {
      if (failing.has(by)) await sleep(retryDelayMs, undefined, { signal })
    },
  }
}
