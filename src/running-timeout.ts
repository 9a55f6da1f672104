/** A step must leave room for a stall that is over by itself, and a reply is read in a few turns of the event loop. */
const steps = 20

/**
 * Calls back after `ms` in steps. A stall of this process, as on a starved machine, counts as one step: a reply that came
 * meanwhile is read before the next.
 */
export function afterRunning(ms: number, callback: () => void): Disposable {
  let left = steps
  const timer = setInterval(() => {
    if (--left > 0) return
    clearInterval(timer)
    callback()
  }, ms / steps)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/** Makes a call with a signal that aborts after `ms` as afterRunning counts them, with a TimeoutError. */
export async function withRunningTimeout<T>(ms: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController()
  using _ = afterRunning(ms, () => late.abort(new DOMException('The call took too long.', 'TimeoutError')))
  return await call(late.signal)
}
