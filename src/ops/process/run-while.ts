import { setTimeout as sleep } from 'node:timers/promises'
import type { App, Loop, Tick } from '../../app.ts'

/** Time between two checks of a loop that must not run. */
const checkEveryMs = 100

/** Returns a signal that aborts when the loop must stop, or undefined if it must not run now. */
type Permit = () => AbortSignal | undefined

interface Hooks {
  /** Called each time the loop begins or ends a run. */
  readonly onRunning?: (isRunning: boolean) => void
  /** Called at each check that finds the loop must not run. */
  readonly onWaiting?: () => void
}

/**
 * Makes a loop run only while it has a permit. A permit that ends stops the loop as a stop of the process does: work in
 * flight is finished first. Meanwhile the loop counts as alive.
 */
export function runWhile(
  { pulse }: Pick<App, 'pulse'>,
  loop: Loop,
  permitOf: Permit,
  { onRunning, onWaiting }: Hooks = {},
): Loop {
  const runOnce = async (tick: Tick, signal: AbortSignal, permit: AbortSignal): Promise<void> => {
    onRunning?.(true)
    try {
      await loop.run(tick, AbortSignal.any([signal, permit]))
    } catch (error) {
      if (!permit.aborted) throw error
    } finally {
      onRunning?.(false)
    }
  }
  return {
    name: loop.name,
    run: async (tick, signal) => {
      while (!signal.aborted) {
        const permit = permitOf()
        if (permit && !permit.aborted) {
          await runOnce(tick, signal, permit)
          continue
        }
        onWaiting?.()
        pulse.set(loop.name, performance.now()) // not a tick: a loop that failed before has not recovered yet
        await sleep(checkEveryMs, undefined, { signal }).catch(() => {})
      }
    },
  }
}
