import { setTimeout as sleep } from 'node:timers/promises'
import { type Outage, retryDelayMs } from './failure-log.ts'

export interface Patience {
  /** Time between two tries. */
  readonly betweenMs: number
  /** A failure is reported only if the call has failed for this long. */
  readonly quietMs: number
}

const callPatience: Patience = { betweenMs: retryDelayMs, quietMs: 0 }

/** Retries a call until it succeeds. Its failures are reported once. @throws when the signal aborts */
export async function retryUntilDone<T>(
  outage: Outage,
  call: () => Promise<T>,
  signal: AbortSignal,
  { betweenMs, quietMs }: Patience = callPatience,
): Promise<T> {
  const since = performance.now()
  const caller = {}
  for (;;) {
    try {
      const result = await call()
      outage.worked(caller)
      return result
    } catch (error) {
      signal.throwIfAborted()
      if (performance.now() - since >= quietMs) outage.failed(error, caller)
      await sleep(betweenMs, undefined, { signal })
    }
  }
}
